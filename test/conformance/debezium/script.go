package debezium

import (
	"fmt"
	"strings"
)

// A Script is what the SQL files of a scenario ask for.
type Script struct {
	Before []Step // before the connector starts: what the snapshot sees
	Stream []Step // once it streams
}

// A Step is one statement of a script, or a directive.
//
//	-- @stream          the steps before it come before the connector starts
//	-- @sync            wait until everything so far is in the log
//	-- @records 18      wait until there are so many records in all, and nothing more comes
//	-- @restart         restart the connector's task and wait until it streams
//	-- @stop            stop the connector, when everything so far is in the log
//	-- @resume          start it again and wait until it streams
//	-- @signal {...}    send a signal to the connector's topic of signals
//	-- @fails           the next statement may fail on the server, with some publications
//	-- @session b       the next statements run on connection b
//	-- @since 16        the next statement needs this major version
//
// COPY ... FROM STDIN; is followed by its data up to a line \.
type Step struct {
	SQL     string
	Data    string // of COPY FROM STDIN
	Fails   bool
	Sync    bool
	Restart bool
	Records int
	Stop    bool
	Resume  bool
	Signal  string // a JSON object
	Session string
	Since   int
	Line    int
}

// ParseScript reads the text of a file. Statements end with a semicolon at the end
// of a line, outside of a $$ body.
func ParseScript(text string) (*Script, error) {
	p := parser{script: &Script{}, lines: strings.Split(text, "\n")}
	p.to = &p.script.Before
	for p.n < len(p.lines) {
		if err := p.line(); err != nil {
			return nil, fmt.Errorf("line %d: %w", p.n, err)
		}
	}
	if len(p.statement) > 0 {
		return nil, fmt.Errorf("line %d: the statement has no end", p.next.Line)
	}
	return p.script, nil
}

type parser struct {
	script    *Script
	to        *[]Step
	lines     []string
	n         int // of the next line
	statement []string
	next      Step
	session   string
}

func (p *parser) line() error {
	line := p.lines[p.n]
	p.n++
	if directive, ok := strings.CutPrefix(line, "-- @"); ok {
		return p.directive(directive)
	}
	if len(p.statement) == 0 && (strings.TrimSpace(line) == "" || strings.HasPrefix(line, "--")) {
		return nil
	}
	if len(p.statement) == 0 {
		p.next.Line = p.n
	}
	p.statement = append(p.statement, line)
	text := strings.Join(p.statement, "\n")
	if !strings.HasSuffix(line, ";") || strings.Count(text, "$$")%2 == 1 {
		return nil
	}
	p.next.SQL = strings.TrimSuffix(text, ";")
	if strings.HasPrefix(text, "COPY") && strings.HasSuffix(strings.ToUpper(text), "FROM STDIN;") {
		if err := p.data(); err != nil {
			return err
		}
	}
	p.emit()
	return nil
}

// data reads the lines of a COPY.
func (p *parser) data() error {
	for first := p.n; p.n < len(p.lines); p.n++ {
		if p.lines[p.n] == `\.` {
			p.next.Data = strings.Join(p.lines[first:p.n], "\n") + "\n"
			p.n++
			return nil
		}
	}
	return fmt.Errorf(`COPY's data has no end \.`)
}

func (p *parser) emit() {
	p.next.Session = p.session
	*p.to = append(*p.to, p.next)
	p.next, p.statement = Step{}, nil
}

func (p *parser) directive(text string) error {
	word, argument, _ := strings.Cut(text, " ")
	switch word {
	case "stream":
		p.to = &p.script.Stream
	case "sync", "restart", "stop", "resume", "signal":
		p.next = Step{Sync: word == "sync", Restart: word == "restart", Stop: word == "stop", Resume: word == "resume", Line: p.n}
		if word == "signal" {
			p.next.Signal = argument
		}
		p.emit()
	case "records":
		p.next.Line = p.n
		if _, err := fmt.Sscan(argument, &p.next.Records); err != nil {
			return fmt.Errorf("number %q: %w", argument, err)
		}
		p.emit()
	case "fails":
		p.next.Fails = true
	case "session":
		p.session = argument
	case "since":
		if _, err := fmt.Sscan(argument, &p.next.Since); err != nil {
			return fmt.Errorf("version %q: %w", argument, err)
		}
	default:
		return fmt.Errorf("no directive %q", word)
	}
	return nil
}
