package mqtt

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// checkFilter checks a topic filter by MQTT 3.1.1, section 4.7.
func checkFilter(filter string) error {
	switch {
	case filter == "":
		return errors.New("an empty topic filter")
	case len(filter) > 65535:
		return errors.New("a topic filter is longer than 65535 bytes")
	case !utf8.ValidString(filter) || strings.ContainsRune(filter, 0):
		return fmt.Errorf("topic filter %q must be UTF-8 without NUL", filter)
	}
	levels := strings.Split(filter, "/")
	if levels[0] == "$share" && (len(levels) < 3 || levels[1] == "" || strings.ContainsAny(levels[1], "+#") || len(levels) == 3 && levels[2] == "") {
		return fmt.Errorf("shared subscription %q must have the form $share/group/filter, the group without + and #", filter)
	}
	for i, level := range levels {
		if err := checkLevel(level, i == len(levels)-1); err != nil {
			return fmt.Errorf("topic filter %q: %w", filter, err)
		}
	}
	return nil
}

func checkLevel(level string, last bool) error {
	if level == "#" && last || level == "+" {
		return nil
	}
	if strings.ContainsAny(level, "#+") {
		return errors.New("+ must be a whole level, and # the whole last level")
	}
	return nil
}

// withoutCovered leaves out filters whose topics another one has all of. Brokers
// may send a message once for each filter that it matches, and with MQTT 5 they do.
func withoutCovered(filters []string) []string {
	var out []string
	for i, f := range filters {
		covered := false
		for j, other := range filters {
			covered = covered || i != j && covers(other, f)
		}
		if !covered {
			out = append(out, f)
		}
	}
	return out
}

// covers tells whether one of the filters in mqtt.topics has a topic.
func (c *Config) covers(topic string) bool {
	for _, f := range c.Topics {
		if f == topic || covers(f, topic) {
			return true
		}
	}
	return false
}

// covers tells whether a filter matches every topic that b, a different one, does.
// Shared subscriptions stand for themselves.
func covers(a, b string) bool {
	x, y := strings.Split(a, "/"), strings.Split(b, "/")
	if x[0] == "$share" || y[0] == "$share" || strings.HasPrefix(y[0], "$") && x[0] != y[0] {
		return false
	}
	for i, level := range x {
		switch {
		case level == "#":
			return true
		case i == len(y) || y[i] == "#":
			return false
		case level != "+" && level != y[i]:
			return false
		}
	}
	return len(x) == len(y)
}

// overlapping returns pairs of filters that share topics of which neither has all
// of the other's. It is given what withoutCovered returns. A broker may send a
// message for each of them, and nothing in a PUBLISH says that it is a copy. With
// MQTT 5 subscription identifiers could; but where a broker sends one copy with an
// identifier too few, leaving out what looks like a second one loses the first.
func overlapping(filters []string) (pairs []string) {
	for i, a := range filters {
		for _, b := range filters[i+1:] {
			if overlap(withoutGroup(a), withoutGroup(b)) && len(pairs) < maxOverlaps {
				pairs = append(pairs, a+" and "+b)
			}
		}
	}
	return pairs
}

// maxOverlaps is how many pairs a log line has.
const maxOverlaps = 10

// withoutGroup returns the filter of a shared subscription.
func withoutGroup(filter string) string {
	if rest, ok := strings.CutPrefix(filter, "$share/"); ok {
		_, filter, _ = strings.Cut(rest, "/")
	}
	return filter
}

// overlap tells whether a topic matches both filters.
func overlap(a, b string) bool {
	x, y := strings.Split(a, "/"), strings.Split(b, "/")
	if (strings.HasPrefix(x[0], "$") || strings.HasPrefix(y[0], "$")) && x[0] != y[0] {
		return false
	}
	for i := range max(len(x), len(y)) {
		switch {
		case i < len(x) && x[i] == "#" || i < len(y) && y[i] == "#":
			return true
		case i >= len(x) || i >= len(y):
			return false
		case x[i] != "+" && y[i] != "+" && x[i] != y[i]:
			return false
		}
	}
	return true
}
