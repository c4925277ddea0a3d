// Package javaprops reads the format of java.util.Properties.
package javaprops

import (
	"fmt"
	"strconv"
	"strings"
)

// Parse reads text in the format of java.util.Properties: comments
// with # and !, key and value parted by =, : or white space, lines continued by
// a backslash, and the escapes of that format. The last of equal keys counts.
func Parse(text string) (map[string]string, error) {
	props := map[string]string{}
	lines := strings.Split(strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(text), "\n")
	for i := 0; i < len(lines); i++ {
		line := strings.TrimLeft(lines[i], " \t\f")
		if line == "" || line[0] == '#' || line[0] == '!' {
			continue
		}
		for continues(line) && i+1 < len(lines) {
			i++
			line = line[:len(line)-1] + strings.TrimLeft(lines[i], " \t\f")
		}
		key, value := splitProperty(line)
		var err error
		if key, err = unescape(key); err == nil {
			value, err = unescape(value)
		}
		if err != nil {
			return nil, fmt.Errorf("property %s: %w", key, err)
		}
		props[key] = value
	}
	return props, nil
}

// continues reports whether a line ends with an odd number of backslashes.
func continues(line string) bool {
	return (len(line)-len(strings.TrimRight(line, `\`)))%2 == 1
}

// splitProperty parts a line at the first =, : or white space that is not
// escaped. White space around a = or : belongs to neither side.
func splitProperty(line string) (key, value string) {
	end := len(line)
	for i := 0; i < len(line); i++ {
		if line[i] == '\\' {
			i++
		} else if strings.IndexByte("=: \t\f", line[i]) >= 0 {
			end = i
			break
		}
	}
	rest := strings.TrimLeft(line[end:], " \t\f")
	if rest != "" && (rest[0] == '=' || rest[0] == ':') {
		rest = strings.TrimLeft(rest[1:], " \t\f")
	}
	return line[:end], rest
}

func unescape(text string) (string, error) {
	if !strings.Contains(text, `\`) {
		return text, nil
	}
	var b strings.Builder
	for i := 0; i < len(text); i++ {
		if text[i] != '\\' {
			b.WriteByte(text[i])
			continue
		}
		if i++; i == len(text) {
			break
		}
		if text[i] != 'u' {
			b.WriteByte(unescaped(text[i]))
			continue
		}
		if i+5 > len(text) {
			return text, fmt.Errorf(`\u wants four hexadecimal digits`)
		}
		n, err := strconv.ParseUint(text[i+1:i+5], 16, 16)
		if err != nil {
			return text, fmt.Errorf(`\u wants four hexadecimal digits, not %q`, text[i+1:i+5])
		}
		b.WriteRune(rune(n))
		i += 4
	}
	return b.String(), nil
}

func unescaped(c byte) byte {
	switch c {
	case 'n':
		return '\n'
	case 't':
		return '\t'
	case 'r':
		return '\r'
	case 'f':
		return '\f'
	}
	return c
}
