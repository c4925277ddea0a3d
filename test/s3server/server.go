// Package s3server runs a real S3 server for tests and measurements: versitygw, whose objects are files in a directory. It also has a
// proxy in front of one that fails at random.
package s3server

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/sluice-data/sluice/internal/loopback"
)

// The credentials of the server. They are no secret: it listens on loopback.
const (
	AccessKey = "test-access"
	SecretKey = "test-secret"
	Region    = "us-east-1"
)

// Options are what differs between servers.
type Options struct {
	Dir           string // has a directory for each bucket; must be there
	Certificate   string // file of a TLS certificate; "" for http
	Key           string
	VirtualDomain string // bucket.VirtualDomain is a bucket's host name
	AccessLog     string // file that gets a line for each request; "" for none
}

// Server is a server process.
type Server struct {
	URL   string
	Freed int // uploads that Again has put back

	addr, dir string
	args      []string
	cmd       *exec.Cmd
	out       output
	done      chan struct{} // closed when it has ended
}

// output keeps what a process writes.
type output struct {
	mu  sync.Mutex // guards buf
	buf bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.String()
}

// Program finds versitygw where test/install-servers.sh puts it, or in PATH.
func Program() (string, error) {
	cache, err := os.UserCacheDir()
	if err == nil {
		path := filepath.Join(cache, "sluice-test", "versitygw")
		if _, err := os.Stat(path); err == nil {
			return path, nil
		}
	}
	path, err := exec.LookPath("versitygw")
	if err != nil {
		return "", fmt.Errorf("%w; test/install-servers.sh installs it", err)
	}
	return path, nil
}

// Start starts a server and waits until it answers. Stop ends it.
func Start(o Options) (*Server, error) {
	program, err := Program()
	if err != nil {
		return nil, err
	}
	port, err := loopback.FreePort()
	if err != nil {
		return nil, err
	}
	addr := net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
	s := &Server{URL: "http://" + addr, addr: addr, dir: o.Dir}
	args := []string{program, "--port", addr, "--quiet", "--region", Region}
	if o.Certificate != "" {
		args = append(args, "--cert", o.Certificate, "--key", o.Key)
		s.URL = "https://" + addr
	}
	if o.VirtualDomain != "" {
		args = append(args, "--virtual-domain", o.VirtualDomain)
	}
	if o.AccessLog != "" {
		args = append(args, "--access-log", o.AccessLog)
	}
	metadata, err := metadataArgs(o.Dir)
	if err != nil {
		return nil, err
	}
	s.args = append(append(append(args, "posix"), metadata...), o.Dir)
	return s, s.run()
}

// run starts the process.
func (s *Server) run() error {
	s.cmd, s.done = exec.Command(s.args[0], s.args[1:]...), make(chan struct{})
	s.cmd.Env = append(os.Environ(), "ROOT_ACCESS_KEY="+AccessKey, "ROOT_SECRET_KEY="+SecretKey)
	s.cmd.Stdout, s.cmd.Stderr = &s.out, &s.out
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := s.cmd.Start(); err != nil {
		return fmt.Errorf("start versitygw: %w", err)
	}
	go func(cmd *exec.Cmd, done chan struct{}) {
		defer close(done)
		_ = cmd.Wait() // what became of it does not matter
	}(s.cmd, s.done)
	if err := s.await(s.addr); err != nil {
		s.Stop()
		return err
	}
	return nil
}

// Again starts a server that has ended, at its address. Uploads whose completion was cut off are put back first: versitygw
// renames an upload's directory while it works on it, and after its own death answers yes to everybody who asks for the rest, for good.
func (s *Server) Again() error {
	const mark = ".inprogress"
	claimed, err := filepath.Glob(filepath.Join(s.dir, "*", ".sgwtmp", "multipart", "*", "*"+mark))
	if err != nil {
		return err
	}
	for _, path := range claimed {
		id, _, _ := strings.Cut(filepath.Base(path), ".") // it is followed by the ETag to be
		if err := os.Rename(path, filepath.Join(filepath.Dir(path), id)); err != nil {
			return err
		}
	}
	s.Freed += len(claimed)
	return s.run()
}

