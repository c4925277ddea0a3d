package vfs

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"math/rand/v2"
	"path/filepath"
	"syscall"
	"testing"
)

// both runs a test on the operating system and in memory: they must behave the same.
func both(t *testing.T, f func(t *testing.T, fsys FS, dir string)) {
	t.Run("os", func(t *testing.T) { f(t, OS, t.TempDir()) })
	t.Run("mem", func(t *testing.T) { f(t, NewMem(), "x") })
}

func write(t *testing.T, fsys FS, name, data string) File {
	t.Helper()
	f, err := fsys.OpenFile(name, Create)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteAt([]byte(data), 0); err != nil {
		t.Fatal(err)
	}
	return f
}

func read(t *testing.T, fsys FS, name string) string {
	t.Helper()
	f, err := fsys.OpenFile(name, ReadOnly)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	n, err := f.Size()
	if err != nil {
		t.Fatal(err)
	}
	b := make([]byte, n)
	if _, err := f.ReadAt(b, 0); err != nil && err != io.EOF {
		t.Fatal(err)
	}
	return string(b)
}

func TestFiles(t *testing.T) {
	both(t, func(t *testing.T, fsys FS, dir string) {
		sub := filepath.Join(dir, "a", "b")
		if err := fsys.MkdirAll(sub); err != nil {
			t.Fatal(err)
		}
		name := filepath.Join(sub, "f")
		if _, err := fsys.OpenFile(name, 0); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("open missing: %v", err)
		}
		f := write(t, fsys, name, "hello world")
		if _, err := f.WriteAt([]byte("!"), 14); err != nil {
			t.Fatal(err)
		}
		if got, want := read(t, fsys, name), "hello world\x00\x00\x00!"; got != want {
			t.Errorf("got %q, want %q", got, want)
		}
		if err := f.Truncate(5); err != nil {
			t.Fatal(err)
		}
		if err := f.Truncate(7); err != nil {
			t.Fatal(err)
		}
		if got, want := read(t, fsys, name), "hello\x00\x00"; got != want {
			t.Errorf("after truncation: got %q, want %q", got, want)
		}
		b := make([]byte, 4)
		if n, err := f.ReadAt(b, 5); n != 2 || err != io.EOF {
			t.Errorf("read at the end: %d, %v", n, err)
		}
		if err := errors.Join(f.Sync(), fsys.SyncDir(sub), f.Close()); err != nil {
			t.Error(err)
		}
		moved := filepath.Join(dir, "g")
		if err := fsys.Rename(name, moved); err != nil {
			t.Fatal(err)
		}
		infos, err := fsys.ReadDir(dir)
		if err != nil || len(infos) != 2 || infos[0].Name != "a" || !infos[0].Dir || infos[1].Name != "g" || infos[1].Size != 7 {
			t.Errorf("ReadDir: %+v, %v", infos, err)
		}
		if err := fsys.Remove(filepath.Join(dir, "a")); err == nil {
			t.Error("removed a directory that is not empty")
		}
		if err := errors.Join(fsys.Remove(moved), fsys.RemoveAll(filepath.Join(dir, "a")), fsys.RemoveAll(filepath.Join(dir, "a"))); err != nil {
			t.Error(err)
		}
		if _, err := fsys.Stat(moved); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("stat removed: %v", err)
		}
	})
}

