package demo

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"

	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3afero"
	"github.com/parquet-go/parquet-go"
	"github.com/spf13/afero"
)

// Store is an S3 server that keeps each object of a bucket as a file. It takes
// any credentials.
type Store struct {
	backend gofakes3.Backend
	handler http.Handler
}

// Object is an entry of a bucket.
type Object struct {
	Key   string
	Bytes int64
}

// OpenStore serves a directory, which is made when missing. Objects are in
// buckets/<bucket>/<key>, what S3 keeps besides the bytes in metadata.
func OpenStore(dir string) (*Store, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("make S3 directory: %w", err)
	}
	backend, err := s3afero.MultiBucket(afero.NewBasePathFs(afero.NewOsFs(), dir))
	if err != nil {
		return nil, fmt.Errorf("open S3 directory: %w", err)
	}
	return &Store{backend: backend, handler: gofakes3.New(backend).Server()}, nil
}

// Handler serves the S3 protocol, with the bucket in the path.
func (s *Store) Handler() http.Handler { return s.handler }

// CreateBucket makes a bucket; one that exists is kept.
func (s *Store) CreateBucket(name string) error {
	err := s.backend.CreateBucket(name)
	if err == nil || gofakes3.HasErrorCode(err, gofakes3.ErrBucketAlreadyExists) {
		return nil
	}
	return fmt.Errorf("create bucket %s: %w", name, err)
}

// Objects lists a bucket by key.
func (s *Store) Objects(bucket string) ([]Object, error) {
	list, err := s.backend.ListBucket(bucket, nil, gofakes3.ListBucketPage{})
	if err != nil {
		return nil, fmt.Errorf("list bucket %s: %w", bucket, err)
	}
	var objects []Object
	for _, c := range list.Contents {
		objects = append(objects, Object{Key: c.Key, Bytes: c.Size})
	}
	return objects, nil
}

// Head reads the first bytes of an object, at most n.
func (s *Store) Head(bucket, key string, n int) ([]byte, error) {
	o, err := s.backend.GetObject(bucket, key, nil)
	if err != nil {
		return nil, fmt.Errorf("get object %s: %w", key, err)
	}
	text, err := io.ReadAll(io.LimitReader(o.Contents, int64(n)))
	if err = errors.Join(err, o.Contents.Close()); err != nil {
		return nil, fmt.Errorf("read object %s: %w", key, err)
	}
	return text, nil
}

// maxCounted is the largest object whose rows are counted.
const maxCounted = 64 << 20

// Rows counts the rows of an object: of a Parquet file by its footer, otherwise its
// lines.
func (s *Store) Rows(bucket, key string) (int64, error) {
	data, err := s.Head(bucket, key, maxCounted)
	if err != nil {
		return 0, err
	}
	if !strings.HasSuffix(key, ".parquet") {
		return int64(bytes.Count(data, []byte{'\n'})), nil
	}
	f, err := parquet.OpenFile(bytes.NewReader(data), int64(len(data)), parquet.SkipPageIndex(true), parquet.SkipBloomFilters(true))
	if err != nil {
		return 0, fmt.Errorf("open Parquet object %s: %w", key, err)
	}
	return f.NumRows(), nil
}
