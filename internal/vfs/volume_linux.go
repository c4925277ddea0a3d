package vfs

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// osVolume is a directory of the volume, open since before the writes that Sync is about: the kernel reports a write-back
// error of the volume once to each open description.
type osVolume struct{ dir *os.File }

// OpenVolume supports ext4 and XFS, whose syncfs waits for the data and flushes the disk's cache, on Linux 5.8 and later,
// where syncfs returns write-back errors (commit 735e4ae5ba28).
func (osFS) OpenVolume(dir string) (Volume, error) {
	d, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	if err := canSyncVolume(d); err != nil {
		return nil, errors.Join(err, d.Close())
	}
	return osVolume{d}, nil
}

// Usage implements [FS].
func (osFS) Usage(dir string) (total, usable int64, err error) {
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return 0, 0, &os.PathError{Op: "statfs", Path: dir, Err: err}
	}
	return int64(st.Blocks) * int64(st.Bsize), int64(st.Bavail) * int64(st.Bsize), nil
}

func canSyncVolume(d *os.File) error {
	var st unix.Statfs_t
	if err := unix.Fstatfs(int(d.Fd()), &st); err != nil {
		return &os.PathError{Op: "fstatfs", Path: d.Name(), Err: err}
	}
	if st.Type != unix.EXT4_SUPER_MAGIC && st.Type != unix.XFS_SUPER_MAGIC {
		return fmt.Errorf("file system type %#x: %w", st.Type, errors.ErrUnsupported)
	}
	var u unix.Utsname
	if err := unix.Uname(&u); err != nil {
		return os.NewSyscallError("uname", err)
	}
	var major, minor int
	release := unix.ByteSliceToString(u.Release[:])
	if n, _ := fmt.Sscanf(release, "%d.%d", &major, &minor); n != 2 || major < 5 || major == 5 && minor < 8 {
		return fmt.Errorf("kernel %s: %w", release, errors.ErrUnsupported)
	}
	return nil
}

func (v osVolume) Sync() error {
	for {
		if err := unix.Syncfs(int(v.dir.Fd())); err != unix.EINTR {
			return os.NewSyscallError("syncfs", err)
		}
	}
}

func (v osVolume) Close() error { return v.dir.Close() }
