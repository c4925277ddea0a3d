package pgoutput

import (
	"fmt"
	"strconv"
	"strings"
)

// LSN is a position in the write-ahead log, in bytes.
type LSN uint64

// ParseLSN reads PostgreSQL's form of an LSN, such as 16/B374D848.
func ParseLSN(s string) (LSN, error) {
	high, low, ok := strings.Cut(s, "/")
	h, errHigh := strconv.ParseUint(high, 16, 32)
	l, errLow := strconv.ParseUint(low, 16, 32)
	if !ok || errHigh != nil || errLow != nil {
		return 0, fmt.Errorf("%q is not an LSN: it has two hexadecimal numbers of up to 8 digits, such as 16/B374D848", s)
	}
	return LSN(h<<32 | l), nil
}

// String returns PostgreSQL's form, such as 16/B374D848.
func (l LSN) String() string { return string(l.AppendText(make([]byte, 0, 17))) }

// AppendText appends PostgreSQL's form.
func (l LSN) AppendText(dst []byte) []byte {
	return appendHex(append(appendHex(dst, uint32(l>>32)), '/'), uint32(l))
}

func appendHex(dst []byte, v uint32) []byte {
	const digits = "0123456789ABCDEF"
	shift := 28
	for shift > 0 && v>>shift == 0 {
		shift -= 4
	}
	for ; shift >= 0; shift -= 4 {
		dst = append(dst, digits[v>>shift&15])
	}
	return dst
}
