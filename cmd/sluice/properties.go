package main

import (
	"fmt"
	"io"
	"os"
	"strings"
)

// maxConfigBytes is the size up to which a config file is read (I5).
const maxConfigBytes = 1 << 20

// readConfigFile reads a file of properties or JSON.
func readConfigFile(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err // names the file
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxConfigBytes+1))
	if err != nil {
		return "", fmt.Errorf("read %s: %w", path, err)
	}
	if len(text) > maxConfigBytes {
		return "", fmt.Errorf("%s is larger than %d bytes and no config", path, maxConfigBytes)
	}
	return string(text), nil
}

// environProperties returns the worker properties in the environment:
// CONNECT_A_B is a.b, two underscores are one, three are a dash, as in the
// container images of Kafka Connect.
func environProperties(environ []string) map[string]string {
	props := map[string]string{}
	for _, entry := range environ {
		name, value, _ := strings.Cut(entry, "=")
		if name, ok := strings.CutPrefix(name, "CONNECT_"); ok && name != "" {
			name = strings.NewReplacer("___", "-", "__", "_", "_", ".").Replace(strings.ToLower(name))
			props[name] = value
		}
	}
	return props
}
