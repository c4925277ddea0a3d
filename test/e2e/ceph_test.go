package e2e

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"text/template"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/sluice-data/sluice/test/s3server"
)

const cephAddress = "127.0.0.1:13380" // of this namespace

// ceph is a whole Ceph cluster of one monitor, one object store in memory and
// one RADOS gateway, which is the S3 server.
type ceph struct {
	dir       string
	processes []*process
}

// condition completes an upload where there is an object, and tells whether the server refuses that, and what it says.
func (b *bucket) condition(t *testing.T) (refuses bool, answer error) {
	t.Helper()
	key := aws.String("condition")
	_, err := b.client.PutObject(t.Context(), &s3.PutObjectInput{Bucket: &b.name, Key: key, Body: strings.NewReader("first")})
	if err != nil {
		t.Fatal(err)
	}
	u, err := b.client.CreateMultipartUpload(t.Context(), &s3.CreateMultipartUploadInput{Bucket: &b.name, Key: key})
	if err != nil {
		t.Fatal(err)
	}
	part, err := b.client.UploadPart(t.Context(), &s3.UploadPartInput{Bucket: &b.name, Key: key, UploadId: u.UploadId, PartNumber: aws.Int32(1), Body: strings.NewReader("second")})
	if err != nil {
		t.Fatal(err)
	}
	_, answer = b.client.CompleteMultipartUpload(t.Context(), &s3.CompleteMultipartUploadInput{Bucket: &b.name, Key: key, UploadId: u.UploadId, IfNoneMatch: aws.String("*"),
		MultipartUpload: &types.CompletedMultipartUpload{Parts: []types.CompletedPart{{ETag: part.ETag, PartNumber: aws.Int32(1)}}}})
	if answer != nil {
		_, err = b.client.AbortMultipartUpload(t.Context(), &s3.AbortMultipartUploadInput{Bucket: &b.name, Key: key, UploadId: u.UploadId})
	}
	body, readErr := b.read(t.Context(), *key)
	if err = errors.Join(err, readErr); err != nil {
		t.Fatal(err)
	}
	if _, err := b.client.DeleteObject(t.Context(), &s3.DeleteObjectInput{Bucket: &b.name, Key: key}); err != nil {
		t.Fatal(err)
	}
	return string(body) == "first", answer
}

