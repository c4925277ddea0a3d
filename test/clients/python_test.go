package clients

import (
	"bufio"
	_ "embed"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// kafka-python 2.0.2 is the oldest client in wide use: it speaks Metadata v0 and
// v1, and knows no transactions. The newest speaks the flexible versions.
const (
	pythonOld = "2.0.2"
	pythonNew = "3.0.12"
)

var (
	//go:embed testdata/kafka_python.py
	pythonScript string
	//go:embed testdata/judge.py
	pythonJudgeScript string
)

// What an application does with the admin client, producer, consumer and group.
func TestKafkaPython(t *testing.T) {
	for _, version := range []string{pythonOld, pythonNew} {
		t.Run(version, func(t *testing.T) {
			python := pythonWith(t, version)
			s := startServer(t)
			out := run(t, pythonScript, python, "-", s.addr)
			if got := strings.TrimSpace(out); !strings.HasSuffix(got, "all passed") {
				t.Errorf("printed:\n%s", got)
			}
		})
	}
}

// pythonWith returns the interpreter of a virtual environment that has this
// kafka-python and the codecs it needs. Environments are kept in the user's
// cache directory.
func pythonWith(t *testing.T, version string) string {
	t.Helper()
	base := python3(t)
	cache, err := os.UserCacheDir()
	if err != nil {
		cache = os.TempDir()
	}
	dir := filepath.Join(cache, "sluice-test", "kafka-python-"+version)
	python := filepath.Join(dir, "bin", "python")
	if err := exec.Command(python, "-c", "import kafka, snappy, lz4, zstandard").Run(); err == nil {
		return python
	}
	for _, args := range [][]string{
		{base, "-m", "venv", dir},
		{python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "kafka-python==" + version, "python-snappy", "lz4", "zstandard"},
	} {
		if out, err := exec.Command(args[0], args[1:]...).CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s\ninstall it with: apt-get install python3-venv python3-pip", strings.Join(args, " "), err, out)
		}
	}
	return python
}

// python3 prefers a release that kafka-python 2.0.2 still runs on: 3.12 took
// modules away that it needs.
func python3(t *testing.T) string {
	t.Helper()
	for _, name := range []string{"python3.11", "python3.10", "python3.9", "python3"} {
		if path, err := exec.LookPath(name); err == nil && exec.Command(path, "-c", "import venv").Run() == nil {
			return path
		}
	}
	t.Fatal("python3 is not installed: apt-get install python3-venv python3-pip")
	return ""
}

// python is a running judge.py. All tests share one for each version.
type python struct {
	mu     sync.Mutex // one request at a time; guards the pipes
	in     io.WriteCloser
	out    *bufio.Reader
	cmd    *exec.Cmd
	nextID atomic.Int64
}

// pythons are the running judges; TestMain ends them.
var pythons = struct {
	sync.Mutex // guards all
	all        map[string]*python
}{all: map[string]*python{}}

func startPython(t *testing.T, version string) *python {
	t.Helper()
	pythons.Lock()
	defer pythons.Unlock()
	if p, ok := pythons.all[version]; ok {
		return p
	}
	p := &python{cmd: exec.Command(pythonWith(t, version), "-c", pythonJudgeScript)}
	var err error
	if p.in, err = p.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	p.out = bufio.NewReader(out)
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	pythons.all[version] = p
	return p
}

// stopPythons ends the judges: their input ends.
func stopPythons() {
	pythons.Lock()
	defer pythons.Unlock()
	for _, p := range pythons.all {
		p.in.Close()
		p.cmd.Wait() // nobody asks how it ended
	}
}

// call asks for an operation with its arguments and reads the result into out,
// unless that is nil.
func (p *python) call(op string, args map[string]any, out any) error {
	request := map[string]any{"op": op}
	for k, v := range args {
		request[k] = v
	}
	line, err := json.Marshal(request)
	if err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if _, err := p.in.Write(append(line, '\n')); err != nil {
		return fmt.Errorf("write to judge.py: %w", err)
	}
	line, err = p.out.ReadBytes('\n')
	if err != nil {
		return fmt.Errorf("read from judge.py: %w", err)
	}
	var answer struct {
		Result json.RawMessage
		Error  string
	}
	if err := json.Unmarshal(line, &answer); err != nil {
		return fmt.Errorf("read from judge.py: %w", err)
	}
	if answer.Error != "" {
		return fmt.Errorf("%s: %s", op, answer.Error)
	}
	if out == nil {
		return nil
	}
	return json.Unmarshal(answer.Result, out)
}

func (p *python) must(t *testing.T, op string, args map[string]any, out any) {
	t.Helper()
	if err := p.call(op, args, out); err != nil {
		t.Fatal(err)
	}
}

