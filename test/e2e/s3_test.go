package e2e

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/sluice-data/sluice/test/s3server"
)

// servers are shared by all tests and started by the first that needs them.
type servers struct {
	once   sync.Once
	server *s3server.Server
	err    error
}

var shared servers

func (s *servers) stop() {
	if s.server != nil {
		s.server.Stop()
	}
}

// s3URL starts versitygw when needed and returns its URL.
func s3URL(t *testing.T) string {
	t.Helper()
	shared.once.Do(func() {
		dir, err := os.MkdirTemp("", "s3-")
		if err == nil {
			shared.server, err = s3server.Start(s3server.Options{Dir: dir})
		}
		shared.err = err
	})
	if shared.err != nil {
		t.Fatal(shared.err)
	}
	return shared.server.URL
}

// bucket is a bucket of an S3 server.
type bucket struct {
	client *s3.Client
	name   string
	url    string
}

// makeBucket makes a bucket on the shared server.
func makeBucket(t *testing.T, name string) *bucket {
	t.Helper()
	return makeBucketAt(t, s3URL(t), name)
}

func makeBucketAt(t *testing.T, url, name string) *bucket {
	t.Helper()
	client := s3.New(s3.Options{
		BaseEndpoint: &url, Region: s3server.Region, UsePathStyle: true,
		Credentials:                credentials.NewStaticCredentialsProvider(s3server.AccessKey, s3server.SecretKey, ""),
		RequestChecksumCalculation: aws.RequestChecksumCalculationWhenRequired,
		ResponseChecksumValidation: aws.ResponseChecksumValidationWhenRequired,
	})
	if _, err := client.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: &name}); err != nil {
		t.Fatal(err)
	}
	return &bucket{client: client, name: name, url: url}
}

// keys lists the bucket.
func (b *bucket) keys(ctx context.Context) ([]string, error) {
	var keys []string
	pages := s3.NewListObjectsV2Paginator(b.client, &s3.ListObjectsV2Input{Bucket: &b.name})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, err
		}
		for _, o := range page.Contents {
			keys = append(keys, *o.Key)
		}
	}
	return keys, nil
}

func (b *bucket) read(ctx context.Context, key string) ([]byte, error) {
	o, err := b.client.GetObject(ctx, &s3.GetObjectInput{Bucket: &b.name, Key: &key})
	if err != nil {
		return nil, err
	}
	defer o.Body.Close()
	return io.ReadAll(o.Body)
}

// lines returns the lines of all objects by key. Objects that were read before
// are not read again.
func (b *bucket) lines(ctx context.Context, known map[string][]string) error {
	keys, err := b.keys(ctx)
	if err != nil {
		return err
	}
	for _, key := range keys {
		if known[key] != nil {
			continue
		}
		text, err := b.read(ctx, key)
		if err != nil {
			return err
		}
		if !bytes.HasSuffix(text, []byte("\n")) {
			return fmt.Errorf("%s does not end with a line break", key)
		}
		known[key] = strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
	}
	return nil
}

// faultyS3 stands before the S3 server and answers 503 while it is told to: to
// everything, or to what makes an upload visible.
type faultyS3 struct {
	*httptest.Server
	down    atomic.Bool
	hidden  atomic.Bool
	refused atomic.Int64 // requests that got a 503
}

func newFaultyS3(t *testing.T) *faultyS3 {
	t.Helper()
	to, err := url.Parse(s3URL(t))
	if err != nil {
		t.Fatal(err)
	}
	f := &faultyS3{}
	proxy := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(to)
		r.Out.Host = r.In.Host // it is part of the signature
	}}
	f.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		completes := r.Method == http.MethodPost && r.URL.Query().Has("uploadId") && !strings.Contains(r.URL.Path, "_sluice-probe")
		if f.down.Load() || f.hidden.Load() && completes {
			f.refused.Add(1)
			http.Error(w, "<Error><Code>SlowDown</Code></Error>", http.StatusServiceUnavailable)
			return
		}
		proxy.ServeHTTP(w, r)
	}))
	t.Cleanup(f.Close)
	return f
}
