package connectjson

// Members checks that text is a JSON object and calls yield for each member with
// its name and the text of its value, both of which share text where they can.
// It stops at the first error.
func Members(text []byte, yield func(name string, value []byte) error) error {
	return each(text, '{', yield)
}

// Elements is Members for an array; the names are empty.
func Elements(text []byte, yield func(name string, value []byte) error) error {
	return each(text, '[', yield)
}

func each(text []byte, opening byte, yield func(name string, value []byte) error) error {
	c := compactor{lexer: lexer{text: text}, discard: true}
	i := c.space(0)
	if i >= len(text) || text[i] != opening {
		c.unexpected(i, "expected "+string(rune(opening)))
		return c.err()
	}
	closing := opening + 2 // in ASCII, for both kinds
	if i = c.space(i + 1); i < len(text) && text[i] == closing {
		return c.result(c.end(i + 1))
	}
	for more := true; more; {
		var name string
		if opening == '{' {
			start := i
			if i = c.name(i); i == failed {
				return c.err()
			}
			name = nameText(text[start:])
		}
		start := i
		if i = c.value(i, DefaultMaxDepth-1); i == failed {
			return c.err()
		}
		if err := yield(name, text[start:i]); err != nil {
			return err
		}
		if i, more = c.next(i, closing); i == failed {
			return c.err()
		}
	}
	return c.result(c.end(i))
}

func (c *compactor) result(i int) error {
	if i == failed {
		return c.err()
	}
	return nil
}

// nameText returns what the string at the start of text says.
func nameText(text []byte) string {
	l := lexer{text: text}
	end, plain := l.str(0)
	raw := text[1 : end-1]
	if !plain {
		raw = unescape(nil, raw)
	}
	return asString(raw)
}
