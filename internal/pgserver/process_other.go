//go:build !linux

package pgserver

import "syscall"

// endWithParent does nothing: there is no such thing here.
func endWithParent(*syscall.SysProcAttr) {}

// descendants are not known here; they end by themselves without their postmaster.
func descendants(int) []int { return nil }

func zombie(int) bool { return true }
