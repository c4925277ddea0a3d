//go:build !linux

package vfs

import "os"

// datasync is the strongest sync that package os offers (F_FULLFSYNC on macOS).
func datasync(f *os.File) error { return f.Sync() }
