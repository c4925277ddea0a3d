package format

import (
	"fmt"

	"github.com/sluice-data/sluice/connect"
	"github.com/sluice-data/sluice/connect/connecttext"
)

// headerStyle is how Kafka Connect's SimpleHeaderConverter spells a value: header values always are strings in objects.
var headerStyle = connecttext.Header()

func headerText(h connect.Header) (string, error) {
	text, err := headerStyle.Append(nil, h.Schema, h.Value)
	if err != nil {
		return "", fmt.Errorf("header %s: %w", h.Key, err)
	}
	return string(text), nil
}
