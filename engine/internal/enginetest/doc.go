// Package enginetest runs workers on an in-memory cluster for tests, with
// connectors that do what a test tells them.
package enginetest
