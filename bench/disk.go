package main

import (
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"time"
)

// fdatasync appends size bytes to a file and syncs them, again and again, and
// returns the median time of one round and the rate in bytes per second.
func fdatasync(dir string, size int, d time.Duration) (median time.Duration, rate float64, err error) {
	f, err := os.Create(filepath.Join(dir, "fdatasync"))
	if err != nil {
		return 0, 0, err
	}
	defer os.Remove(f.Name())
	defer f.Close()
	block := make([]byte, size)
	var rounds []time.Duration
	start := time.Now()
	for time.Since(start) < d {
		t := time.Now()
		if _, err := f.Write(block); err != nil {
			return 0, 0, err
		}
		if err := syscall.Fdatasync(int(f.Fd())); err != nil {
			return 0, 0, err
		}
		rounds = append(rounds, time.Since(t))
	}
	total := time.Since(start)
	return percentile(rounds, 0.5), float64(len(rounds)*size) / total.Seconds(), nil
}

// percentile sorts d and returns the value below which the fraction p lies.
func percentile(d []time.Duration, p float64) time.Duration {
	if len(d) == 0 {
		return 0
	}
	slices.Sort(d)
	return d[min(len(d)-1, int(p*float64(len(d))))]
}
