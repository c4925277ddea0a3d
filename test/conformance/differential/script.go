package differential

import (
	"bufio"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// A Script is the steps of one file.
type Script struct {
	Name  string // the file's, without its extension
	Steps []Step
}

// A Step is one exchange with the server, or one request in several versions.
type Step struct {
	Name     string
	Line     int
	Conn     string
	Key      kmsg.Key
	Min, Max int16
	Fields   string // JSON; empty for raw bytes
	Raw      []byte // what to send in place of a request
	Cut, Pad int    // bytes dropped from and appended to the request
	Start    bool   // only send
	Finish   string // name of the started step whose answer is awaited
	Until    string
	Saves    [][2]string // variable, path
}

// ReadScripts parses every script of a folder, in the order of their names.
func ReadScripts(dir string) ([]Script, error) {
	files, err := filepath.Glob(filepath.Join(dir, "*.case"))
	if err != nil {
		return nil, fmt.Errorf("list scripts: %w", err)
	}
	var scripts []Script
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			return nil, fmt.Errorf("read script: %w", err)
		}
		s, err := parseScript(string(text))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", f, err)
		}
		s.Name = strings.TrimSuffix(filepath.Base(f), ".case")
		scripts = append(scripts, s)
	}
	return scripts, nil
}

// parser is the state between the lines of a script.
type parser struct {
	steps []Step
	next  Step // what has been said about the step to come
	conn  string
	names map[string]bool
}

func parseScript(text string) (Script, error) {
	p := parser{conn: "main", names: map[string]bool{}}
	for _, l := range joinLines(text) {
		if err := p.line(l.text, l.number); err != nil {
			return Script{}, fmt.Errorf("line %d: %w", l.number, err)
		}
	}
	return Script{Steps: p.steps}, nil
}

type numbered struct {
	text   string
	number int
}

// joinLines drops comments and empty lines and joins indented lines to what they
// continue.
func joinLines(text string) []numbered {
	var lines []numbered
	s := bufio.NewScanner(strings.NewReader(text))
	for n := 1; s.Scan(); n++ {
		l := s.Text()
		switch {
		case strings.TrimSpace(l) == "" || strings.HasPrefix(l, "#"):
		case strings.HasPrefix(l, " ") && len(lines) > 0:
			lines[len(lines)-1].text += " " + strings.TrimSpace(l)
		default:
			lines = append(lines, numbered{l, n})
		}
	}
	return lines
}

func (p *parser) line(text string, number int) error {
	word, rest, _ := strings.Cut(text, " ")
	var err error
	switch word {
	case "==":
		if p.names[rest] {
			return fmt.Errorf("second step named %q", rest)
		}
		p.names[rest] = true
		p.next.Name = rest
	case "on":
		p.conn = rest
	case "start":
		p.next.Start = true
	case "cut":
		_, err = fmt.Sscan(rest, &p.next.Cut)
	case "pad":
		_, err = fmt.Sscan(rest, &p.next.Pad)
	case "save", "until":
		return p.after(word, rest)
	case "finish":
		p.next.Finish = rest
		p.add(number)
	case "raw", "bytes":
		p.next.Raw, err = hex.DecodeString(strings.ReplaceAll(rest, " ", ""))
		if word == "raw" {
			p.next.Raw = sized(p.next.Raw)
		}
		p.add(number)
	default:
		err = p.request(word, rest)
		p.add(number)
	}
	return err
}

// after applies a line that says something about the step before.
func (p *parser) after(word, rest string) error {
	if len(p.steps) == 0 {
		return fmt.Errorf("%s before any step", word)
	}
	last := &p.steps[len(p.steps)-1]
	if word == "until" {
		last.Until = rest
		return nil
	}
	name, path, ok := strings.Cut(rest, " ")
	if !ok {
		return fmt.Errorf("save wants a variable and a path")
	}
	last.Saves = append(last.Saves, [2]string{name, path})
	return nil
}

func (p *parser) request(name, rest string) error {
	key, ok := keyNamed(name)
	if !ok {
		return fmt.Errorf("no API key is named %q", name)
	}
	p.next.Key = key
	versions, fields, _ := strings.Cut(rest, " ")
	p.next.Fields = fields
	if n, _ := fmt.Sscanf(versions, "v%d-%d", &p.next.Min, &p.next.Max); n == 1 {
		p.next.Max = p.next.Min
	} else if n != 2 {
		return fmt.Errorf("versions are vN or vN-M, not %q", versions)
	}
	return nil
}

func (p *parser) add(number int) {
	p.next.Line, p.next.Conn = number, p.conn
	if p.next.Name == "" {
		p.next.Name = fmt.Sprintf("line %d", number)
	}
	p.steps = append(p.steps, p.next)
	p.next = Step{}
}

func keyNamed(name string) (kmsg.Key, bool) {
	for k := range kmsg.Key(kmsg.MaxKey + 1) {
		if k.Name() == name {
			return k, true
		}
	}
	return 0, false
}
