package s3

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/sluice-data/sluice/connect"
	"github.com/sluice-data/sluice/test/s3server"
)

// realSink opens a sink whose server is versitygw.
func realSink(t *testing.T, url string, l ledger, changes map[string]string) *harness {
	t.Helper()
	h := &harness{t: t, clock: time.Unix(1_700_000_000, 0), offsets: make(map[connect.TopicPartition]int64)}
	c, errs := parse(realSettings(url, changes))
	if errs != nil {
		t.Fatal(errs)
	}
	h.sink = newSink(c)
	h.sink.now = func() time.Time { return h.clock }
	h.sink.limits = patient
	t.Cleanup(h.close)
	if err := h.sink.Open(t.Context(), connect.SinkContext{Connector: "c", Logger: slog.New(slog.DiscardHandler), ExactlyOnce: true}); err != nil {
		t.Fatal(err)
	}
	h.assign(0, max(l[tp(0)].Offset, 0))
	if st := l[tp(0)]; st.State != nil {
		if err := h.sink.Restore(t.Context(), []connect.PartitionState{st}); err != nil {
			t.Fatal(err)
		}
	}
	return h
}

func realSettings(url string, changes map[string]string) map[string]string {
	m := map[string]string{"s3.bucket.name": testBucket, "store.url": url, "s3.region": s3server.Region, "aws.access.key.id": s3server.AccessKey,
		"aws.secret.access.key": s3server.SecretKey, "flush.size": "4", "s3.part.size": "5242880", "s3.retry.backoff.ms": "1", "retry.backoff.ms": "2"}
	maps.Copy(m, changes)
	return m
}

func realServer(t *testing.T, o s3server.Options) (*s3server.Server, *s3server.Bucket) {
	t.Helper()
	o.Dir = t.TempDir()
	server, err := s3server.Start(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Stop)
	if o.Certificate != "" {
		return server, nil // its authority is not this process's
	}
	bucket, err := server.NewBucket(t.Context(), testBucket)
	if err != nil {
		t.Fatal(err)
	}
	return server, bucket
}

// TestRealServer goes through what servers are particular about: conditions, uploads of several parts, tags, lists of uploads, objects that were there before.
func TestRealServer(t *testing.T) {
	server, bucket := realServer(t, s3server.Options{})
	l := ledger{}
	first := realSink(t, server.URL, l, map[string]string{"s3.object.tagging": "true", "s3.object.tagging.key.value.pairs": "team:lake", "s3.send.digest": "true"})
	if !first.sink.conditional {
		t.Error("the server refuses to replace objects, and the sink does not know")
	}
	first.write(rawBatch(0, 0, 4, 3<<20)) // 12 MiB: three parts
	l.commit(first.prepareUntil(4))
	if keys, err := bucket.Keys(t.Context()); err != nil || len(keys) > 0 {
		t.Fatalf("objects before Apply: %v %v", keys, err)
	}
	first.write(rawBatch(0, 4, 7, 3<<20)) // an upload that the next owner does not know of
	// All of its part has to be there: versitygw brings an aborted upload back with a part that was on its way (see orphans).
	first.poll("the part of an upload", func() bool {
		first.sink.collect()
		return first.sink.steps == 0
	})
	if uploads, err := bucket.Uploads(t.Context()); err != nil || len(uploads) != 2 {
		t.Fatalf("uploads before the first owner hangs: %v %v, want the committed one and another", uploads, err)
	}
	// The first owner hangs; the next one completes what is committed and takes the rest away.
	next := realSink(t, server.URL, l, map[string]string{"s3.object.tagging": "true", "s3.object.tagging.key.value.pairs": "team:lake"})
	next.write(rawBatch(0, 4, 8, 20))
	next.commitAndApply(l, 8)
	if err := first.sink.Apply(t.Context()); err != nil {
		t.Errorf("Apply of the former owner: %v", err)
	}
	wantReal(t, bucket, map[string][]byte{"topics/iot/partition=0/iot+0+0000000000.json": lines(0, 4, 3<<20), "topics/iot/partition=0/iot+0+0000000004.json": lines(4, 8, 20)})
	next.poll("no upload but the first owner's", func() bool {
		next.sink.collect()
		uploads, err := bucket.Uploads(t.Context())
		return err == nil && len(uploads) == 0
	})
	tags, err := bucket.Client.GetObjectTagging(t.Context(), &s3.GetObjectTaggingInput{Bucket: aws.String(testBucket), Key: aws.String("topics/iot/partition=0/iot+0+0000000000.json")})
	if err != nil {
		t.Fatal(err)
	}
	got := make(map[string]string)
	for _, tag := range tags.TagSet {
		got[*tag.Key] = *tag.Value
	}
	if want := map[string]string{"startOffset": "0", "endOffset": "3", "recordCount": "4", "team": "lake"}; !maps.Equal(got, want) {
		t.Errorf("tags %v, want %v", got, want)
	}
}

