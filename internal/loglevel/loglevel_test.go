package loglevel

import (
	"bytes"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
)

// A level reaches the loggers below it, those that are named later too, and what a
// logger was given itself stays.
func TestLevels(t *testing.T) {
	var out bytes.Buffer
	levels := New(slog.LevelInfo)
	root := slog.New(levels.Handler(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: All})))
	named := func(name string) *slog.Logger { return root.With(Key, name) }
	mqtt := named("io.mqtt.Source").With("task", 1)
	said := func(l *slog.Logger) bool {
		out.Reset()
		l.Debug("text")
		return out.Len() > 0
	}
	if said(root) || said(mqtt) {
		t.Error("DEBUG is let through at INFO")
	}
	if changed, err := levels.Set("io.mqtt", slog.LevelDebug); err != nil || !slices.Equal(changed, []string{"io.mqtt", "io.mqtt.Source"}) {
		t.Errorf("changed %v, %v", changed, err)
	}
	if said(root) || !said(mqtt) || !said(named("io.mqtt.Later")) || said(named("io.mqttother")) {
		t.Error("DEBUG for io.mqtt does not reach what is below it, or reaches more")
	}
	if !strings.Contains(fmt.Sprint(said(mqtt), out.String()), "task=1") || strings.Contains(out.String(), Key+"=") {
		t.Errorf("the line is %q", out.String())
	}
	if _, err := levels.Set("ROOT", slog.LevelError); err != nil || said(mqtt) {
		t.Errorf("root does not stand for all: %v", err)
	}
	info, ok := levels.Level("io.mqtt.Source")
	if !ok || info.Level != slog.LevelError || info.Modified.IsZero() {
		t.Errorf("io.mqtt.Source has %v, %v", info, ok)
	}
	if _, ok := levels.Level("nobody"); ok {
		t.Error("a logger that was never named has a level")
	}
}

// Users cannot make up names without bound (I5); loggers beyond it share the root's level.
func TestTooManyLoggers(t *testing.T) {
	levels := New(slog.LevelInfo)
	for i := range maxLoggers {
		levels.logger(fmt.Sprint("l", i))
	}
	if n := len(levels.All()); n != maxLoggers {
		t.Errorf("%d loggers, want %d", n, maxLoggers)
	}
	if _, err := levels.Set("one.more", slog.LevelDebug); err == nil {
		t.Error("one more is taken")
	}
	if levels.logger("one.more") != levels.logger(Root) {
		t.Error("a logger beyond the bound does not share the root's level")
	}
}

func TestLevelNames(t *testing.T) {
	for _, name := range []string{"ALL", "TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL", "OFF"} {
		if l, ok := Parse(strings.ToLower(name)); !ok || Name(l) != name {
			t.Errorf("%s is read as %v, %v", name, l, ok)
		}
	}
	if _, ok := Parse("LOUD"); ok {
		t.Error("LOUD is a level")
	}
}
