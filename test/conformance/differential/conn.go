package differential

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"net"
	"os"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// maxAnswer is how long an answer may take and how large it may be.
const (
	maxAnswerTime  = 15 * time.Second
	maxAnswerBytes = 64 << 20
)

// errClosed says that the server closed the connection in place of an answer.
var errClosed = errors.New("closed")

// conn is a connection that a script has named.
type conn struct {
	net.Conn
	broken bool // by the server or by bytes that are no request
}

func dial(addr string) (*conn, error) {
	c, err := net.DialTimeout("tcp", addr, 5*time.Second)
	if err != nil {
		return nil, fmt.Errorf("dial: %w", err)
	}
	return &conn{Conn: c}, nil
}

// frame is a request as it is sent.
func frame(r kmsg.Request, cut, pad int) []byte {
	f := kmsg.NewRequestFormatter(kmsg.FormatterClientID("differential"))
	b := f.AppendRequest(nil, r, 7)
	b = append(b[:len(b)-cut], make([]byte, pad)...)
	binary.BigEndian.PutUint32(b, uint32(len(b)-4))
	return b
}

// sized puts the size in front of a frame.
func sized(b []byte) []byte {
	return append(binary.BigEndian.AppendUint32(nil, uint32(len(b))), b...)
}

func (c *conn) send(b []byte) error {
	_, err := c.Write(b)
	return err
}

// receive returns the body of the next answer after its correlation id. It
// returns errClosed, or os.ErrDeadlineExceeded when there is none.
func (c *conn) receive(limit time.Duration) ([]byte, error) {
	if err := c.SetReadDeadline(time.Now().Add(limit)); err != nil {
		return nil, err
	}
	var size [4]byte
	if _, err := io.ReadFull(c, size[:]); err != nil {
		c.broken = true
		if errors.Is(err, os.ErrDeadlineExceeded) {
			return nil, err
		}
		return nil, errClosed
	}
	n := binary.BigEndian.Uint32(size[:])
	if n < 4 || n > maxAnswerBytes {
		return nil, fmt.Errorf("answer of %d bytes", n)
	}
	b := make([]byte, n)
	if _, err := io.ReadFull(c, b); err != nil {
		return nil, fmt.Errorf("read answer: %w", err)
	}
	return b[4:], nil
}

// decode reads an answer to a request of this key and version.
func decode(r kmsg.Request, body []byte) (kmsg.Response, error) {
	resp := r.ResponseKind()
	if resp.IsFlexible() && resp.Key() != int16(kmsg.ApiVersions) {
		if len(body) == 0 || body[0] != 0 {
			return nil, errors.New("the answer's header has tags")
		}
		body = body[1:]
	}
	if err := resp.ReadFrom(body); err != nil {
		return nil, fmt.Errorf("decode answer %x: %w", body, err)
	}
	if again := resp.AppendTo(nil); string(again) != string(body) {
		return resp, errNull
	}
	return resp, nil
}

// errNull says that the answer's bytes are not what kmsg would write: a null
// where the protocol wants an empty array, or a tag that it does not know.
var errNull = errors.New("the answer does not encode to the same bytes again")

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// withCRC makes a batch's checksum right.
func withCRC(b []byte) []byte {
	binary.BigEndian.PutUint32(b[17:], crc32.Checksum(b[21:], castagnoli))
	return b
}
