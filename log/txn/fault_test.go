package txn

import (
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/sluice-data/sluice/internal/vfs"
	"github.com/sluice-data/sluice/log"
)

// disk is a memory file system whose syncs can be held back and whose writes can
// fail, by directory.
type disk struct {
	vfs.Fault
	mem *vfs.Mem

	mu   sync.Mutex               // guards the fields below
	held map[string]chan struct{} // by part of the path: syncs wait for the channel
	full string                   // part of the path: no space; "": nowhere
}

func newDisk() *disk {
	d := &disk{mem: vfs.NewMem(), held: map[string]chan struct{}{}}
	d.Fault = vfs.Fault{FS: d.mem, Inject: d.inject}
	return d
}

func (d *disk) inject(op vfs.Op, name string) error {
	if !strings.HasSuffix(name, ".log") {
		return nil
	}
	d.mu.Lock()
	var gate chan struct{}
	for part, g := range d.held {
		if op == vfs.OpSync && strings.Contains(name, part) {
			gate = g
		}
	}
	full := op == vfs.OpWrite && d.full != "" && strings.Contains(name, d.full)
	d.mu.Unlock()
	if gate != nil {
		<-gate
	}
	if full {
		return syscall.ENOSPC
	}
	return nil
}

// hold makes syncs wait until release.
func (d *disk) hold(part string) (release func()) {
	d.mu.Lock()
	defer d.mu.Unlock()
	gate := make(chan struct{})
	d.held[part] = gate
	return func() {
		d.mu.Lock()
		delete(d.held, part)
		d.mu.Unlock()
		close(gate)
		synctest.Wait()
	}
}

func (d *disk) fill(part string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.full = part
}

