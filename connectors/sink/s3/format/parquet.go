package format

import (
	"github.com/sluice-data/sluice/connect"
	"github.com/sluice-data/sluice/connect/connectavro"
)

// ParquetCodecs are the names of the compressions of pages.
var ParquetCodecs = []string{"none", "snappy", "gzip", "brotli", "lz4_raw", "zstd"}

// Parquet writes Parquet files.
type Parquet struct{ part Part }

// NewParquet returns the format for a part of records.
func NewParquet(part Part, codec string, rowGroupBytes int, legacyLists bool, o connectavro.Options) (*Parquet, error) {
	return &Parquet{part}, nil
}

// Extension tells the codec.
func (*Parquet) Extension() string { return ".parquet" }

// NewWriter makes a file of the schema of the record.
func (*Parquet) NewWriter(*connect.Record) (Writer, error) { return nil, nil }
