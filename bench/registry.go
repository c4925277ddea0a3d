package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// What the registry has: versions of different schemas, and who asks for them.
const (
	registrySubjects = 2_000
	registryVersions = 10 // of each
	registrySchemas  = registrySubjects * registryVersions
	registryClients  = 64
)

// registryStart fills a registry, kills it, and measures the next start and what it
// holds.
func registryStart(ctx context.Context, b *bench) (result, error) {
	s, err := b.startWithSchemas(ctx)
	if err != nil {
		return result{}, err
	}
	s.kill()
	begin := time.Now()
	if s, err = b.startIn(ctx, s.dataDir); err != nil {
		return result{}, err
	}
	defer s.stop()
	if err := s.waitForSchemas(ctx); err != nil {
		return result{}, err
	}
	took, loaded := time.Since(begin), s.resident()
	if err := rest(ctx, idleRest); err != nil {
		return result{}, err
	}
	resident := s.resident()
	return result{figure: fmt.Sprintf("%.2f s; %s resident after %s (%s after the start, peak %s)", took.Seconds(), megabyteSize(resident), idleRest, megabyteSize(loaded), megabyteSize(s.peakMemory())),
		limit: "100 MB", ratio: times(float64(resident) / 100e6)}, nil
}

// registryList reads all versions in pages of 1,000, which is the most that one answer has.
func registryList(ctx context.Context, b *bench) (result, error) {
	s, err := b.startWithSchemas(ctx)
	if err != nil {
		return result{}, err
	}
	defer s.stop()
	begin, cpu, got, bytes := time.Now(), s.cpu(), 0, 0
	for page := 1; page > 0; got += page {
		text, err := s.getSchemas(ctx, fmt.Sprintf("/schemas?offset=%d", got))
		if err != nil {
			return result{}, err
		}
		var versions []struct{ ID int }
		if err := json.Unmarshal(text, &versions); err != nil {
			return result{}, fmt.Errorf("read a page of schemas: %w", err)
		}
		page = len(versions)
		bytes += len(text)
	}
	took := time.Since(begin)
	if got != registrySchemas {
		return result{}, fmt.Errorf("GET /schemas has %d versions, want %d", got, registrySchemas)
	}
	return result{figure: fmt.Sprintf("%.2f s, %s, CPU of the server %.2f s", took.Seconds(), megabyteSize(int64(bytes)), (s.cpu() - cpu).Seconds()),
		limit: "1 s", ratio: times(took.Seconds())}, nil
}

// registryByID asks a server on one core for schemas by id, and in its place a handler that
// answers as much and does nothing else.
func registryByID(ctx context.Context, b *bench) (result, error) {
	one := *b
	one.env = []string{"GOMAXPROCS=1"}
	s, err := one.startWithSchemas(ctx)
	if err != nil {
		return result{}, err
	}
	rate, perCore, err := s.rateByID(ctx, b.seconds)
	s.stop()
	if err != nil {
		return result{}, err
	}
	bare, err := startBare(ctx)
	if err != nil {
		return result{}, err
	}
	defer bare.kill()
	_, limit, err := bare.rateByID(ctx, b.seconds)
	return result{figure: fmt.Sprintf("%.0f/s, %.0f per second of the server's CPU (%.1f µs each)", rate, perCore, 1e6/perCore),
		limit: fmt.Sprintf("net/http with an empty handler: %.0f per second of CPU (%.1f µs each)", limit, 1e6/limit), ratio: times(perCore / limit)}, err
}

// rateByID returns the answers in a second, and in a second of the server's CPU.
func (s *server) rateByID(ctx context.Context, d time.Duration) (rate, perCore float64, err error) {
	ctx, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	var answers atomic.Int64
	var clients sync.WaitGroup
	errs := make([]error, registryClients)
	begin, cpu := time.Now(), s.cpu()
	for i := range registryClients {
		clients.Go(func() { errs[i] = s.askByID(ctx, i, &answers) })
	}
	clients.Wait()
	n := float64(answers.Load())
	return n / time.Since(begin).Seconds(), n / (s.cpu() - cpu).Seconds(), errors.Join(errs...)
}

// startBare starts this program as a server with nothing but net/http.
func startBare(ctx context.Context) (*server, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	s := &server{Schemas: ln.Addr().String()}
	ln.Close() // for the other process
	s.cmd = exec.CommandContext(ctx, self, "-bare-http", s.Schemas)
	s.cmd.Env = append(os.Environ(), "GOMAXPROCS=1")
	if err := s.cmd.Start(); err != nil {
		return nil, err
	}
	return s, poll(ctx, 10*time.Second, func(ctx context.Context) (bool, error) {
		_, err := s.getSchemas(ctx, "/")
		return err == nil, nil
	})
}

