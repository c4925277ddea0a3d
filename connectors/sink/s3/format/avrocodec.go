package format

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"

	"github.com/dsnet/compress/bzip2"
	"github.com/klauspost/compress/flate"
	"github.com/klauspost/compress/s2"
	"github.com/klauspost/compress/zstd"
)

// avroCodec appends a compressed block.
type avroCodec func(dst, block []byte) ([]byte, error)

// avroCodecs make the codecs by their names in files (Avro 1.12, "Required Codecs" and "Optional Codecs").
var avroCodecs = map[string]func() (avroCodec, error){
	"null": func() (avroCodec, error) {
		return func(dst, block []byte) ([]byte, error) { return append(dst, block...), nil }, nil
	},
	"deflate":   newDeflate,
	"snappy":    func() (avroCodec, error) { return snappy, nil },
	"bzip2":     newBzip2,
	"zstandard": newZstandard,
}

// AvroCodecs are the names of the compressions of blocks.
var AvroCodecs = []string{"null", "deflate", "snappy", "bzip2", "zstandard"}

func newAvroCodec(name string) (avroCodec, error) {
	make := avroCodecs[name]
	if make == nil {
		return nil, fmt.Errorf("there is no Avro codec %q", name)
	}
	return make()
}

// newDeflate is deflate without zlib's head.
func newDeflate() (avroCodec, error) {
	var out bytes.Buffer
	w, err := flate.NewWriter(&out, flate.DefaultCompression)
	return func(dst, block []byte) ([]byte, error) {
		out.Reset()
		w.Reset(&out)
		if _, err := w.Write(block); err != nil {
			return dst, err
		}
		if err := w.Close(); err != nil {
			return dst, err
		}
		return append(dst, out.Bytes()...), nil
	}, err
}

// snappy has the CRC of the data behind it.
func snappy(dst, block []byte) ([]byte, error) {
	head := len(dst)
	dst = append(dst, make([]byte, s2.MaxEncodedLen(len(block)))...)
	packed := s2.EncodeSnappy(dst[head:], block)
	return binary.BigEndian.AppendUint32(dst[:head+len(packed)], crc32.ChecksumIEEE(block)), nil
}

func newBzip2() (avroCodec, error) {
	return func(dst, block []byte) ([]byte, error) {
		var out bytes.Buffer
		w, err := bzip2.NewWriter(&out, nil)
		if err != nil {
			return dst, err
		}
		if _, err := w.Write(block); err != nil {
			return dst, err
		}
		if err := w.Close(); err != nil {
			return dst, err
		}
		return append(dst, out.Bytes()...), nil
	}, nil
}

func newZstandard() (avroCodec, error) {
	w, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1))
	return func(dst, block []byte) ([]byte, error) { return w.EncodeAll(block, dst), nil }, err
}
