package schemaregistry

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Names with a meaning of their own.
const (
	// DefaultContext is the context of subjects that name none.
	DefaultContext = "."
	// anyContext stands for all contexts in a prefix.
	anyContext = "*"
	// globalContext holds settings that stand above those of all contexts.
	globalContext = ".__GLOBAL"
	latestVersion = -1
)

// Name is a subject with its context. The text form is ":context:subject", and the subject alone in the default context.
type Name struct {
	Context string // begins with a dot
	Subject string
}

// ParseName takes a text apart. A text that begins with ":." and has no second colon is a context alone; other texts that begin with a
// colon are subjects, but for the ":*:" of prefixes.
func ParseName(text string) Name {
	if !strings.HasPrefix(text, ":"+DefaultContext) && !strings.HasPrefix(text, ":"+anyContext+":") {
		return Name{DefaultContext, text}
	}
	context, subject, _ := strings.Cut(text[1:], ":")
	return Name{context, subject}
}

// String is the qualified text.
func (n Name) String() string {
	if n.Context == DefaultContext || n.Context == "" {
		return n.Subject
	}
	return ":" + n.Context + ":" + n.Subject
}

// holder is the name under which the settings of the name's context are kept; "" is the default context's.
func (n Name) holder() string {
	if n.Context == DefaultContext || n.Context == "" {
		return ""
	}
	return ":" + n.Context + ":"
}

// isSpecific tells whether it is a subject or a context apart from the default one: what has no settings of its own where none are made.
func (n Name) isSpecific() bool {
	return n.Subject != "" || n.holder() != "" && n.Context != globalContext
}

// within qualifies a subject that names no context with the one of its user.
func (n Name) within(context string) Name {
	if n.Context == DefaultContext && context != DefaultContext {
		return Name{context, n.Subject}
	}
	return n
}

// checkSubject refuses names that cannot be subjects.
func checkSubject(n Name) error {
	if strings.ContainsFunc(n.String(), unicode.IsControl) || !utf8.ValidString(n.String()) || n.Subject == "__GLOBAL" || n.Subject == "__EMPTY" {
		return errorf(CodeInvalidSubject, "The specified subject '%s' is not a valid subject.", n)
	}
	return nil
}
