package postgres

import (
	"errors"
	"strings"
	"testing"

	"github.com/sluice-data/sluice/connectors/source/postgres/pgoutput"
)

func TestParseHistory(t *testing.T) {
	got, err := parseHistory("1\t0/3000110\tno recovery target specified\n\n# a comment\n2\t1/A0\tbefore 2026-01-02\n")
	want := []timelineEnd{{1, 0x3000110}, {2, 0x1000000A0}}
	if err != nil || len(got) != 2 || got[0] != want[0] || got[1] != want[1] {
		t.Errorf("got %v, %v, want %v", got, err, want)
	}
	for _, text := range []string{"1\n", "x\t0/1\t\n", "1\tnowhere\t\n", "9999999999\t0/1\n"} {
		if got, err := parseHistory(text); err == nil {
			t.Errorf("%q gives %v and no error", text, got)
		}
	}
}

func FuzzParseHistory(f *testing.F) {
	f.Add("1\t0/3000110\tno recovery target specified\n")
	f.Fuzz(func(t *testing.T, text string) {
		if ends, err := parseHistory(text); err == nil && len(ends) > maxTimelines {
			t.Errorf("%d timelines are kept", len(ends))
		}
	})
}

func TestForked(t *testing.T) {
	server := serverInfo{timeline: 3, history: []timelineEnd{{1, 100}, {2, 200}}}
	at := func(timeline int32, start pgoutput.LSN) *position { return &position{end: start, timeline: timeline} }
	for name, c := range map[string]struct {
		server    serverInfo
		pos       *position
		confirmed pgoutput.LSN
		want      string // part of it
	}{
		"same timeline":             {server, at(3, 500), 0, ""},
		"no timeline":               {server, at(0, 500), 0, ""},
		"at the end":                {server, at(2, 200), 200, ""},
		"beyond the end":            {server, at(2, 201), 200, "beyond 0/C8"},
		"beyond an earlier end":     {server, at(1, 150), 90, "timeline 3 left timeline 1"},
		"read on the new timeline":  {server, at(2, 300), 250, ""},
		"in the middle, beyond":     {server, &position{end: 190, commit: 210, timeline: 2}, 190, "0/D2 is beyond"},
		"of another history":        {server, at(7, 10), 5, "not in the history"},
		"history that has no lines": {serverInfo{timeline: 2, historyError: errors.New("no file")}, at(1, 10), 5, "(no file)"},
	} {
		t.Run(name, func(t *testing.T) {
			got := c.server.forked(c.pos, &slotInfo{exists: true, confirmed: c.confirmed})
			if (got == "") != (c.want == "") || !strings.Contains(got, c.want) {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}
