package connect

import (
	"fmt"
	"io"
	"log/slog"
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