// TestCeph runs a part of TestKillBeforeVisible against an S3 server of another make, whose conditions, ETags and error codes
// are its own: what is committed is completed by the next owner, once.
func TestCeph(t *testing.T) {
	c, err := startCeph(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer c.stop()
	bucket := makeBucketAt(t, "http://"+cephAddress, "ceph")
	refuses, answer := bucket.condition(t)
	t.Logf("If-None-Match at a completion is heeded: %v; it answers: %v", refuses, answer)
	broker := startMosquitto(t)
	s := startSluice(t, s3server.Env(bucket.url))
	s.create(t, seedConfig(t, "mqtt-source.json"))
	s.create(t, changed(t, seedConfig(t, "s3-sink.json"), map[string]string{"s3.bucket.name": bucket.name, "rotate.max.age.ms": "500"}))
	s.waitRunning(t, "s3-sink-connector")
	broker.waitSubscribed(t, "sensor/temperature")
	const n = 8000
	var publishing sync.WaitGroup
	client := publisher(t)
	publishing.Go(func() { publish(t, client, "sensor/temperature", 4000, readings(n)) })
	for range 2 {
		<-time.After(700 * time.Millisecond)
		s.kill()
		s.start(t)
	}
	publishing.Wait()
	allArrived(t, s, bucket, "iot-sensors", n)
	if known := !strings.Contains(s.log.String()+s.out.String(), "replaces objects although it is told not to"); known != refuses {
		t.Errorf("the sink takes the server to refuse: %v, which is %v", known, refuses)
	}
	s.stop(t)
	uploads, err := bucket.client.ListMultipartUploads(t.Context(), &s3.ListMultipartUploadsInput{Bucket: &bucket.name})
	if err != nil || len(uploads.Uploads) > 0 {
		t.Errorf("%d uploads are left: %v", len(uploads.Uploads), err)
	}
}

const cephConf = `[global]
fsid = {{.FSID}}
mon host = v2:127.0.0.1:13300
mon initial members = a
public addr = 127.0.0.1
cluster addr = 127.0.0.1
ms bind ipv6 = false
keyring = {{.Dir}}/keyring
auth allow insecure global id reclaim = false
run dir = {{.Dir}}
admin socket =
pid file =
log file = {{.Dir}}/$name.log
log to stderr = false
mon cluster log file = {{.Dir}}/cluster.log
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 1
osd pool default pg autoscale mode = off
osd crush chooseleaf type = 0
mon allow pool size one = true
paxos propose interval = 0.02
paxos min wait = 0.01
[mon]
mon data = {{.Dir}}/mon
mgr initial modules =
[osd]
osd data = {{.Dir}}/osd
osd objectstore = memstore
memstore device bytes = 2147483648
[client]
rgw frontends = beast endpoint={{.Address}}
rgw thread pool size = 32
rgw run sync thread = false
rgw enable lc threads = false
`

// startCeph starts the cluster and makes a user. It takes about a second.
func startCeph(dir string) (c *ceph, err error) {
	c = &ceph{dir: dir}
	defer func() {
		if err != nil {
			err = fmt.Errorf("start Ceph: %w%s", err, c.logs())
			c.stop()
		}
	}()
	if err := c.configure(); err != nil {
		return nil, err
	}
	if err := c.startStore(); err != nil {
		return nil, err
	}
	if err := c.spawn("radosgw", "-n", "client.admin", "-f"); err != nil {
		return nil, err
	}
	err = poll(func() error {
		resp, err := http.Get("http://" + cephAddress)
		if err == nil {
			resp.Body.Close()
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return c, c.call("radosgw-admin", "user", "create", "--uid=e2e", "--display-name=e2e", "--access-key="+s3server.AccessKey, "--secret-key="+s3server.SecretKey)
}

// configure writes the config and the keys.
func (c *ceph) configure() error {
	fsid, err := os.ReadFile("/proc/sys/kernel/random/uuid")
	if err != nil {
		return err
	}
	for _, name := range []string{"mon", "osd"} {
		if err := os.MkdirAll(filepath.Join(c.dir, name), 0o700); err != nil {
			return err
		}
	}
	var conf bytes.Buffer
	t := template.Must(template.New("").Parse(cephConf))
	values := map[string]string{"FSID": strings.TrimSpace(string(fsid)), "Dir": c.dir, "Address": cephAddress}
	if err := t.Execute(&conf, values); err != nil {
		return err
	}
	if err := os.WriteFile(c.path("ceph.conf"), conf.Bytes(), 0o600); err != nil {
		return err
	}
	for i, who := range [][]string{
		{"mon.", "--cap", "mon", "allow *"},
		{"client.admin", "--cap", "mon", "allow *", "--cap", "osd", "allow *"},
		{"osd.0", "--cap", "mon", "allow profile osd", "--cap", "osd", "allow *"},
	} {
		args := append([]string{c.path("keyring"), "--gen-key", "-n"}, who...)
		if i == 0 {
			args = append(args, "--create-keyring")
		}
		if err := command("ceph-authtool", args...); err != nil {
			return err
		}
	}
	return command("monmaptool", "--create", "--fsid", values["FSID"], "--addv", "a", "[v2:127.0.0.1:13300]", c.path("monmap"))
}

// startStore starts the monitor and the object store.
func (c *ceph) startStore() error {
	if err := c.call("ceph-mon", "--mkfs", "-i", "a", "--monmap", c.path("monmap"), "--keyring", c.path("keyring")); err != nil {
		return err
	}
	if err := c.spawn("ceph-mon", "-i", "a", "-f"); err != nil {
		return err
	}
	id, err := os.ReadFile("/proc/sys/kernel/random/uuid")
	if err != nil {
		return err
	}
	uuid := strings.TrimSpace(string(id))
	if err := c.call("ceph", "--connect-timeout", "20", "osd", "new", uuid); err != nil {
		return err
	}
	if err := c.call("ceph-osd", "-i", "0", "--mkfs", "--osd-uuid", uuid); err != nil {
		return err
	}
	return c.spawn("ceph-osd", "-i", "0", "-f")
}

func (c *ceph) path(name string) string { return filepath.Join(c.dir, name) }

func (c *ceph) spawn(name string, args ...string) error {
	p, err := spawn(nil, name, append([]string{"-c", c.path("ceph.conf")}, args...)...)
	if err == nil {
		c.processes = append(c.processes, p)
	}
	return err
}

func (c *ceph) call(name string, args ...string) error {
	return command(name, append([]string{"-c", c.path("ceph.conf")}, args...)...)
}

// command runs a program to its end.
func command(name string, args ...string) error {
	out, err := exec.Command(name, args...).CombinedOutput()
	if errors.Is(err, exec.ErrNotFound) {
		return fmt.Errorf("%w; `make test` installs what the tests need", err)
	}
	if err != nil {
		return fmt.Errorf("%s: %w\n%s", name, err, out)
	}
	return nil
}

func (c *ceph) logs() string {
	var b strings.Builder
	for _, p := range c.processes {
		fmt.Fprintf(&b, "\n%s: %s", p.name, p.out)
	}
	return b.String()
}

func (c *ceph) stop() {
	for _, p := range c.processes {
		p.kill()
	}
}
