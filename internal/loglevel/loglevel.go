// Package loglevel gives every logger a level of its own that can be changed
// while it logs, in the manner of Log4j.
//
// Loggers have names with dots and form a tree: a logger without a level of its
// own has that of the longest name above it, "root" in the end. A slog.Logger
// takes a name with the attribute Key:
//
//	logger.With(loglevel.Key, "io.confluent.connect.s3.S3SinkConnector")
package loglevel

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Key is the attribute that names a logger.
const Key = "logger"

// Root is the name of the logger above all others.
const Root = "root"

// maxLoggers bounds the names that users can make up (I5).
const maxLoggers = 10000

// The levels of Log4j that slog has no name for.
const (
	Trace slog.Level = slog.LevelDebug - 4
	Fatal slog.Level = slog.LevelError + 4
	All   slog.Level = -1 << 30
	Off   slog.Level = 1 << 30
)

var names = map[slog.Level]string{All: "ALL", Trace: "TRACE", slog.LevelDebug: "DEBUG", slog.LevelInfo: "INFO",
	slog.LevelWarn: "WARN", slog.LevelError: "ERROR", Fatal: "FATAL", Off: "OFF"}

// Parse reads the name of a level in any case.
func Parse(name string) (level slog.Level, ok bool) {
	for l, n := range names {
		if strings.EqualFold(n, name) {
			return l, true
		}
	}
	return 0, false
}

// Name returns the name of a level, as Log4j has it.
func Name(l slog.Level) string {
	if n, ok := names[l]; ok {
		return n
	}
	return l.String()
}

// Levels are the levels of all loggers of a process. Its methods may be called
// by any number of goroutines.
type Levels struct {
	mu      sync.Mutex // guards the fields below
	loggers map[string]*node
}

// node is one logger.
type node struct {
	name string
	// effective is what the handlers look at.
	effective atomic.Int64
	own       *slog.Level // nil: that of the logger above
	modified  time.Time   // zero: never
}

// Info is a logger's level and when it was changed last; zero when never.
type Info struct {
	Level    slog.Level
	Modified time.Time
}

// New returns levels whose root has the given one.
func New(root slog.Level) *Levels {
	n := &node{name: Root, own: &root}
	n.effective.Store(int64(root))
	return &Levels{loggers: map[string]*node{Root: n}}
}

// Handler returns a handler that passes on what the loggers' levels let through.
func (l *Levels) Handler(next slog.Handler) slog.Handler {
	return &handler{levels: l, node: l.logger(Root), next: next}
}

// Of returns the levels that a logger's handler was made with, nil when it has
// none.
func Of(logger *slog.Logger) *Levels {
	if h, ok := logger.Handler().(*handler); ok {
		return h.levels
	}
	return nil
}

// logger returns the node of a name, which it makes when it is new. Names beyond
// the bound share the root's.
func (l *Levels) logger(name string) *node {
	l.mu.Lock()
	defer l.mu.Unlock()
	if n := l.loggers[name]; n != nil {
		return n
	}
	if len(l.loggers) >= maxLoggers {
		return l.loggers[Root]
	}
	n := &node{name: name}
	l.loggers[name] = n
	l.inherit(n)
	return n
}

// inherit sets the effective level of a node. The caller holds l.mu.
func (l *Levels) inherit(n *node) {
	level := l.loggers[Root].own
	for name := n.name; name != ""; name = parent(name) {
		if above := l.loggers[name]; above != nil && above.own != nil {
			level = above.own
			break
		}
	}
	n.effective.Store(int64(*level))
}

func parent(name string) string {
	return name[:max(strings.LastIndexByte(name, '.'), 0)]
}

// Set gives a logger and all loggers whose names begin with its name a level, and
// returns their names in order. Root stands for all. It fails when there are too
// many loggers for a new one.
func (l *Levels) Set(name string, level slog.Level) ([]string, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if strings.EqualFold(name, Root) {
		name = Root
	}
	if l.loggers[name] == nil {
		if len(l.loggers) >= maxLoggers {
			return nil, fmt.Errorf("there are %d loggers already; set the level of one of them, or of %s", len(l.loggers), Root)
		}
		l.loggers[name] = &node{name: name}
	}
	var changed []string
	for other, n := range l.loggers {
		if name == Root || strings.HasPrefix(other, name) {
			if n.own == nil || *n.own != level {
				n.modified = time.Now()
			}
			n.own = &level
			n.effective.Store(int64(level))
			changed = append(changed, other)
		}
	}
	slices.Sort(changed)
	return changed, nil
}

// Level returns a logger's level, its own or the one above's.
func (l *Levels) Level(name string) (Info, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if strings.EqualFold(name, Root) {
		name = Root
	}
	n := l.loggers[name]
	if n == nil {
		return Info{}, false
	}
	return n.info(), true
}

func (n *node) info() Info { return Info{slog.Level(n.effective.Load()), n.modified} }

// All returns every logger that was named. Log4j leaves out those without a level
// of their own; here users learn from the list what there is.
func (l *Levels) All() map[string]Info {
	l.mu.Lock()
	defer l.mu.Unlock()
	all := make(map[string]Info)
	for name, n := range l.loggers {
		all[name] = n.info()
	}
	return all
}

// handler lets through what its logger's level allows.
type handler struct {
	levels *Levels
	node   *node
	next   slog.Handler
}

// Enabled implements slog.Handler.
func (h *handler) Enabled(_ context.Context, level slog.Level) bool {
	return int64(level) >= h.node.effective.Load()
}

// Handle implements slog.Handler.
func (h *handler) Handle(ctx context.Context, r slog.Record) error { return h.next.Handle(ctx, r) }

// WithAttrs implements slog.Handler. It takes the logger's name out of attrs.
func (h *handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	c := *h
	rest := make([]slog.Attr, 0, len(attrs))
	for _, a := range attrs {
		if a.Key == Key && a.Value.Kind() == slog.KindString {
			c.node = h.levels.logger(a.Value.String())
			continue
		}
		rest = append(rest, a)
	}
	if len(rest) > 0 {
		c.next = h.next.WithAttrs(rest)
	}
	return &c
}

// WithGroup implements slog.Handler.
func (h *handler) WithGroup(name string) slog.Handler {
	c := *h
	c.next = h.next.WithGroup(name)
	return &c
}
