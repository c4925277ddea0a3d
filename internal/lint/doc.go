// Package lint holds the project's own rules as tests: which package may import
// which, what is banned, what has to be documented and how long a function may
// become. `make lint` runs it beside go vet.
package lint
