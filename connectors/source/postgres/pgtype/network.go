package pgtype

import (
	"net/netip"
	"strconv"
)

// inetText is the text of inet and cidr. Their binary form is the family (2 for
// IPv4, 3 for IPv6), the bits of the network, 1 for cidr, the length of the
// address and the address. inet leaves out the bits of a whole address.
func inetText(dst, data []byte) ([]byte, bool) {
	if len(data) < 4 || int(data[3]) != len(data)-4 || data[2] > 1 {
		return dst, false
	}
	family, bits, cidr, addr := data[0], data[1], data[2] == 1, data[4:]
	switch {
	case family == 2 && len(addr) == 4 && bits <= 32:
		dst = netip.AddrFrom4([4]byte(addr)).AppendTo(dst)
	case family == 3 && len(addr) == 16 && bits <= 128:
		dst = appendIPv6(dst, addr)
	default:
		return dst, false
	}
	if cidr || int(bits) != 8*len(addr) {
		dst = strconv.AppendUint(append(dst, '/'), uint64(bits), 10)
	}
	return dst, true
}

// appendIPv6 appends an address as PostgreSQL writes it: the longest run of zero
// words, if longer than one, is "::", and addresses that end in one of IPv4 show it.
func appendIPv6(dst, addr []byte) []byte {
	best, length := -1, 1
	for i := 0; i < 16; i += 2 {
		n := 0
		for i+2*n < 16 && addr[i+2*n]|addr[i+2*n+1] == 0 {
			n++
		}
		if n > length {
			best, length = i/2, n
		}
	}
	for w := 0; w < 8; w++ {
		if w == best {
			dst = append(dst, ':')
			if w += length - 1; w == 7 {
				dst = append(dst, ':')
			}
			continue
		}
		if w > 0 {
			dst = append(dst, ':')
		}
		if w == 6 && best == 0 && (length == 6 || length == 5 && addr[10]&addr[11] == 0xff) {
			return netip.AddrFrom4([4]byte(addr[12:])).AppendTo(dst)
		}
		dst = strconv.AppendUint(dst, uint64(addr[2*w])<<8|uint64(addr[2*w+1]), 16)
	}
	return dst
}

// macaddrText is the text of macaddr and macaddr8.
func macaddrText(dst, data []byte) ([]byte, bool) {
	if len(data) != 6 && len(data) != 8 {
		return dst, false
	}
	for i, c := range data {
		if i > 0 {
			dst = append(dst, ':')
		}
		dst = append(dst, hexDigits[c>>4], hexDigits[c&15])
	}
	return dst, true
}
