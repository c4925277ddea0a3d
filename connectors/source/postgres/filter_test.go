package postgres

import (
	"bytes"
	"log/slog"
	"slices"
	"strings"
	"testing"
)

func TestCaptures(t *testing.T) {
	for _, c := range []struct {
		name     string
		set      []string
		captured []string
		left     []string
	}{
		{"all but the server's own", nil, []string{"public.a", "Sales.b"}, []string{"pg_catalog.pg_class", "information_schema.x", "pg_temp_3.x", "public.spatial_ref_sys", "PG_CATALOG.x"}},
		{"the server's own", []string{"table.ignore.builtin", "false"}, []string{"pg_catalog.pg_class", "public.a"}, nil},
		{"schemas", []string{optSchemaInclude, "sales,hr_.*"}, []string{"sales.a", "HR_x.b"}, []string{"public.a", "sales2.a"}},
		{"without schemas", []string{optSchemaExclude, "hr"}, []string{"public.a"}, []string{"hr.a"}},
		{"tables", []string{optTableInclude, `public\.(a|b),sales\..*`}, []string{"public.a", "PUBLIC.B", "sales.x"}, []string{"public.c", "public.ab"}},
		{"without tables", []string{optTableExclude, `.*\.tmp_.*`}, []string{"public.a"}, []string{"public.tmp_1"}},
		{"schemas and tables", []string{optSchemaInclude, "sales", optTableInclude, ".*"}, []string{"sales.a"}, []string{"public.a"}},
		{"look-ahead", []string{optTableInclude, `public\.(?!tmp_).*`}, []string{"public.a"}, []string{"public.tmp_a"}},
		{"the signal table", []string{optTableInclude, "public.a", optSignalTable, "ops.signals"}, []string{"ops.signals", "public.a"}, []string{"ops.other"}},
		{"a name with a dot", []string{optTableInclude, `public\.a\.b`}, []string{"public.a.b"}, []string{"public.a"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			cfg := configure(t, minimal(c.set...))
			for _, name := range slices.Concat(c.captured, c.left) {
				schema, table, _ := strings.Cut(name, ".")
				got, err := cfg.captures(tableName{schema, table})
				if want := slices.Contains(c.captured, name); err != nil || got != want {
					t.Errorf("%s: got %v, %v; want %v", name, got, err, want)
				}
			}
		})
	}
}

func TestSlowPatternIsAnError(t *testing.T) {
	cfg := configure(t, minimal(optTableInclude, `public\.(a+)+\1b`))
	if _, err := cfg.captures(tableName{"public", strings.Repeat("a", 60)}); err == nil || !strings.Contains(err.Error(), "took longer") {
		t.Errorf("got error %v, want one about the time", err)
	}
}

func TestGuardrail(t *testing.T) {
	var log bytes.Buffer
	logger := slog.New(slog.NewTextHandler(&log, nil))
	warn, fail := configure(t, minimal(optGuardrail, "2")), configure(t, minimal(optGuardrail, "2", "guardrail.collections.limit.action", "FAIL"))
	if err := warn.guard(2, logger); err != nil || log.Len() > 0 {
		t.Errorf("at the limit: got %v, log %q", err, log.String())
	}
	if err := warn.guard(3, logger); err != nil || !strings.Contains(log.String(), "tables=3") {
		t.Errorf("above the limit: got %v, log %q", err, log.String())
	}
	if err := fail.guard(3, logger); err == nil || !strings.Contains(err.Error(), optGuardrail) {
		t.Errorf("got error %v, want one of %s", err, optGuardrail)
	}
}

func TestUnmatchedElements(t *testing.T) {
	var log bytes.Buffer
	logger := slog.New(slog.NewTextHandler(&log, nil))
	cfg := configure(t, minimal(optTableInclude, "orders,public.customers"))
	if err := cfg.warnUnmatched([]tableInfo{{name: tableName{"public", "customers"}}}, logger); err != nil {
		t.Fatal(err)
	}
	if got := log.String(); strings.Count(got, "\n") != 1 || !strings.Contains(got, "element=orders") {
		t.Errorf("got log %q, want one line about orders", got)
	}
	log.Reset()
	if err := cfg.warnUnmatched(nil, logger); err != nil || !strings.Contains(log.String(), "no table is captured") {
		t.Errorf("got %v, log %q", err, log.String())
	}
}
