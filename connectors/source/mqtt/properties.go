package mqtt

import (
	"encoding/binary"
	"errors"
)

// Properties of MQTT 5 that become headers (section 2.2.2.2).
const (
	propPayloadFormat   = 0x01
	propMessageExpiry   = 0x02
	propContentType     = 0x03
	propResponseTopic   = 0x08
	propCorrelationData = 0x09
	propUserProperty    = 0x26
)

// propertyKinds are how the values of properties are written, by identifier.
var propertyKinds = [...]byte{
	0x01: 'b', 0x02: '4', 0x03: 's', 0x08: 's', 0x09: 's', 0x0b: 'v', 0x11: '4', 0x12: 's', 0x13: '2', 0x15: 's', 0x16: 's',
	0x17: 'b', 0x18: '4', 0x19: 'b', 0x1a: 's', 0x1c: 's', 0x1f: 's', 0x21: '2', 0x22: '2', 0x23: '2', 0x24: 'b', 0x25: 'b',
	0x26: 'p', 0x27: '4', 0x28: 'b', 0x29: 'b', 0x2a: 'b',
}

// property is one of them; name is that of a user property.
type property struct {
	id          byte
	number      uint32
	name, value []byte
}

var errNoMQTT5 = errors.New("the broker does not speak MQTT 5")

// skipProperties checks the properties that p begins with and returns what comes
// after them.
func skipProperties(p []byte) (rest []byte, err error) {
	props, rest, err := cutProperties(p)
	for len(props) > 0 && err == nil {
		_, props, err = cutProperty(props)
	}
	return rest, err
}

// cutProperties cuts off the length and that many bytes.
func cutProperties(p []byte) (props, rest []byte, err error) {
	length, p, ok := cutVarint(p)
	if !ok || length > len(p) {
		return nil, nil, invalid("properties are longer than their packet")
	}
	return p[:length], p[length:], nil
}

// cutProperty takes the first of checked or unchecked properties.
func cutProperty(p []byte) (prop property, rest []byte, err error) {
	if len(p) == 0 || int(p[0]) >= len(propertyKinds) || propertyKinds[p[0]] == 0 {
		return property{}, nil, invalid("an unknown property")
	}
	prop.id, p = p[0], p[1:]
	ok := true
	switch propertyKinds[prop.id] {
	case 'b':
		if ok = len(p) >= 1; ok {
			prop.number, p = uint32(p[0]), p[1:]
		}
	case '2':
		if ok = len(p) >= 2; ok {
			prop.number, p = uint32(binary.BigEndian.Uint16(p)), p[2:]
		}
	case '4':
		if ok = len(p) >= 4; ok {
			prop.number, p = binary.BigEndian.Uint32(p), p[4:]
		}
	case 'v':
		var n int
		n, p, ok = cutVarint(p)
		prop.number = uint32(n)
	case 's':
		prop.value, p, ok = cutString(p)
	case 'p':
		if prop.name, p, ok = cutString(p); ok {
			prop.value, p, ok = cutString(p)
		}
	}
	if !ok {
		return property{}, nil, invalid("property %d is cut off", prop.id)
	}
	return prop, p, nil
}

// cutVarint cuts off a variable byte integer.
func cutVarint(p []byte) (n int, rest []byte, ok bool) {
	for i := 0; i < 4 && i < len(p); i++ {
		n |= int(p[i]&0x7f) << (7 * i)
		if p[i]&0x80 == 0 {
			return n, p[i+1:], true
		}
	}
	return 0, nil, false
}
