// Package vfs is the dozen file operations that the log uses, so that tests can run it on a memory file system that
// loses power ([NewMem]) or on one that returns errors ([Fault]). [OS] is the real one.
//
// What is durable when follows POSIX and no more: [File.Sync] makes the bytes and the size of that file durable,
// [FS.SyncDir] makes the entries of that directory durable (created, renamed and removed names). Neither implies the
// other. A rename within a directory survives a power cut as a whole or not at all, as on every file system with a journal.
// After an error from Sync the content on disk is unknown and a second Sync proves nothing.
package vfs

import (
	"errors"
	"io"
	"time"
)

// ErrLocked is returned by [FS.Lock] when another holder has the lock.
var ErrLocked = errors.New("locked by another process")

// Flag selects how [FS.OpenFile] opens a file. The zero value opens an existing file for reading and writing.
type Flag uint8

// The flags of [FS.OpenFile].
const (
	// Create makes the file when it is missing.
	Create Flag = 1 << iota
	// Truncate empties the file.
	Truncate
	// ReadOnly opens without the right to write.
	ReadOnly
	// Private makes a file that Create creates readable by its owner only.
	Private
)

// File is an open file. All methods may be called concurrently.
type File interface {
	io.ReaderAt
	io.WriterAt
	io.Closer
	// Truncate changes the size in bytes. Not durable before Sync.
	Truncate(size int64) error
	// Sync returns after the bytes written before the call, and the size, are durable (fdatasync).
	Sync() error
	// Size is the current length in bytes.
	Size() (int64, error)
}

// Volume is everything that is stored together with a directory.
type Volume interface {
	io.Closer
	// Sync returns after what was written before the call to any file of the volume is durable, as File.Sync of each would. An
	// error may be about any file of the volume; File.Sync of a file still tells whether it is about that file.
	Sync() error
}

// Info describes a file or directory.
type Info struct {
	Name    string // base name
	Size    int64  // bytes; unspecified for a directory
	ModTime time.Time
	Dir     bool
}

// FS is a file system. Names are slash or OS separated paths; errors wrap the io/fs sentinels (fs.ErrNotExist, ...).
type FS interface {
	// OpenFile opens name. A file it creates has a durable name only after SyncDir of its directory.
	OpenFile(name string, flag Flag) (File, error)
	// Rename moves a file or directory, replacing a file that has the new name.
	Rename(oldName, newName string) error
	// Remove deletes a file or an empty directory.
	Remove(name string) error
	// RemoveAll deletes a tree. A missing name is no error.
	RemoveAll(name string) error
	// MkdirAll creates a directory and its parents. Existing ones are no error.
	MkdirAll(name string) error
	// ReadDir lists a directory, sorted by name. Size and ModTime of the entries are set.
	ReadDir(name string) ([]Info, error)
	// Stat describes one name.
	Stat(name string) (Info, error)
	// SyncDir makes the entries of a directory durable.
	SyncDir(name string) error
	// OpenVolume opens the volume that a directory is on, or returns an error that is errors.ErrUnsupported where syncing the
	// whole volume is not known to be as good as syncing each file.
	OpenVolume(dir string) (Volume, error)
	// Usage returns the size in bytes of the volume that a directory is on, and how much of it this user can still fill.
	Usage(dir string) (total, usable int64, err error)
	// Lock takes an exclusive lock on a file that it creates, or returns ErrLocked. Close of the result releases it.
	Lock(name string) (io.Closer, error)
}
