package security

import (
	"crypto/x509"
	"encoding/asn1"
	"encoding/hex"
	"fmt"
	"strings"
)

// dnKeywords are the attribute types that RFC 2253 has names for.
var dnKeywords = map[string]string{
	"2.5.4.3":                    "CN",
	"2.5.4.7":                    "L",
	"2.5.4.8":                    "ST",
	"2.5.4.10":                   "O",
	"2.5.4.11":                   "OU",
	"2.5.4.6":                    "C",
	"2.5.4.9":                    "STREET",
	"0.9.2342.19200300.100.1.25": "DC",
	"0.9.2342.19200300.100.1.1":  "UID",
}

// attribute keeps the bytes of the value, which pkix.AttributeTypeAndValue does not.
type attribute struct {
	Type  asn1.ObjectIdentifier
	Value asn1.RawValue
}

// relativeSET is one level of a name; asn1 knows sets by the end of the type's name.
type relativeSET []attribute

// DistinguishedName is a certificate's subject as Java writes it (RFC 2253), so that
// ACLs of a Kafka cluster name the same principal. The order is that of the
// certificate, which pkix.Name forgets.
func DistinguishedName(cert *x509.Certificate) (string, error) {
	var rdns []relativeSET
	if _, err := asn1.Unmarshal(cert.RawSubject, &rdns); err != nil {
		return "", fmt.Errorf("read subject of certificate: %w", err)
	}
	var b strings.Builder
	for i := len(rdns) - 1; i >= 0; i-- {
		if b.Len() > 0 {
			b.WriteByte(',')
		}
		for j, a := range rdns[i] {
			if j > 0 {
				b.WriteByte('+')
			}
			b.WriteString(a.String())
		}
	}
	return b.String(), nil
}

func (a attribute) String() string {
	oid := a.Type.String()
	var value any
	_, err := asn1.Unmarshal(a.Value.FullBytes, &value)
	text, ok := value.(string)
	if keyword, known := dnKeywords[oid]; known && ok && err == nil {
		return keyword + "=" + escapeDN(text)
	}
	return oid + "=#" + hex.EncodeToString(a.Value.FullBytes)
}

// escapeDN escapes what has a meaning in a distinguished name.
func escapeDN(s string) string {
	var b strings.Builder
	for i, r := range s {
		switch {
		case strings.ContainsRune(`,+"\<>;`, r),
			r == '#' && i == 0,
			r == ' ' && (i == 0 || i == len(s)-1):
			b.WriteByte('\\')
		}
		b.WriteRune(r)
	}
	return b.String()
}
