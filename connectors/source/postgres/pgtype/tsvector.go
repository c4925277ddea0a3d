package pgtype

import (
	"bytes"
	"encoding/binary"
	"strconv"
)

// tsvectorText is the text of a tsvector: 'word':1A,2 'word'. Its binary form is
// the number of lexemes, then for each its text up to a zero byte, the number of
// its positions and the positions, whose two highest bits are their weights D to A.
func tsvectorText(dst, data []byte) ([]byte, bool) {
	if len(data) < 4 {
		return dst, false
	}
	n, data := binary.BigEndian.Uint32(data), data[4:]
	ok := true
	for i := uint32(0); i < n && ok; i++ {
		if i > 0 {
			dst = append(dst, ' ')
		}
		dst, data, ok = appendLexeme(dst, data)
	}
	return dst, ok && len(data) == 0
}

func appendLexeme(dst, data []byte) (out, rest []byte, ok bool) {
	end := bytes.IndexByte(data, 0)
	if end < 0 || len(data) < end+3 {
		return dst, nil, false
	}
	dst = append(dst, '\'')
	for _, c := range data[:end] {
		if c == '\'' || c == '\\' {
			dst = append(dst, c)
		}
		dst = append(dst, c)
	}
	dst = append(dst, '\'')
	n, data := int(binary.BigEndian.Uint16(data[end+1:])), data[end+3:]
	if len(data) < 2*n {
		return dst, nil, false
	}
	for i := range n {
		p := binary.BigEndian.Uint16(data[2*i:])
		dst = append(dst, ":,"[min(i, 1)])
		dst = strconv.AppendUint(dst, uint64(p&0x3fff), 10)
		if w := p >> 14; w > 0 {
			dst = append(dst, "DCBA"[w])
		}
	}
	return dst, data[2*n:], true
}