// serveBare answers every request with a schema.
func serveBare(ctx context.Context, addr string) error {
	text := schemaText(1)
	s := &http.Server{Addr: addr, Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, text)
	})}
	stop := context.AfterFunc(ctx, func() { _ = s.Close() })
	defer stop()
	if err := s.ListenAndServe(); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// askByID sends one request after the other, with a client that does as little as it can.
func (s *server) askByID(ctx context.Context, client int, answers *atomic.Int64) error {
	conn, err := net.Dial("tcp", s.Schemas)
	if err != nil {
		return err
	}
	defer conn.Close()
	r := bufio.NewReader(conn)
	var request []byte
	for id := client; ctx.Err() == nil; id++ {
		request = fmt.Appendf(request[:0], "GET /schemas/ids/%d HTTP/1.1\r\nHost: %s\r\n\r\n", 1+id*7%registrySchemas, s.Schemas)
		if _, err := conn.Write(request); err != nil {
			return err
		}
		if err := skipAnswer(r); err != nil {
			return err
		}
		answers.Add(1)
	}
	return nil
}

// skipAnswer wants a success and reads past it.
func skipAnswer(r *bufio.Reader) error {
	length := 0
	for first := true; ; first = false {
		line, err := r.ReadSlice('\n')
		if err != nil {
			return err
		}
		text := strings.TrimSpace(string(line))
		if first && !strings.HasPrefix(text, "HTTP/1.1 200 ") {
			return fmt.Errorf("the registry answers %s", text)
		}
		if text == "" {
			break
		}
		_, _ = fmt.Sscanf(text, "Content-Length: %d", &length)
	}
	if length == 0 {
		return errors.New("an answer has no Content-Length")
	}
	_, err := r.Discard(length)
	return err
}

// startWithSchemas writes the schemas to the topic, as another registry would, and waits
// until the server has them.
func (b *bench) startWithSchemas(ctx context.Context) (*server, error) {
	s, err := b.start(ctx)
	if err != nil {
		return nil, err
	}
	if err := errors.Join(s.fillSchemas(ctx), s.waitForSchemas(ctx)); err != nil {
		s.stop()
		return nil, err
	}
	return s, nil
}

func (s *server) fillSchemas(ctx context.Context) error {
	cl, err := s.client()
	if err != nil {
		return err
	}
	defer cl.Close()
	if err := poll(ctx, 20*time.Second, func(ctx context.Context) (bool, error) { // the registry makes the topic
		_, err := s.getSchemas(ctx, "/subjects")
		return err == nil, nil
	}); err != nil {
		return err
	}
	var records []*kgo.Record
	for id := 1; id <= registrySchemas; id++ {
		subject, version := fmt.Sprintf("benchmark.topic-%d-value", (id-1)/registryVersions), (id-1)%registryVersions+1
		value, err := json.Marshal(map[string]any{"subject": subject, "version": version, "id": id, "schemaType": "AVRO", "schema": schemaText(id), "deleted": false})
		if err != nil {
			return err
		}
		key := fmt.Sprintf(`{"keytype":"SCHEMA","subject":"%s","version":%d,"magic":1}`, subject, version)
		records = append(records, &kgo.Record{Topic: "_schemas", Key: []byte(key), Value: value})
	}
	return cl.ProduceSync(ctx, records...).FirstErr()
}

// schemaText is a record with a dozen fields, some 700 bytes.
func schemaText(id int) string {
	var fields strings.Builder
	for i := range 12 {
		fmt.Fprintf(&fields, `,{"name":"column_%d","type":["null","string"],"default":null}`, i)
	}
	return fmt.Sprintf(`{"type":"record","name":"Row%d","namespace":"com.example.benchmark","fields":[{"name":"id","type":"long"}%s]}`, id, fields.String())
}

// waitForSchemas waits until the last schema is served.
func (s *server) waitForSchemas(ctx context.Context) error {
	err := poll(ctx, time.Minute, func(ctx context.Context) (bool, error) {
		_, err := s.getSchemas(ctx, fmt.Sprintf("/schemas/ids/%d", registrySchemas))
		return err == nil, nil
	})
	if err != nil {
		return fmt.Errorf("wait for the schemas: %w", err)
	}
	return nil
}

func (s *server) getSchemas(ctx context.Context, path string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+s.Schemas+path, nil)
	if err != nil {
		return nil, err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err == nil && res.StatusCode != http.StatusOK {
		err = fmt.Errorf("GET %s: %s: %s", path, res.Status, text)
	}
	return text, err
}