func TestLock(t *testing.T) {
	both(t, func(t *testing.T, fsys FS, dir string) {
		if err := fsys.MkdirAll(dir); err != nil {
			t.Fatal(err)
		}
		name := filepath.Join(dir, ".lock")
		l, err := fsys.Lock(name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := fsys.Lock(name); !errors.Is(err, ErrLocked) {
			t.Errorf("second lock: %v, want ErrLocked", err)
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		if _, err := fsys.Lock(name); err != nil {
			t.Errorf("lock after release: %v", err)
		}
	})
}

// TestCrashClone pins what a power cut may take and what not.
func TestCrashClone(t *testing.T) {
	synced := bytes.Repeat([]byte("s"), 3*SectorSize)
	written := bytes.Repeat([]byte("w"), 6*SectorSize)
	kept, lost, mixed := 0, 0, 0
	for seed := range uint64(200) {
		m := NewMem()
		if err := m.MkdirAll("d"); err != nil {
			t.Fatal(err)
		}
		f := write(t, m, "d/f", string(synced))
		if err := errors.Join(f.Sync(), m.SyncDir("d"), m.SyncDir(".")); err != nil {
			t.Fatal(err)
		}
		if _, err := f.WriteAt(written, int64(len(synced))); err != nil {
			t.Fatal(err)
		}
		write(t, m, "d/new", "x")
		c := m.CrashClone(rand.New(rand.NewPCG(seed, 0)), 0.5)
		got := read(t, c, "d/f")
		if len(got) < len(synced) || got[:len(synced)] != string(synced) {
			t.Fatalf("seed %d: synced bytes are lost", seed)
		}
		tail := got[len(synced):]
		w, z := bytes.Count([]byte(tail), []byte("w")), bytes.Count([]byte(tail), []byte{0})
		if w+z != len(tail) {
			t.Fatalf("seed %d: bytes that were never written", seed)
		}
		if w > 0 && z > 0 {
			mixed++
		}
		if _, err := c.Stat("d/new"); err == nil {
			kept++
		} else {
			lost++
		}
		if again := read(t, c.CrashClone(rand.New(rand.NewPCG(seed, 1)), 0), "d/f"); again != got {
			t.Fatalf("seed %d: what survived one power cut did not survive the next", seed)
		}
	}
	if kept == 0 || lost == 0 || mixed == 0 {
		t.Errorf("kept %d, lost %d names, %d torn tails: want some of each", kept, lost, mixed)
	}
	m := NewMem()
	write(t, m, "f", "abc")
	if _, err := m.CrashClone(rand.New(rand.NewPCG(0, 0)), 0).Stat("f"); err == nil {
		t.Error("an unsynced name survived with keep 0")
	}
}

func TestFault(t *testing.T) {
	eio := syscall.EIO
	fault := map[Op]error{}
	fsys := &Fault{FS: NewMem(), Inject: func(op Op, _ string) error { return fault[op] }}
	f := write(t, fsys, "f", "abc")
	for op, do := range map[Op]func() error{
		OpOpen:     func() error { _, err := fsys.OpenFile("f", 0); return err },
		OpCreate:   func() error { _, err := fsys.OpenFile("g", Create); return err },
		OpRead:     func() error { _, err := f.ReadAt(make([]byte, 1), 0); return err },
		OpWrite:    func() error { _, err := f.WriteAt([]byte("x"), 0); return err },
		OpTruncate: func() error { return f.Truncate(3) },
		OpSync:     f.Sync,
		OpSyncDir:  func() error { return fsys.SyncDir(".") },
		OpRename:   func() error { return fsys.Rename("f", "f") },
		OpRemove:   func() error { return fsys.RemoveAll("nothing") },
		OpMkdir:    func() error { return fsys.MkdirAll("d") },
		OpReadDir:  func() error { _, err := fsys.ReadDir("."); return err },
		OpStat:     func() error { _, err := fsys.Stat("f"); return err },
		OpLock:     func() error { _, err := fsys.Lock("l"); return err },
	} {
		if err := do(); err != nil {
			t.Errorf("%s without a fault: %v", op, err)
		}
		fault[op] = eio
		if err := do(); !errors.Is(err, eio) {
			t.Errorf("%s: %v, want EIO", op, err)
		}
		delete(fault, op)
	}
	fault[OpWrite] = &ShortWrite{N: 2, Err: syscall.ENOSPC}
	if n, err := f.WriteAt([]byte("12345"), 10); n != 2 || !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("short write: %d, %v", n, err)
	}
	if size, _ := f.Size(); size != 12 {
		t.Errorf("size after the short write is %d, want 12", size)
	}
}

// TestRenameIsWhole cuts the power after a rename: one of the names is there, with the file.
func TestRenameIsWhole(t *testing.T) {
	seen := map[string]bool{}
	for seed := range uint64(50) {
		m := NewMem()
		f, err := m.OpenFile("a", Create)
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(f.Sync(), m.SyncDir(""), m.Rename("a", "b"), m.Rename("b", "c")); err != nil {
			t.Fatal(err)
		}
		infos, err := m.CrashClone(rand.New(rand.NewPCG(seed, 0)), 0.5).ReadDir("")
		if err != nil || len(infos) != 1 {
			t.Fatalf("seed %d: %v, %v", seed, infos, err)
		}
		seen[infos[0].Name] = true
	}
	if !seen["a"] || !seen["c"] || len(seen) != 2 {
		t.Errorf("names after the cuts are %v, want a and c", seen)
	}
}