func wantReal(t *testing.T, bucket *s3server.Bucket, want map[string][]byte) {
	t.Helper()
	keys, err := bucket.Keys(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if expect := slices.Sorted(maps.Keys(want)); !slices.Equal(keys, expect) {
		t.Fatalf("objects %v, want %v", keys, expect)
	}
	for key, body := range want {
		if got, err := bucket.Read(t.Context(), key); err != nil || !bytes.Equal(got, body) {
			t.Errorf("%s has %d bytes, want %d, or they differ: %v", key, len(got), len(body), err)
		}
	}
}

// TestRealServerExistingObject finds an object of somebody else's.
func TestRealServerExistingObject(t *testing.T) {
	server, bucket := realServer(t, s3server.Options{})
	key := "topics/iot/partition=0/iot+0+0000000000.json"
	if _, err := bucket.Client.PutObject(t.Context(), &s3.PutObjectInput{Bucket: aws.String(testBucket), Key: &key, Body: strings.NewReader("theirs")}); err != nil {
		t.Fatal(err)
	}
	h := realSink(t, server.URL, ledger{}, nil)
	h.write(rawBatch(0, 0, 4, 20))
	h.prepareUntil(4)
	if err := h.sink.Apply(t.Context()); err == nil || !strings.Contains(err.Error(), existingOption) {
		t.Errorf("Apply over an object of somebody else's: %v", err)
	}
	wantReal(t, bucket, map[string][]byte{key: []byte("theirs")})
}

// TestRealServerStateObject has more files in a group than a state has room for, and changes the owner at each step.
func TestRealServerStateObject(t *testing.T) {
	server, bucket := realServer(t, s3server.Options{})
	const n = 100
	settings := map[string]string{"flush.size": fmt.Sprint(n), "partitioner.class": "FieldPartitioner", "partition.field.name": "o"}
	l := ledger{}
	first := realSink(t, server.URL, l, settings)
	first.sink.stateBytes = 8 << 10
	first.write(rawBatch(0, 0, n, 20))
	l.commit(first.prepareUntil(n))
	if text := string(l[tp(0)].State); len(text) > 300 || !strings.Contains(text, "_sluice-state/c/iot/0/") {
		t.Fatalf("the state is %.300s", text)
	}
	first.close()
	next := realSink(t, server.URL, l, settings)
	l.commit(next.prepare())
	next.apply()
	next.close()
	keys, err := bucket.Keys(t.Context())
	if err != nil || len(keys) != n {
		t.Errorf("%d objects, want %d: %v", len(keys), n, err)
	}
	if i := slices.IndexFunc(keys, func(k string) bool { return strings.Contains(k, "_sluice") }); i >= 0 {
		t.Errorf("%s is left", keys[i])
	}
}

// TestRealServerTLS has a server whose certificate is signed by an authority of AWS_CA_BUNDLE alone.
func TestRealServerTLS(t *testing.T) {
	dir := t.TempDir()
	certificate, key := selfSigned(t, dir)
	server, _ := realServer(t, s3server.Options{Certificate: certificate, Key: key})
	c, errs := parse(realSettings(server.URL, nil))
	if errs != nil {
		t.Fatal(errs)
	}
	st, err := newStore(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	var unknown x509.UnknownAuthorityError
	if err := st.headBucket(t.Context()); !errors.As(err, &unknown) {
		t.Errorf("without its authority: %v", err)
	}
	st.idle()
	t.Setenv("AWS_CA_BUNDLE", certificate)
	if st, err = newStore(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	defer st.idle()
	if _, err := st.client.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: &st.bucket}); err != nil {
		t.Fatal(err)
	}
	h := realSink(t, server.URL, ledger{}, nil) // bodies are not signed over TLS
	h.write(rawBatch(0, 0, 4, 3<<20))
	h.commitAndApply(ledger{}, 4)
	body, err := st.getObject(t.Context(), "topics/iot/partition=0/iot+0+0000000000.json", 1<<30)
	if err != nil || !bytes.Equal(body, lines(0, 4, 3<<20)) {
		t.Errorf("%d bytes: %v", len(body), err)
	}
}

// selfSigned writes a certificate for 127.0.0.1 and its key.
func selfSigned(t *testing.T, dir string) (certificate, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "s3"}, NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalECPrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	certificate, key = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	for path, block := range map[string]*pem.Block{certificate: {Type: "CERTIFICATE", Bytes: der}, key: {Type: "EC PRIVATE KEY", Bytes: keyDER}} {
		if err := os.WriteFile(path, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return certificate, key
}