func pythonJudge(t *testing.T, version string) judge {
	p := startPython(t, version)
	j := judge{name: "kafka-python " + version, noZstd: version == pythonOld, showsMarkers: version == pythonOld}
	j.produce = func(t *testing.T, q produceRequest, records ...record) {
		t.Helper()
		p.must(t, "produce", map[string]any{"addr": q.addr, "topic": q.topic, "acks": q.acks, "codec": q.codec,
			"idempotent": q.idempotent, "records": toPython(records)}, nil)
	}
	j.consume = func(t *testing.T, q consumeRequest) []record {
		t.Helper()
		var got []pythonRecord
		p.must(t, "consume", map[string]any{"addr": q.addr, "topic": q.topic, "partition": q.partition, "from": q.from, "n": q.n,
			"committed": q.committed, "maxBytes": q.maxBytes}, &got)
		return fromPython(got)
	}
	j.times = func(t *testing.T, addr, topic string, ms int64) (offset int64) {
		t.Helper()
		p.must(t, "times", map[string]any{"addr": addr, "topic": topic, "ms": ms}, &offset)
		return offset
	}
	j.join = func(t *testing.T, q memberRequest) member { return joinPython(t, p, q) }
	if version != pythonOld {
		j.transact = func(t *testing.T, addr, id string) transactor {
			t.Helper()
			p.must(t, "transact", map[string]any{"addr": addr, "id": id}, nil)
			return &pythonTransactor{p, id}
		}
	}
	return j
}

type pythonRecord struct {
	Partition int32      `json:"partition"`
	Offset    int64      `json:"offset"`
	Timestamp int64      `json:"timestamp"`
	Key       *[]byte    `json:"key"`
	Value     *[]byte    `json:"value"`
	Headers   [][]string `json:"headers"`
}

func toPython(records []record) []map[string]any {
	list := []map[string]any{}
	for _, r := range records {
		headers := [][]any{}
		for _, h := range r.headers {
			headers = append(headers, []any{h.key, h.value})
		}
		list = append(list, map[string]any{"partition": r.partition, "timestamp": r.timestamp, "key": r.key, "value": r.value, "headers": headers})
	}
	return list
}

func fromPython(list []pythonRecord) []record {
	var records []record
	for _, p := range list {
		r := record{partition: p.Partition, offset: p.Offset, timestamp: p.Timestamp}
		if p.Key != nil {
			r.key = *p.Key
		}
		if p.Value != nil {
			r.value = *p.Value
		}
		for _, h := range p.Headers {
			var value []byte
			_ = json.Unmarshal([]byte(`"`+h[1]+`"`), &value) // base64 of ours
			r.headers = append(r.headers, header{h[0], value})
		}
		records = append(records, r)
	}
	return records
}

// pythonMember is a thread of judge.py, asked again and again for what it has.
type pythonMember struct {
	held
	p    *python
	id   string
	got  func(record)
	quit chan struct{}
	done chan struct{}
	once sync.Once
}

func joinPython(t *testing.T, p *python, q memberRequest) member {
	t.Helper()
	m := &pythonMember{p: p, id: fmt.Sprint("m", p.nextID.Add(1)), got: q.got, quit: make(chan struct{}), done: make(chan struct{})}
	p.must(t, "join", map[string]any{"addr": q.addr, "topic": q.topic, "group": q.group, "instance": q.instance,
		"assignor": q.assignor, "id": m.id}, nil)
	go m.run(t)
	t.Cleanup(func() { m.leave(t) })
	return m
}

// polled is what a member got since it was last asked, and what it has now.
type polled struct {
	Records  []pythonRecord
	Assigned []int32
}

func (m *pythonMember) run(t *testing.T) {
	defer close(m.done)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		var now polled
		if err := m.p.call("poll", map[string]any{"id": m.id}, &now); err != nil {
			t.Error(err)
			return
		}
		m.take(now)
		select {
		case <-m.quit:
			return
		case <-tick.C:
		}
	}
}

func (m *pythonMember) take(now polled) {
	for _, r := range fromPython(now.Records) {
		m.got(r)
	}
	m.set(now.Assigned)
}

func (m *pythonMember) leave(t *testing.T) {
	m.once.Do(func() {
		close(m.quit)
		<-m.done
		var last polled
		if err := m.p.call("leave", map[string]any{"id": m.id}, &last); err != nil {
			t.Error(err)
			return
		}
		m.take(last)
	})
}

// pythonTransactor speaks the older generation of the transaction protocol (TV1).
type pythonTransactor struct {
	p  *python
	id string
}

func (x *pythonTransactor) begin(t *testing.T) {
	t.Helper()
	x.p.must(t, "begin", map[string]any{"id": x.id}, nil)
}

func (x *pythonTransactor) send(t *testing.T, topic string, records ...record) {
	t.Helper()
	x.p.must(t, "transaction_send", map[string]any{"id": x.id, "topic": topic, "records": toPython(records)}, nil)
}

func (x *pythonTransactor) offsets(t *testing.T, group, topic string, next int64) {
	t.Helper()
	x.p.must(t, "transaction_offsets", map[string]any{"id": x.id, "group": group, "topic": topic, "next": next}, nil)
}

func (x *pythonTransactor) end(t *testing.T, commit bool) {
	t.Helper()
	x.p.must(t, "end", map[string]any{"id": x.id, "commit": commit}, nil)
}

func (x *pythonTransactor) close() {
	// It may have been fenced, which closing reports.
	_ = x.p.call("close", map[string]any{"id": x.id}, nil)
}
