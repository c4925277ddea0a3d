package registry

import (
	"errors"
	"strings"
	"testing"

	"github.com/confluentinc/confluent-kafka-go/v2/schemaregistry"
	"github.com/confluentinc/confluent-kafka-go/v2/schemaregistry/rest"
)

// TestConfluentClient makes every call of confluent-kafka-go's client.
func TestConfluentClient(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	c := confluent(t, s)
	t.Run("schemas", func(t *testing.T) { confluentSchemas(t, c) })
	t.Run("references", func(t *testing.T) { confluentReferences(t, c) })
	t.Run("compatibility", func(t *testing.T) { confluentCompatibility(t, c) })
	t.Run("configs", func(t *testing.T) { confluentConfigs(t, c) })
	t.Run("metadata", func(t *testing.T) { confluentMetadata(t, c) })
	t.Run("deletes", func(t *testing.T) { confluentDeletes(t, c) })
	t.Run("other types", func(t *testing.T) { confluentOtherTypes(t, c) })
}

func avroInfo(text string) schemaregistry.SchemaInfo {
	return schemaregistry.SchemaInfo{Schema: text, SchemaType: "AVRO"}
}

// confluentSchemas registers, and finds by id, GUID, version and text. Its caches are
// emptied so that the server answers.
func confluentSchemas(t *testing.T, c schemaregistry.Client) {
	contexts, err := c.GetAllContexts()
	must(t, err)
	wantList(t, "contexts", contexts, ".")
	id, err := c.Register("orders/value", avroInfo(orderOne), false)
	must(t, err)
	full, err := c.RegisterFullResponse("orders/value", avroInfo(orderTwo), true)
	must(t, err)
	if full.ID == id || full.GUID == "" || full.Version != 2 {
		t.Errorf("registered: %+v", full)
	}
	must(t, c.ClearCaches())
	again, err := c.Register("orders/value", avroInfo(orderOne), false)
	must(t, err)
	want(t, "the id of the same schema", again, id)
	must(t, c.ClearCaches())
	info, err := c.GetBySubjectAndID("orders/value", id)
	must(t, err)
	want(t, "schema by id", info.Schema, orderOne)
	info, err = c.GetByGUID(full.GUID)
	must(t, err)
	if !strings.Contains(info.Schema, `"note"`) {
		t.Errorf("schema by GUID: %s", info.Schema)
	}
	where, err := c.GetSubjectsAndVersionsByID(id)
	must(t, err)
	wantList(t, "places of the id", where, schemaregistry.SubjectAndVersion{Subject: "orders/value", Version: 1})
	got, err := c.GetID("orders/value", avroInfo(orderOne), false)
	must(t, err)
	want(t, "id of a text", got, id)
	must(t, c.ClearCaches())
	found, err := c.GetIDFullResponse("orders/value", avroInfo(orderTwo), true)
	must(t, err)
	want(t, "version of a text", found.Version, 2)
	latest, err := c.GetLatestSchemaMetadata("orders/value")
	must(t, err)
	want(t, "latest id", latest.ID, full.ID)
	first, err := c.GetSchemaMetadata("orders/value", 1)
	must(t, err)
	want(t, "first id", first.ID, id)
	versions, err := c.GetAllVersions("orders/value")
	must(t, err)
	wantList(t, "versions", versions, 1, 2)
	number, err := c.GetVersion("orders/value", avroInfo(orderOne), false)
	must(t, err)
	want(t, "version", number, 1)
	must(t, c.ClearLatestCaches())
	subjects, err := c.GetAllSubjects()
	must(t, err)
	wantList(t, "subjects", subjects, "orders/value")
	_, err = c.GetLatestSchemaMetadata("none")
	wantCode(t, err, 40401, "Subject 'none' not found.")
	_, err = c.GetSchemaMetadata("orders/value", 9)
	wantCode(t, err, 40402, "Version 9 not found.")
	_, err = c.GetBySubjectAndID("", 999)
	wantCode(t, err, 40403, "999")
	_, err = c.GetID("orders/value", avroInfo(`"string"`), false)
	wantCode(t, err, 40403, "Schema not found")
}

func confluentReferences(t *testing.T, c schemaregistry.Client) {
	in := avroInfo(cart)
	in.References = []schemaregistry.Reference{{Name: "shop.Order", Subject: "orders/value", Version: 1}}
	id, err := c.Register("carts-value", in, false)
	must(t, err)
	info, err := c.GetBySubjectAndID("carts-value", id)
	must(t, err)
	wantList(t, "references", info.References, in.References...)
	in.References[0].Version = 7
	_, err = c.Register("carts-value", in, false)
	wantCode(t, err, 42201, "orders/value")
}

func confluentCompatibility(t *testing.T, c schemaregistry.Client) {
	_, err := c.Register("orders/value", avroInfo(orderBad), false)
	wantCode(t, err, 409, "READER_FIELD_MISSING_DEFAULT_VALUE")
	for text, ok := range map[string]bool{orderTwo: true, orderBad: false} {
		got, err := c.TestCompatibility("orders/value", 1, avroInfo(text))
		must(t, err)
		want(t, "compatible with version 1: "+text, got, ok)
		got, err = c.TestSubjectCompatibility("orders/value", avroInfo(text))
		must(t, err)
		want(t, "compatible with the subject: "+text, got, ok)
	}
	_, err = c.GetCompatibility("orders/value")
	wantCode(t, err, 40408, "")
	for _, level := range []schemaregistry.Compatibility{schemaregistry.Backward, schemaregistry.Forward, schemaregistry.Full,
		schemaregistry.BackwardTransitive, schemaregistry.ForwardTransitive, schemaregistry.FullTransitive, schemaregistry.None} {
		set, err := c.UpdateCompatibility("orders/value", level)
		must(t, err)
		want(t, "level that was set", set, level)
		got, err := c.GetCompatibility("orders/value")
		must(t, err)
		want(t, "level", got, level)
	}
	_, err = c.Register("orders/value", avroInfo(orderBad), false)
	must(t, err)
	level, err := c.GetDefaultCompatibility()
	must(t, err)
	want(t, "default level", level, schemaregistry.Backward)
	level, err = c.UpdateDefaultCompatibility(schemaregistry.Full)
	must(t, err)
	want(t, "default level that was set", level, schemaregistry.Full)
}

