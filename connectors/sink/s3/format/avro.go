package format

import (
	"github.com/sluice-data/sluice/connect"
	"github.com/sluice-data/sluice/connect/connectavro"
)

// AvroCodecs are the names of the compressions of blocks.
var AvroCodecs = []string{"null", "deflate", "snappy", "bzip2", "zstandard"}

// Avro writes Avro container files.
type Avro struct {
	part Part
}

// NewAvro returns the format for a part of records.
func NewAvro(part Part, codec string, o connectavro.Options) *Avro { return &Avro{part} }

// Extension is .avro.
func (*Avro) Extension() string { return ".avro" }

// NewWriter makes a file of the schema of the record.
func (*Avro) NewWriter(*connect.Record) (Writer, error) { return nil, nil }
