package transform

import (
	"errors"
	"fmt"
	"strings"
)

// parsePath splits a path of KIP-821's syntax V2 into names. A dot ends a name; a
// name between backticks may have dots, and backticks too where no dot follows or a
// backslash stands before.
func parsePath(path string) ([]string, error) {
	if path == "" {
		return nil, errors.New("the path has no name in it")
	}
	var names []string
	for rest := path; rest != ""; {
		var name string
		var err error
		if rest[0] == '`' {
			name, rest, err = backticked(path, rest)
		} else {
			name, rest, _ = strings.Cut(rest, ".")
		}
		if err != nil {
			return nil, err
		}
		names = append(names, name)
	}
	if path[len(path)-1] == '.' {
		names = append(names, "")
	}
	return names, nil
}

// backticked reads the name at the beginning of rest, which begins with a backtick,
// and returns what follows the dot after it.
func backticked(path, rest string) (name, after string, err error) {
	var b strings.Builder
	start := 1
	for i := 1; i < len(rest); i++ {
		if rest[i] != '`' {
			continue
		}
		escaped := rest[i-1] == '\\'
		switch {
		case i == len(rest)-1 && escaped:
			return "", "", incomplete(path, len(path)-len(rest))
		case i == len(rest)-1:
			return b.String() + rest[start:i], "", nil
		case rest[i+1] != '.':
			// A backtick within the name.
		case escaped:
			b.WriteString(rest[start:i-1] + "`")
			start = i + 1
		default:
			return b.String() + rest[start:i], rest[i+2:], nil
		}
	}
	return "", "", incomplete(path, len(path)-len(rest))
}

func incomplete(path string, at int) error {
	return fmt.Errorf("Incomplete backtick pair in path: [%s], consider adding a backslash before backtick at position %d to escape it", path, at)
}
