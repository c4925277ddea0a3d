package protobuf

import "strings"

// checkDepth bounds how deep brackets are nested, before a parser sees the text (I5). Strings and comments do not count.
func checkDepth(text string, most int) error {
	depth := 0
	for i := 0; i < len(text); i++ {
		switch c := text[i]; c {
		case '"', '\'':
			i = skipString(text, i)
		case '/':
			i = skipComment(text, i)
		case '{', '[', '(', '<':
			if depth++; depth > most {
				return &LimitError{Limit: LimitDepth, Max: most}
			}
		case '}', ']', ')', '>':
			depth = max(depth-1, 0)
		}
	}
	return nil
}

// skipString returns the index of the quote that ends the string at i, or of the line's end.
func skipString(text string, i int) int {
	quote := text[i]
	for i++; i < len(text) && text[i] != quote && text[i] != '\n'; i++ {
		if text[i] == '\\' {
			i++
		}
	}
	return i
}

// skipComment returns the index of the last byte of the comment at i, i when none begins there.
func skipComment(text string, i int) int {
	if i+1 == len(text) || text[i+1] != '/' && text[i+1] != '*' {
		return i
	}
	line := text[i+1] == '/'
	for i += 2; i < len(text); i++ {
		if line && text[i] == '\n' || !line && text[i] == '/' && text[i-1] == '*' {
			return i
		}
	}
	return i
}

// listField stands for a list as the value of an option, which Confluent's registry takes and the language does not have.
const listField = "list_value_of_an_option"

// wrapLists makes a message literal, whose one field is listField, of each list that is the value of an option; ok is false when there
// is none.
func wrapLists(text string) (wrapped string, ok bool) {
	var b strings.Builder
	var open []bool // of the brackets that are open, which are such lists
	equals := false // the last token was '='
	done := 0
	for i := 0; i < len(text); i++ {
		switch c := text[i]; c {
		case '"', '\'':
			i, equals = skipString(text, i), false
		case '/':
			i = skipComment(text, i)
		case ' ', '\t', '\r', '\n':
		case '[':
			open = append(open, equals)
			if equals {
				b.WriteString(text[done:i] + "{" + listField + ": [")
				done, ok = i+1, true
			}
			equals = false
		case ']':
			if last := len(open) - 1; last >= 0 {
				if open[last] {
					b.WriteString(text[done:i] + "]}")
					done = i + 1
				}
				open = open[:last]
			}
			equals = false
		default:
			equals = c == '='
		}
	}
	b.WriteString(text[min(done, len(text)):])
	return b.String(), ok
}
