package vfs

import "io"

// Op is the kind of a file operation.
type Op string

// The operations that [Fault] tells apart.
const (
	OpOpen     Op = "open"
	OpCreate   Op = "create" // OpenFile with Create
	OpRead     Op = "read"
	OpWrite    Op = "write"
	OpTruncate Op = "truncate"
	OpSync     Op = "sync"
	OpSyncDir  Op = "syncdir"
	OpRename   Op = "rename"
	OpRemove   Op = "remove" // RemoveAll too
	OpMkdir    Op = "mkdir"
	OpReadDir  Op = "readdir"
	OpStat     Op = "stat"
	OpLock     Op = "lock"
)

// ShortWrite, as the error of an injection, writes only the first N bytes and then returns Err.
type ShortWrite struct {
	N   int
	Err error
}

func (s *ShortWrite) Error() string { return "short write: " + s.Err.Error() }
func (s *ShortWrite) Unwrap() error { return s.Err }

// Fault passes every operation on to FS unless Inject returns an error for it. Inject is called before the operation,
// from any goroutine, with the name (the old one of a rename); it may block to make the disk slow.
type Fault struct {
	FS
	Inject func(op Op, name string) error
}

// OpenFile implements [FS].
func (f *Fault) OpenFile(name string, flag Flag) (File, error) {
	op := OpOpen
	if flag&Create != 0 {
		op = OpCreate
	}
	if err := f.Inject(op, name); err != nil {
		return nil, pathError("open", name, err)
	}
	file, err := f.FS.OpenFile(name, flag)
	if err != nil {
		return nil, err
	}
	return &faultFile{file, f, name}, nil
}

// Rename implements [FS].
func (f *Fault) Rename(oldName, newName string) error {
	if err := f.Inject(OpRename, oldName); err != nil {
		return pathError("rename", oldName, err)
	}
	return f.FS.Rename(oldName, newName)
}

// Remove implements [FS].
func (f *Fault) Remove(name string) error {
	if err := f.Inject(OpRemove, name); err != nil {
		return pathError("remove", name, err)
	}
	return f.FS.Remove(name)
}

// RemoveAll implements [FS].
func (f *Fault) RemoveAll(name string) error {
	if err := f.Inject(OpRemove, name); err != nil {
		return pathError("remove", name, err)
	}
	return f.FS.RemoveAll(name)
}

// MkdirAll implements [FS].
func (f *Fault) MkdirAll(name string) error {
	if err := f.Inject(OpMkdir, name); err != nil {
		return pathError("mkdir", name, err)
	}
	return f.FS.MkdirAll(name)
}

// ReadDir implements [FS].
func (f *Fault) ReadDir(name string) ([]Info, error) {
	if err := f.Inject(OpReadDir, name); err != nil {
		return nil, pathError("readdir", name, err)
	}
	return f.FS.ReadDir(name)
}

// Stat implements [FS].
func (f *Fault) Stat(name string) (Info, error) {
	if err := f.Inject(OpStat, name); err != nil {
		return Info{}, pathError("stat", name, err)
	}
	return f.FS.Stat(name)
}

// SyncDir implements [FS].
func (f *Fault) SyncDir(name string) error {
	if err := f.Inject(OpSyncDir, name); err != nil {
		return pathError("sync", name, err)
	}
	return f.FS.SyncDir(name)
}

// Lock implements [FS].
func (f *Fault) Lock(name string) (io.Closer, error) {
	if err := f.Inject(OpLock, name); err != nil {
		return nil, pathError("lock", name, err)
	}
	return f.FS.Lock(name)
}

// faultFile is a file opened through a Fault.
type faultFile struct {
	File
	fs   *Fault
	name string
}

func (f *faultFile) ReadAt(b []byte, off int64) (int, error) {
	if err := f.fs.Inject(OpRead, f.name); err != nil {
		return 0, pathError("read", f.name, err)
	}
	return f.File.ReadAt(b, off)
}

func (f *faultFile) WriteAt(b []byte, off int64) (int, error) {
	err := f.fs.Inject(OpWrite, f.name)
	if short, ok := err.(*ShortWrite); ok {
		n, werr := f.File.WriteAt(b[:min(short.N, len(b))], off)
		if werr != nil {
			return n, werr
		}
		return n, pathError("write", f.name, short.Err)
	}
	if err != nil {
		return 0, pathError("write", f.name, err)
	}
	return f.File.WriteAt(b, off)
}

func (f *faultFile) Truncate(size int64) error {
	if err := f.fs.Inject(OpTruncate, f.name); err != nil {
		return pathError("truncate", f.name, err)
	}
	return f.File.Truncate(size)
}

func (f *faultFile) Sync() error {
	if err := f.fs.Inject(OpSync, f.name); err != nil {
		return pathError("sync", f.name, err)
	}
	return f.File.Sync()
}
