package file

import "bytes"

// chunkBytes is how much is read at once.
const chunkBytes = 64 << 10

// lines parts bytes that come in pieces into lines. It holds no memory while it is
// empty: there may be hundreds of sources whose files rest.
type lines struct {
	buf     []byte
	start   int // of the first line in buf
	scanned int // bytes from start on that end no line
}

// next returns the next line without its end and how many bytes both have; 0 when
// the end of the line is not there yet. The line is good until room is called.
func (l *lines) next() (line []byte, size int) {
	rest := l.buf[l.start:]
	i := bytes.IndexAny(rest[l.scanned:], "\r\n")
	if i < 0 {
		l.scanned = len(rest)
		return nil, 0
	}
	i += l.scanned
	size = i + 1
	if rest[i] == '\r' {
		if size == len(rest) { // \n may follow
			l.scanned = i
			return nil, 0
		}
		if rest[size] == '\n' {
			size++
		}
	}
	l.start += size
	l.scanned = 0
	return rest[:i], size
}

// buffered is the number of bytes that are not part of a line yet.
func (l *lines) buffered() int { return len(l.buf) - l.start }

// room returns memory for the next piece, of which added says how much was used.
func (l *lines) room() []byte {
	if l.start > 0 {
		n := copy(l.buf, l.buf[l.start:])
		l.buf, l.start = l.buf[:n], 0
	}
	if cap(l.buf)-len(l.buf) < chunkBytes/2 {
		grown := make([]byte, len(l.buf), 2*len(l.buf)+chunkBytes)
		copy(grown, l.buf)
		l.buf = grown
	}
	return l.buf[len(l.buf):cap(l.buf)]
}

func (l *lines) added(n int) {
	l.buf = l.buf[:len(l.buf)+n]
}

// rest takes what is buffered, which ends no line.
func (l *lines) rest() []byte {
	r := l.buf[l.start:]
	*l = lines{}
	return r
}

// release gives memory back that is not needed while nothing comes.
func (l *lines) release() {
	if l.buffered() == 0 {
		*l = lines{}
	}
}
