package connect

import (
	"fmt"
	"io"
	"log/slog"
	"net/url"
	"regexp"
	"strings"
)

// HiddenValue is what takes a secret's place wherever it would be shown.
const HiddenValue = "[hidden]"

// Secret is a string that hides itself in every formatting path: fmt, slog and
// JSON (I6). Only Reveal gives it away.
type Secret struct{ s string }

// NewSecret returns a secret.
func NewSecret(s string) Secret { return Secret{s} }

// Reveal returns the secret for the one place that needs it.
func (s Secret) Reveal() string { return s.s }

// IsSet tells whether the secret is not empty.
func (s Secret) IsSet() bool { return s.s != "" }

func (s Secret) String() string { return HiddenValue }

// Format hides the secret under every verb.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, HiddenValue) }

// LogValue hides the secret in logs.
func (s Secret) LogValue() slog.Value { return slog.StringValue(HiddenValue) }

// MarshalText hides the secret in JSON and other encodings.
func (s Secret) MarshalText() ([]byte, error) { return []byte(HiddenValue), nil }

// startsWithUser is how user:password@host begins.
var startsWithUser = regexp.MustCompile(`^[^\s:/@"'{}]+:`)

// WithoutUserInfo hides the user and password of what may be a URL, with or without its
// scheme. One that is wrong may have been read otherwise than it was meant, with the host
// before the @ of a password that was not escaped: everything up to the last @ is hidden then.
func WithoutUserInfo(text string) string {
	at := strings.LastIndexByte(text, '@')
	if at < 0 {
		return text
	}
	start := 0
	if i := strings.Index(text[:at], "://"); i >= 0 {
		start = i + len("://")
		u, err := url.Parse(text)
		if err == nil && u.User == nil && !strings.Contains(text[start:at], ":") {
			return text // the @ is of the path, or behind it
		}
	} else if !startsWithUser.MatchString(text[:at]) {
		return text
	}
	return text[:start] + HiddenValue + text[at:]
}
