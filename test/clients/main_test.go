package clients

import (
	"os"
	"testing"

	"github.com/sluice-data/sluice/test/process"
)

func TestMain(m *testing.M) {
	code := m.Run()
	stopPythons()
	process.Clean()
	os.Exit(code)
}
