package postgres

import (
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"
)

// errNoFile is something that is read as a file and is none.
var errNoFile = errors.New("it is not a regular file")

// readSmall reads a file of at most so many bytes. A pipe, whose other end may never come,
// and a device, which may never end, are refused (I5).
func readSmall(path string, limit int64) ([]byte, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0) // the opening of a pipe would wait
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, errNoFile
	}
	text, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err == nil && int64(len(text)) > limit {
		err = fmt.Errorf("it has more than %d bytes", limit)
	}
	return text, err
}