// End sends the process a signal that ends it, and waits.
func (s *Server) End(sig syscall.Signal) {
	_ = s.cmd.Process.Signal(sig)
	<-s.done
}

// metadataArgs is where the server keeps what is not the bytes of an object: in extended attributes, or where the
// file system has none in a directory beside.
func metadataArgs(dir string) ([]string, error) {
	probe := filepath.Join(dir, ".xattr-probe")
	if err := os.WriteFile(probe, nil, 0o600); err != nil {
		return nil, err
	}
	defer os.Remove(probe)
	if syscall.Setxattr(probe, "user.sluice", []byte("1"), 0) == nil {
		return nil, nil
	}
	sidecar := dir + "-metadata"
	return []string{"--sidecar", sidecar}, os.MkdirAll(sidecar, 0o700)
}

var errSlowStart = errors.New("versitygw does not answer after a minute")

func (s *Server) await(addr string) error {
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	limit := time.After(time.Minute)
	for {
		conn, err := net.Dial("tcp", addr)
		if err == nil {
			return conn.Close()
		}
		select {
		case <-tick.C:
		case <-s.done:
			return fmt.Errorf("start versitygw: it ended: %s", s.out.String())
		case <-limit:
			return fmt.Errorf("%w: %s", errSlowStart, s.out.String())
		}
	}
}

// Stop kills the server. What it has acknowledged is in its directory.
func (s *Server) Stop() { s.End(syscall.SIGKILL) }

// Env is what a worker has in its environment to find a server at a URL.
func Env(url string) []string {
	return []string{"AWS_ENDPOINT_URL_S3=" + url, "AWS_REGION=" + Region, "AWS_ACCESS_KEY_ID=" + AccessKey, "AWS_SECRET_ACCESS_KEY=" + SecretKey}
}

// Bucket is a bucket of a server.
type Bucket struct {
	Client *s3.Client
	Name   string
}

// NewBucket makes a bucket.
func (s *Server) NewBucket(ctx context.Context, name string) (*Bucket, error) {
	b := &Bucket{Name: name, Client: s3.New(s3.Options{
		BaseEndpoint: &s.URL, Region: Region, UsePathStyle: true,
		Credentials: credentials.NewStaticCredentialsProvider(AccessKey, SecretKey, ""),
		HTTPClient:  http.DefaultClient,
	})}
	_, err := b.Client.CreateBucket(ctx, &s3.CreateBucketInput{Bucket: &name})
	return b, err
}

// Keys lists the objects.
func (b *Bucket) Keys(ctx context.Context) ([]string, error) {
	var keys []string
	pages := s3.NewListObjectsV2Paginator(b.Client, &s3.ListObjectsV2Input{Bucket: &b.Name})
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

// Read reads an object.
func (b *Bucket) Read(ctx context.Context, key string) ([]byte, error) {
	o, err := b.Client.GetObject(ctx, &s3.GetObjectInput{Bucket: &b.Name, Key: &key})
	if err != nil {
		return nil, err
	}
	defer o.Body.Close()
	return io.ReadAll(o.Body)
}

// Uploads lists the multipart uploads that are neither complete nor aborted, by key.
func (b *Bucket) Uploads(ctx context.Context) ([]string, error) {
	var keys []string
	in := &s3.ListMultipartUploadsInput{Bucket: &b.Name}
	for {
		out, err := b.Client.ListMultipartUploads(ctx, in)
		if err != nil {
			return nil, err
		}
		for _, u := range out.Uploads {
			keys = append(keys, *u.Key)
		}
		if !aws.ToBool(out.IsTruncated) {
			return keys, nil
		}
		in.KeyMarker, in.UploadIdMarker = out.NextKeyMarker, out.NextUploadIdMarker
	}
}
