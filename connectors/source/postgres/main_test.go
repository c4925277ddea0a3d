package postgres

import (
	"os"
	"testing"

	"github.com/sluice-data/sluice/connectors/source/postgres/pgtest"
)

func TestMain(m *testing.M) { os.Exit(pgtest.Main(m)) }
