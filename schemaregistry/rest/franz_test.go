package rest_test

import (
	"errors"
	"fmt"
	"net/http/httptest"
	"slices"
	"testing"

	"github.com/twmb/franz-go/pkg/sr"

	"github.com/sluice-data/sluice/internal/vfs"
	"github.com/sluice-data/sluice/schemaregistry/registrytest"
	"github.com/sluice-data/sluice/schemaregistry/rest"
)

// TestFranzGo makes every call of franz-go's registry client, pkg/sr.
func TestFranzGo(t *testing.T) {
	opts, _ := registrytest.Cluster(t, vfs.NewMem(), "/data")
	r, _ := registrytest.Start(t, opts)
	server := httptest.NewServer(rest.New(r, rest.Options{}))
	t.Cleanup(server.Close)
	cl, err := sr.NewClient(sr.URLs(server.URL))
	if err != nil {
		t.Fatal(err)
	}
	franzWrites(t, cl)
	franzReads(t, cl)
	franzSettings(t, cl)
	franzDeletes(t, cl)
}

// equal compares what a call returned, as text.
func equal(t *testing.T, what string, got any, err error, want string) {
	t.Helper()
	if text := fmt.Sprint(got); err != nil || text != want {
		t.Errorf("%s: %s, %v; want %s", what, text, err, want)
	}
}

const enumText = `{"type":"enum","name":"E","symbols":["A"]}`

func franzWrites(t *testing.T, cl *sr.Client) {
	ctx := t.Context()
	e, err := cl.CreateSchema(ctx, "e", sr.Schema{Schema: enumText})
	equal(t, "CreateSchema", []any{e.Subject, e.Version, e.ID, e.Schema.Schema}, err, "[e 1 1 "+enumText+"]")
	user := sr.Schema{Schema: `{"type":"array","items":"E"}`, References: []sr.SchemaReference{{Name: "E", Subject: "e", Version: 1}}}
	id, err := cl.RegisterSchema(ctx, "team/user", user, -1, -1)
	equal(t, "RegisterSchema", id, err, "2")
	modes := cl.SetMode(ctx, sr.ModeImport, "imported")
	equal(t, "SetMode", modes[0].Mode, modes[0].Err, "IMPORT")
	i, err := cl.CreateSchemaWithIDAndVersion(ctx, "imported", sr.Schema{Schema: `"string"`}, 77, 5)
	equal(t, "CreateSchemaWithIDAndVersion", []any{i.Version, i.ID}, err, "[5 77]")
	_, err = cl.CreateSchema(ctx, "e", sr.Schema{Schema: `{"type":"enum","name":"E","symbols":["B"]}`})
	var refused *sr.ResponseError
	if !errors.As(err, &refused) || refused.ErrorCode != 409 || refused.StatusCode != 409 {
		t.Errorf("an incompatible schema: %v", err)
	}
	c, err := cl.CheckCompatibility(sr.WithParams(ctx, sr.Verbose), "e", -1, sr.Schema{Schema: `{"type":"enum","name":"E","symbols":["B"]}`})
	equal(t, "CheckCompatibility", []any{c.Is, len(c.Messages)}, err, "[false 5]")
}

