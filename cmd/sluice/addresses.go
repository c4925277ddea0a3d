package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// Addresses are what a server listens on, as it is written to addresses.json.
type Addresses struct {
	REST     string `json:"rest"`
	Kafka    string `json:"kafka,omitempty"`    // empty on an external cluster
	Registry string `json:"registry,omitempty"` // empty when it is elsewhere
	Admin    string `json:"admin,omitempty"`    // of admin.listeners
	PID      int    `json:"pid"`
}

const addressesFile = "addresses.json"

// write replaces the file in dir at once, so that a reader never sees a part.
func (a Addresses) write(dir string) error {
	text, err := json.MarshalIndent(a, "", "  ")
	if err != nil {
		return fmt.Errorf("encode addresses: %w", err)
	}
	f, err := os.CreateTemp(dir, addressesFile+".*")
	if err != nil {
		return fmt.Errorf("create addresses file: %w", err)
	}
	_, err = f.Write(append(text, '\n'))
	err = errors.Join(err, f.Chmod(0o644), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), filepath.Join(dir, addressesFile))
	}
	if err != nil {
		return errors.Join(fmt.Errorf("write addresses file: %w", err), os.Remove(f.Name()))
	}
	return nil
}
