//go:build !linux

package vfs

import (
	"errors"
	"os"
)

// datasync is the strongest sync that package os offers (F_FULLFSYNC on macOS).
func datasync(f *os.File) error { return f.Sync() }

// Usage is supported on Linux only.
func (osFS) Usage(string) (total, usable int64, err error) { return 0, 0, errors.ErrUnsupported }

// OpenVolume is supported on Linux only.
func (osFS) OpenVolume(string) (Volume, error) { return nil, errors.ErrUnsupported }