func confluentConfigs(t *testing.T, c schemaregistry.Client) {
	update := schemaregistry.ServerConfig{Normalize: true, CompatibilityUpdate: schemaregistry.Forward, CompatibilityGroup: "major",
		DefaultMetadata: &schemaregistry.Metadata{Properties: map[string]string{"owner": "shop"}}}
	set, err := c.UpdateConfig("configured", update)
	must(t, err)
	want(t, "level that was set", set.CompatibilityUpdate, schemaregistry.Forward)
	got, err := c.GetConfig("configured", false)
	must(t, err)
	if got.CompatibilityLevel != schemaregistry.Forward || !got.Normalize || got.CompatibilityGroup != "major" || got.DefaultMetadata.Properties["owner"] != "shop" {
		t.Errorf("config: %+v", got)
	}
	_, err = c.GetConfig("unset", false)
	wantCode(t, err, 40408, "unset")
	got, err = c.GetConfig("unset", true)
	must(t, err)
	want(t, "level of all", got.CompatibilityLevel, schemaregistry.Full)
	_, err = c.UpdateDefaultConfig(schemaregistry.ServerConfig{CompatibilityUpdate: schemaregistry.Backward})
	must(t, err)
	got, err = c.GetDefaultConfig()
	must(t, err)
	want(t, "default level", got.CompatibilityLevel, schemaregistry.Backward)
}

func confluentMetadata(t *testing.T, c schemaregistry.Client) {
	for _, major := range []string{"1", "2"} {
		in := avroInfo(orderOne)
		in.Metadata = &schemaregistry.Metadata{Properties: map[string]string{"major": major}}
		_, err := c.Register("tagged", in, false)
		must(t, err)
	}
	found, err := c.GetLatestWithMetadata("tagged", map[string]string{"major": "1"}, false)
	must(t, err)
	want(t, "version with major 1", found.Version, 1)
	_, err = c.GetLatestWithMetadata("tagged", map[string]string{"major": "3"}, false)
	wantCode(t, err, 40403, "")
}

func confluentDeletes(t *testing.T, c schemaregistry.Client) {
	_, err := c.DeleteSubjectVersion("orders/value", 1, false)
	wantCode(t, err, 42206, "subject=orders/value,version=1}")
	deleted, err := c.DeleteSubjectVersion("orders/value", 2, false)
	must(t, err)
	want(t, "deleted version", deleted, 2)
	must(t, c.ClearCaches())
	_, err = c.GetSchemaMetadata("orders/value", 2)
	wantCode(t, err, 40402, "")
	gone, err := c.GetSchemaMetadataIncludeDeleted("orders/value", 2, true)
	must(t, err)
	want(t, "deleted version that is still there", gone.Version, 2)
	number, err := c.GetVersionIncludeDeleted("orders/value", avroInfo(orderTwo), true, true)
	must(t, err)
	want(t, "version of a deleted text", number, 2)
	_, err = c.DeleteSubjectVersion("orders/value", 3, true)
	wantCode(t, err, 40407, "")
	_, err = c.DeleteSubjectVersion("orders/value", 2, true)
	must(t, err)
	versions, err := c.DeleteSubject("tagged", false)
	must(t, err)
	wantList(t, "deleted versions", versions, 1, 2)
	_, err = c.DeleteSubject("tagged", false)
	wantCode(t, err, 40404, "")
	versions, err = c.DeleteSubject("tagged", true)
	must(t, err)
	wantList(t, "versions that are gone", versions, 1, 2)
	subjects, err := c.GetAllSubjects()
	must(t, err)
	wantList(t, "subjects that are left", subjects, "carts-value", "orders/value")
}

// confluentOtherTypes wants schemas of the other types, and refuses what is none, and types that there are not.
func confluentOtherTypes(t *testing.T, c schemaregistry.Client) {
	for typ, text := range map[string]string{"PROTOBUF": `syntax = "proto3"; message Order { int64 id = 1; }`, "JSON": `{"type":"object"}`} {
		_, err := c.Register("other-"+typ, schemaregistry.SchemaInfo{Schema: text, SchemaType: typ}, false)
		must(t, err)
		_, err = c.Register("other-"+typ, schemaregistry.SchemaInfo{Schema: text[:5], SchemaType: typ}, false)
		wantCode(t, err, 42201, "")
	}
	_, err := c.Register("other", avroInfo(`{"type":"record"}`), false)
	wantCode(t, err, 42201, "")
}

// wantCode wants an answer with a code of the registry and a part of its message.
func wantCode(t *testing.T, err error, code int, part string) {
	t.Helper()
	var answer *rest.Error
	if !errors.As(err, &answer) || answer.Code != code || !strings.Contains(answer.Message, part) {
		t.Errorf("got %v, want %d with %q", err, code, part)
	}
}
