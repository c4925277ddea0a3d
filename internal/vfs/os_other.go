//go:build !linux

package vfs

import (
	"errors"
	"os"
)

// datasync is the strongest sync that package os offers (F_FULLFSYNC on macOS).
func datasync(f *os.File) error { return f.Sync() }

// OpenVolume is supported on Linux only.
func (osFS) OpenVolume(string) (Volume, error) { return nil, errors.ErrUnsupported }
