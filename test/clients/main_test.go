package clients

import (
	"os"
	"testing"
)

func TestMain(m *testing.M) {
	code := m.Run()
	stopPythons()
	os.Exit(code)
}
