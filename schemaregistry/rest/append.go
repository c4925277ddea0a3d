package rest

import (
	"strconv"
	"sync"

	"github.com/sluice-data/sluice/connect/connectjson"
	"github.com/sluice-data/sluice/schemaregistry"
)

// appender is an answer that writes its own JSON: schemas are what clients ask for most, and encoding/json takes longer for one
// than all else of a request.
type appender interface{ appendJSON(dst []byte) []byte }

// maxKeptBuffer is the size above which a buffer is not used again (I5).
const maxKeptBuffer = 64 << 10

// buffers are for answers of appenders.
var buffers = sync.Pool{New: func() any { return new(make([]byte, 0, usualAnswer)) }}

// schemaList is an array in answers.
type schemaList []schemaJSON

func (l schemaList) appendJSON(dst []byte) []byte {
	dst = append(dst, '[')
	for i := range l {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = l[i].appendJSON(dst)
	}
	return append(dst, ']')
}

// appendJSON writes what the tags of the fields say.
func (j schemaJSON) appendJSON(dst []byte) []byte {
	o := object{append(dst, '{')}
	o.text("subject", j.Subject)
	o.number("version", int64(j.Version))
	o.number("id", int64(j.ID))
	o.text("guid", j.GUID)
	o.text("schemaType", j.Type)
	if len(j.References) > 0 {
		o.value("references", j.References)
	}
	if j.Metadata != nil {
		o.value("metadata", j.Metadata)
	}
	if j.Rules != nil {
		o.value("ruleSet", j.Rules)
	}
	if j.Schema != (schemaregistry.Text{}) {
		o.name("schema")
		o.dst = j.Schema.AppendJSON(o.dst)
	}
	if len(j.Tags) > 0 {
		o.value("schemaTags", j.Tags)
	}
	o.number("maxId", int64(j.MaxID))
	o.number("ts", j.TimeMs)
	if j.Deleted != nil {
		o.name("deleted")
		o.dst = strconv.AppendBool(o.dst, *j.Deleted)
	}
	if len(j.Aliases) > 0 {
		o.value("aliases", j.Aliases)
	}
	return append(o.dst, '}')
}

// object is a JSON object that is being written. Members without a value are left out.
type object struct{ dst []byte }

func (o *object) name(name string) {
	if o.dst[len(o.dst)-1] != '{' {
		o.dst = append(o.dst, ',')
	}
	o.dst = append(o.dst, '"')
	o.dst = append(o.dst, name...)
	o.dst = append(o.dst, '"', ':')
}

func (o *object) text(name, text string) {
	if text != "" {
		o.name(name)
		o.dst = connectjson.AppendString(o.dst, text)
	}
}

func (o *object) number(name string, n int64) {
	if n != 0 {
		o.name(name)
		o.dst = strconv.AppendInt(o.dst, n, 10)
	}
}

func (o *object) value(name string, v any) {
	o.name(name)
	o.dst = append(o.dst, encode(v)...)
}
