package connectjson

import "github.com/sluice-data/sluice/connect"

// Compact checks that text is JSON and appends it to dst without insignificant
// white space; numbers, escapes and the order of names stay as they are. On an
// error, a *SyntaxError, dst comes back as it was.
func Compact(dst, text []byte) ([]byte, error) {
	c := compactor{lexer: lexer{text: text}, dst: dst}
	if !c.run() {
		return dst, c.err()
	}
	return append(c.dst, text[c.from:c.to]...), nil
}

// Valid tells whether text is JSON.
func Valid(text []byte) bool {
	c := compactor{lexer: lexer{text: text}, discard: true}
	return c.run()
}

// Raw returns text as a raw JSON value, of schema Schema, or false when it is not
// JSON (Compact says why). The value shares text when that is compact, otherwise
// its memory is the batch's.
func Raw(b *connect.Batch, text []byte) (connect.Value, bool) {
	c := compactor{lexer: lexer{text: text}, batch: b}
	if !c.run() {
		return connect.Value{}, false
	}
	if !c.copied {
		return textValue(text[c.from:c.to]), true
	}
	return textValue(append(c.dst, text[c.from:c.to]...)), true
}

// compactor checks one JSON text in one pass. It copies the runs between white
// space; text[from:to], the last run, is left to the caller, so that text which
// is compact already is not copied here.
type compactor struct {
	lexer
	dst      []byte
	batch    *connect.Batch // gives dst when the first run has to be copied
	from, to int
	copied   bool
	discard  bool // only check
}

func (c *compactor) run() bool {
	c.from = c.lexer.space(0)
	c.to = c.value(c.from, DefaultMaxDepth)
	return c.end(c.to) != failed
}

// space skips white space; the run before it goes to dst.
func (c *compactor) space(i int) int {
	if i >= len(c.text) || c.text[i] > ' ' {
		return i
	}
	next := c.lexer.space(i)
	if next == i || c.discard {
		return next
	}
	if c.batch != nil && !c.copied {
		c.dst = c.batch.Buffer(len(c.text))[:0]
	}
	c.copied = true
	c.dst = append(c.dst, c.text[c.from:i]...)
	c.from = next
	return next
}

// value recognises the value at i, in which depth more levels may nest.
func (c *compactor) value(i, depth int) int {
	if i >= len(c.text) {
		return c.unexpected(i, "")
	}
	switch b := c.text[i]; b {
	case '"':
		i, _ = c.str(i)
		return i
	case '{', '[':
		if depth == 0 {
			return c.fail(i, "nested too deeply")
		}
		if b == '{' {
			return c.object(i, depth-1)
		}
		return c.array(i, depth-1)
	case '-', '0', '1', '2', '3', '4', '5', '6', '7', '8', '9':
		i, _ = c.number(i)
		return i
	}
	return c.literal(i)
}

// object recognises the object at i. It looks for the usual tokens itself, which
// spares calls: this is the hottest loop of a worker that moves JSON.
func (c *compactor) object(i, depth int) int {
	text := c.text
	if i = c.space(i + 1); i < len(text) && text[i] == '}' {
		return i + 1
	}
	for {
		if i = c.name(i); i == failed {
			return failed
		}
		if i < len(text) && text[i] == '"' {
			i, _ = c.str(i)
		} else {
			i = c.value(i, depth)
		}
		if i == failed {
			return failed
		}
		if i < len(text) && text[i] == ',' {
			if i++; i < len(text) && text[i] <= ' ' {
				i = c.space(i)
			}
			continue
		}
		var more bool
		if i, more = c.next(i, '}'); !more {
			return i
		}
	}
}

// name recognises the name of a member and the colon.
func (c *compactor) name(i int) int {
	text := c.text
	if i >= len(text) || text[i] != '"' {
		return c.unexpected(i, "expected a name in quotes")
	}
	if i, _ = c.str(i); i == failed {
		return failed
	}
	if i < len(text) && text[i] <= ' ' {
		i = c.space(i)
	}
	if i >= len(text) || text[i] != ':' {
		return c.unexpected(i, "expected a colon")
	}
	if i++; i < len(text) && text[i] <= ' ' {
		i = c.space(i)
	}
	return i
}

// next recognises the comma before another element (more is true) or what closes
// the array or object.
func (c *compactor) next(i int, closing byte) (_ int, more bool) {
	i = c.space(i)
	if i < len(c.text) {
		switch c.text[i] {
		case ',':
			return c.space(i + 1), true
		case closing:
			return i + 1, false
		}
	}
	return c.unexpected(i, "expected a comma or the end of the array or object"), false
}

func (c *compactor) array(i, depth int) int {
	if i = c.space(i + 1); i < len(c.text) && c.text[i] == ']' {
		return i + 1
	}
	for {
		if i = c.value(i, depth); i == failed {
			return failed
		}
		var more bool
		if i, more = c.next(i, ']'); !more {
			return i
		}
	}
}
