package demo

import (
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestStore(t *testing.T) {
	dir := t.TempDir()
	s, err := OpenStore(dir)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := s.CreateBucket("bucket"); err != nil {
			t.Fatal(err)
		}
	}
	server := httptest.NewServer(s.Handler())
	defer server.Close()
	key := "topics/t/partition=0/t+0+0000000000.json"
	req, err := http.NewRequest("PUT", server.URL+"/bucket/"+key, strings.NewReader("{}\n"))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	body, _ := io.ReadAll(resp.Body)
	resp.Body.Close()
	if resp.StatusCode != 200 {
		t.Fatalf("PUT: %s %s", resp.Status, body)
	}
	objects, err := s.Objects("bucket")
	if err != nil || len(objects) != 1 || objects[0] != (Object{key, 3}) {
		t.Errorf("objects %v, %v", objects, err)
	}
	if head, err := s.Head("bucket", key, 2); err != nil || string(head) != "{}" {
		t.Errorf("head %q, %v", head, err)
	}
	if text, err := os.ReadFile(filepath.Join(dir, "buckets", "bucket", key)); err != nil || string(text) != "{}\n" {
		t.Errorf("file %q, %v", text, err)
	}
	if _, err := s.Objects("other"); err == nil {
		t.Error("no error for a bucket that does not exist")
	}
}