// damage flips a byte of a partition's records.
func (d *disk) damage(t *testing.T, partition string) (repair func()) {
	t.Helper()
	f, err := d.mem.OpenFile("/data/"+partition+"/00000000000000000000.log", 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	const at = 63
	var b [1]byte
	if _, err := f.ReadAt(b[:], at); err != nil {
		t.Fatal(err)
	}
	for _, c := range []byte{^b[0]} {
		if _, err := f.WriteAt([]byte{c}, at); err != nil {
			t.Fatal(err)
		}
	}
	return func() {
		f, err := d.mem.OpenFile("/data/"+partition+"/00000000000000000000.log", 0)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		if _, err := f.WriteAt(b[:], at); err != nil {
			t.Fatal(err)
		}
	}
}

// onDisk is bubble with a disk.
func onDisk(t *testing.T, f func(t *testing.T, x *fixture, d *disk)) {
	t.Helper()
	d := newDisk()
	bubbleOn(t, func() vfs.FS { return d }, Config{}, func(t *testing.T, x *fixture) { f(t, x, d) })
}

// stateDir is the directory with the state of an id.
func stateDir(id string) string {
	return "/" + StateTopic + "-" + string('0'+rune(log.PartitionFor(id, 3))) + "/"
}

// No answer before the decision is durable, no marker before that either, and no
// next transaction before the markers are (I1, I2).
func TestOrderOfDurability(t *testing.T) {
	onDisk(t, func(t *testing.T, x *fixture, d *disk) {
		p := x.init("x")
		x.mustWrite(p, 0, 0, "a")
		tp := TopicPartition{"t", 0}
		end := x.partition(tp).EndOffset()

		release := d.hold(stateDir("x"))
		answered := make(chan Producer, 1)
		go func() { answered <- x.end(p, true) }()
		synctest.Wait()
		if len(answered) > 0 || x.partition(tp).EndOffset() != end {
			t.Errorf("before the decision is durable: answered %v, log end offset %d, want %d", len(answered) > 0, x.partition(tp).EndOffset(), end)
		}
		releaseData := d.hold("/t-0/")
		release()
		if len(answered) == 0 || x.partition(tp).EndOffset() != end+1 {
			t.Errorf("with a durable decision: answered %v, log end offset %d, want %d", len(answered) > 0, x.partition(tp).EndOffset(), end+1)
		}
		x.wantState("x", PrepareCommit, 0)
		next := <-answered
		x.wantErr("next transaction before the marker is durable", x.write(next, TopicPartition{"t", 1}, 0, "b", true), kerr.ConcurrentTransactions)
		x.wantErr("a zombie's", x.write(p, TopicPartition{"t", 1}, 0, "b", true), kerr.ProducerFenced)
		x.wantCommitted(nil)
		releaseData()
		x.wantState("x", CompleteCommit)
		x.wantCommitted([]string{"a"})
	})
}

// A write is answered when it is durable that its partition is part of the
// transaction. Records and that share a sync round: nothing waits for two.
func TestWritesWaitForTheirPartition(t *testing.T) {
	onDisk(t, func(t *testing.T, x *fixture, d *disk) {
		p := x.init("x")
		tp := TopicPartition{"t", 0}
		topic, _ := x.EnsureTopic()
		state, _ := topic.Partition(log.PartitionFor("x", 3))
		a, err := x.Admit(t.Context(), p, []TopicPartition{{"t", 1}}, true)
		if err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if state.HighWatermark() == state.EndOffset() {
			t.Error("the record that adds a partition has a sync round of its own")
		}
		a.Leave()
		release := d.hold(stateDir("x"))
		written := make(chan error, 1)
		go func() { written <- x.write(p, tp, 0, "a", true) }()
		synctest.Wait()
		if len(written) > 0 || x.partition(tp).HighWatermark() != 1 {
			t.Errorf("answered %v, high watermark %d, want no answer and 1", len(written) > 0, x.partition(tp).HighWatermark())
		}
		release()
		x.wantErr("write", <-written, nil)
	})
}

// A full disk makes the decision fail without a trace, and markers wait.
func TestFullDisk(t *testing.T) {
	onDisk(t, func(t *testing.T, x *fixture, d *disk) {
		p, other := x.init("x"), x.init("other")
		x.mustWrite(p, 0, 0, "a")
		x.mustWrite(p, 1, 0, "b")
		d.fill(stateDir("x"))
		_, err := x.End(t.Context(), p, true, true)
		x.wantErr("end", err, log.ErrFull)
		x.wantErr("write to a new partition", x.write(p, TopicPartition{"t", 2}, 0, "c", true), log.ErrFull)
		_, err = x.Init(t.Context(), InitRequest{TransactionalID: "x", TimeoutMs: 1})
		x.wantErr("init", err, log.ErrFull)
		x.wantState("x", Ongoing, 0, 1)

		d.fill("/t-0/")
		x.end(p, true)
		synctest.Wait()
		x.wantState("x", PrepareCommit, 0, 1)
		x.wantCommitted(nil, []string{"b"})
		x.mustWrite(other, 1, 0, "c") // the others go on
		x.end(other, true)
		d.fill("")
		pass(time.Minute)
		x.wantState("x", CompleteCommit)
		x.wantCommitted([]string{"a"}, []string{"b", "c"})
	})
}

// A partition that is gone holds up nothing; one that is offline holds up its
// transaction, over a restart too, until it is repaired.
func TestPartitionsThatCannotBeWritten(t *testing.T) {
	onDisk(t, func(t *testing.T, x *fixture, d *disk) {
		x.topic("gone", 1)
		p := x.init("x")
		x.mustWrite(p, 0, 0, "a")
		x.wantErr("write", x.write(p, TopicPartition{"gone", 0}, 0, "lost", true), nil)
		if err := x.log.DeleteTopic("gone"); err != nil {
			t.Fatal(err)
		}
		p = x.end(p, true)
		synctest.Wait()
		x.wantState("x", CompleteCommit)

		x.mustWrite(p, 0, 0, "b")
		x.mustWrite(p, 1, 0, "c")
		repair := d.damage(t, "t-1")
		part := x.partition(TopicPartition{"t", 1})
		if _, err := part.Read(nil, 0, 1<<20, part.HighWatermark()); err == nil || part.Err() == nil {
			t.Fatalf("the partition is not offline: %v", err)
		}
		p = x.end(p, true)
		other := x.init("other")
		x.mustWrite(other, 0, 0, "d")
		x.end(other, true)
		for range 2 {
			pass(time.Minute)
			x.wantState("x", PrepareCommit, 0, 1)
			x.wantErr("next transaction", x.write(p, TopicPartition{"t", 0}, 0, "e", true), kerr.ConcurrentTransactions)
			x.wantCommitted([]string{"a", "b", "d"})
			x.reopen()
		}
		x.close()
		repair()
		x.open()
		synctest.Wait()
		x.wantState("x", CompleteCommit)
		if got := committed(t, x.partition(TopicPartition{"t", 1})); len(got) != 1 || got[0] != "c" {
			t.Errorf("committed in the repaired partition: %q", got)
		}
	})
}

// append writes to a partition behind the coordinator's back.
func (x *fixture) append(p Producer, partition int32, value string) {
	x.t.Helper()
	part := x.partition(TopicPartition{"t", partition})
	res, err := part.Append(data(x.t, p, 0, value), log.AppendOptions{})
	if err == nil {
		err = part.WaitDurable(x.t.Context(), res.LastOffset)
	}
	if err != nil {
		x.t.Fatal(err)
	}
}

// store stores the state of an id behind the coordinator's back.
func (x *fixture) store(id string, m metadata) {
	x.t.Helper()
	w, err := x.Coordinator.store.append(id, encodeValue(m))
	if err == nil {
		err = w.wait()
	}
	if err != nil {
		x.t.Fatal(err)
	}
}

// After a crash every open transaction is part of an id's transaction, or aborted.
func TestReconcile(t *testing.T) {
	bubble(t, func(t *testing.T, x *fixture) {
		lost := x.init("lost record")
		x.append(lost, 0, "a")
		x.append(Producer{"nobody's", 4711, 3}, 0, "orphan")
		old := x.init("old epoch")
		x.append(old, 1, "orphan")
		if _, err := x.Init(t.Context(), InitRequest{"old epoch", 1000, &old}); err != nil {
			t.Fatal(err)
		}
		// decided, and not complete on disk when the next transaction began
		ongoing := in(Ongoing, 5, 2)
		ongoing.producerID = 1001
		decided, err := ongoing.prepare(true, true, noID, testNow)
		if err != nil {
			t.Fatal(err)
		}
		x.store("next", decided)
		x.append(Producer{"next", 1001, 6}, 3, "next")
		// decided by a client of version 1, no marker yet
		ongoing = in(Ongoing, 5, 2)
		ongoing.producerID = 1002
		if decided, err = ongoing.prepare(true, false, noID, testNow); err != nil {
			t.Fatal(err)
		}
		x.store("version 1", decided)
		x.append(Producer{"version 1", 1002, 5}, 2, "v1")

		x.reopen()
		synctest.Wait()
		x.wantState("lost record", Ongoing, 0)
		x.wantState("next", Ongoing, 3)
		x.wantState("version 1", CompleteCommit)
		x.wantCommitted(nil, nil, []string{"v1"}, nil)
		x.end(lost, true)
		x.end(Producer{"next", 1001, 6}, true)
		synctest.Wait()
		x.wantCommitted([]string{"a"}, nil, []string{"v1"}, []string{"next"})
		for i := range int32(4) {
			if p := x.partition(TopicPartition{"t", i}); p.LastStableOffset() != p.HighWatermark() {
				t.Errorf("partition %d: last stable offset %d, high watermark %d", i, p.LastStableOffset(), p.HighWatermark())
			}
		}
	})
}

// While a part of the state cannot be read, its ids are not available, and what
// may be theirs stays open.
func TestDamagedState(t *testing.T) {
	onDisk(t, func(t *testing.T, x *fixture, d *disk) {
		p := x.init("x")
		x.mustWrite(p, 0, 0, "a")
		other := x.init("y")
		if stateDir("x") == stateDir("y") {
			t.Fatal("both ids are in one partition")
		}
		x.close()
		repair := d.damage(t, strings.Trim(stateDir("x"), "/"))
		x.open()
		synctest.Wait()
		for range 2 {
			_, err := x.End(t.Context(), p, true, true)
			x.wantErr("end", err, kerr.CoordinatorNotAvailable)
			_, err = x.Init(t.Context(), InitRequest{TransactionalID: "x", TimeoutMs: 1})
			x.wantErr("init", err, kerr.CoordinatorNotAvailable)
		}
		x.mustWrite(other, 1, 0, "b")
		x.end(other, true)
		synctest.Wait()
		x.wantCommitted(nil, []string{"b"})
		x.close()
		repair()
		x.open()
		x.end(p, true)
		synctest.Wait()
		x.wantCommitted([]string{"a"}, []string{"b"})
	})
}

// An operator ends a transaction that the coordinator cannot end.
func TestWriteMarkers(t *testing.T) {
	bubble(t, func(t *testing.T, x *fixture) {
		hanging := Producer{"", 4711, 3}
		x.append(hanging, 0, "a")
		tps := []TopicPartition{{"t", 0}, {"none", 0}, {"t", 9}}
		errs := x.WriteMarkers(log.Marker{ProducerID: 4711, ProducerEpoch: 2}, tps[:1])
		x.wantErr("older epoch", errs[0], log.ErrInvalidProducerEpoch)
		errs = x.WriteMarkers(log.Marker{ProducerID: 4711, ProducerEpoch: 3, Commit: true}, tps)
		x.wantErr("marker", errs[0], nil)
		x.wantErr("no topic", errs[1], log.ErrTopicNotFound)
		x.wantErr("no partition", errs[2], log.ErrTopicNotFound)
		x.wantCommitted([]string{"a"})
	})
}
