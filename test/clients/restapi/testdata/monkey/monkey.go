// Package monkey stands for bou.ke/monkey, which only the tests of a client import
// and no proxy serves: go mod tidy wants it to exist.
package monkey
