//go:build race

package protobuf_test

// raced is 1 when the race detector looks on.
const raced = 1