func franzReads(t *testing.T, cl *sr.Client) {
	ctx := t.Context()
	types, err := cl.SupportedTypes(ctx)
	equal(t, "SupportedTypes", types, err, "[AVRO]")
	contexts, err := cl.Contexts(ctx)
	equal(t, "Contexts", contexts, err, "[.]")
	subjects, err := cl.Subjects(ctx)
	slices.Sort(subjects)
	equal(t, "Subjects", subjects, err, "[e imported team/user]")
	s, err := cl.SchemaByID(ctx, 2)
	equal(t, "SchemaByID", s.References, err, "[{E e 1}]")
	text, err := cl.SchemaTextByID(ctx, 1)
	equal(t, "SchemaTextByID", text, err, enumText)
	names, err := cl.SubjectsByID(ctx, 2)
	equal(t, "SubjectsByID", names, err, "[team/user]")
	pairs, err := cl.SchemaVersionsByID(ctx, 77)
	equal(t, "SchemaVersionsByID", pairs, err, "[{imported 5}]")
	numbers, err := cl.SubjectVersions(ctx, "imported")
	equal(t, "SubjectVersions", numbers, err, "[5]")
	v, err := cl.SchemaByVersion(ctx, "team/user", -1)
	equal(t, "SchemaByVersion", []any{v.Subject, v.Version, v.ID}, err, "[team/user 1 2]")
	text, err = cl.SchemaTextByVersion(ctx, "e", 1)
	equal(t, "SchemaTextByVersion", text, err, enumText)
	all, err := cl.AllSchemas(ctx)
	equal(t, "AllSchemas", len(all), err, "3")
	of, err := cl.Schemas(ctx, "e")
	equal(t, "Schemas", len(of), err, "1")
	found, err := cl.LookupSchema(ctx, "e", sr.Schema{Schema: `{"name": "E", "type": "enum", "symbols": ["A"]}`})
	equal(t, "LookupSchema", []any{found.Version, found.ID}, err, "[1 1]")
	users, err := cl.SchemaReferences(ctx, "e", 1)
	equal(t, "SchemaReferences", len(users), err, "1")
	usages, err := cl.SchemaUsagesByID(ctx, 1)
	equal(t, "SchemaUsagesByID", len(usages), err, "1")
	byGUID, err := cl.SchemaByGUID(ctx, found.GUID)
	equal(t, "SchemaByGUID", byGUID.Schema.Schema, err, enumText)
	ids, err := cl.SchemaIDsByGUID(ctx, found.GUID)
	equal(t, "SchemaIDsByGUID", ids, err, "[{. 1}]")
}

func franzSettings(t *testing.T, cl *sr.Client) {
	ctx := t.Context()
	one := func(what string, got any, err error, want string) {
		t.Helper()
		equal(t, what, got, err, want)
	}
	c := cl.Compatibility(ctx)[0]
	one("Compatibility", c.Level, c.Err, "BACKWARD")
	c = cl.SetCompatibility(ctx, sr.SetCompatibility{Level: sr.CompatFull, Normalize: true, Group: "major"}, "e")[0]
	one("SetCompatibility", []any{c.Subject, c.Err}, nil, "[e <nil>]")
	c = cl.Compatibility(ctx, "e")[0]
	one("Compatibility of a subject", []any{c.Level, c.Normalize, c.Group}, c.Err, "[FULL true major]")
	c = cl.ResetCompatibility(ctx, "e")[0]
	// It reads the level under the name that only the answer to PUT has, so it sees none here nor from Confluent's registry.
	one("ResetCompatibility", []any{c.Level, c.Group}, c.Err, "[ major]")
	m := cl.Mode(ctx, "imported")[0]
	one("Mode", m.Mode, m.Err, "IMPORT")
	m = cl.ResetMode(ctx, "imported")[0]
	one("ResetMode", m.Mode, m.Err, "IMPORT")
}

func franzDeletes(t *testing.T, cl *sr.Client) {
	ctx := t.Context()
	if err := cl.DeleteSchema(ctx, "e", 1, sr.SoftDelete); err == nil {
		t.Error("a schema that another refers to was deleted")
	}
	equal(t, "DeleteSchema", nil, cl.DeleteSchema(ctx, "team/user", 1, sr.SoftDelete), "<nil>")
	numbers, err := cl.SubjectVersions(sr.WithParams(ctx, sr.ShowDeleted), "team/user")
	equal(t, "SubjectVersions with deleted ones", numbers, err, "[1]")
	equal(t, "DeleteSchema for good", nil, cl.DeleteSchema(ctx, "team/user", 1, sr.HardDelete), "<nil>")
	for _, how := range []sr.DeleteHow{sr.SoftDelete, sr.HardDelete} {
		numbers, err = cl.DeleteSubject(ctx, "e", how)
		equal(t, "DeleteSubject", numbers, err, "[1]")
	}
	equal(t, "DeleteContext", nil, cl.DeleteContext(ctx, ".gone"), "<nil>")
}
