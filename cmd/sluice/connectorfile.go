package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/sluice-data/sluice/internal/javaprops"
)

// A connectorFile is a connector given on the command line.
type connectorFile struct {
	Path         string            `json:"-"`
	Name         string            `json:"name"`
	Config       map[string]string `json:"config"`
	InitialState string            `json:"initial_state,omitempty"`
}

// readConnectorFile reads one of the forms of Kafka Connect's standalone worker:
// a flat JSON object with a name, the body of POST /connectors, or properties
// with a name (KIP-980).
func readConnectorFile(path string) (connectorFile, error) {
	text, err := readConfigFile(path)
	if err != nil {
		return connectorFile{}, fmt.Errorf("connector file: %w", err)
	}
	c, err := parseConnector(text)
	if err != nil {
		return connectorFile{}, fmt.Errorf("connector file %s: %w", path, err)
	}
	c.Path = path
	return c, nil
}

func parseConnector(text string) (connectorFile, error) {
	if strings.HasPrefix(strings.TrimSpace(text), "{") {
		return parseConnectorJSON(text)
	}
	props, err := javaprops.Parse(text)
	if err != nil {
		return connectorFile{}, err
	}
	return flatConnector(props)
}

var errNoName = errors.New(`it has no "name"; add one, such as "name": "my-connector"`)

func flatConnector(config map[string]string) (connectorFile, error) {
	if config["name"] == "" {
		return connectorFile{}, errNoName
	}
	return connectorFile{Name: config["name"], Config: config}, nil
}

func parseConnectorJSON(text string) (connectorFile, error) {
	var top map[string]json.RawMessage
	if err := json.Unmarshal([]byte(text), &top); err != nil {
		return connectorFile{}, fmt.Errorf("it is not valid JSON: %w", err)
	}
	if top["config"] == nil || top["config"][0] != '{' {
		config, err := scalars(top)
		if err != nil {
			return connectorFile{}, err
		}
		return flatConnector(config)
	}
	var nested map[string]json.RawMessage
	if err := json.Unmarshal(top["config"], &nested); err != nil {
		return connectorFile{}, fmt.Errorf("decode config: %w", err)
	}
	delete(top, "config")
	head, err := scalars(top)
	if err != nil {
		return connectorFile{}, err
	}
	c := connectorFile{Name: head["name"], InitialState: head["initial_state"]}
	if c.Config, err = scalars(nested); err != nil {
		return connectorFile{}, err
	}
	if c.Name == "" {
		c.Name = c.Config["name"]
	}
	if c.Name == "" {
		return connectorFile{}, errNoName
	}
	return c, nil
}

// scalars turns the values of a JSON object into the strings that a config
// consists of. The error names a key, never its value (I6).
func scalars(object map[string]json.RawMessage) (map[string]string, error) {
	config := make(map[string]string, len(object))
	for key, raw := range object {
		raw = bytes.TrimSpace(raw)
		switch raw[0] {
		case '{', '[':
			return nil, fmt.Errorf("%q is an object or a list; a config consists of strings", key)
		case '"':
			var s string
			if err := json.Unmarshal(raw, &s); err != nil {
				return nil, fmt.Errorf("decode %q: %w", key, err)
			}
			config[key] = s
		case 'n': // null: as if it were not there
		default:
			config[key] = string(raw) // a number, true or false as it is written
		}
	}
	return config, nil
}
