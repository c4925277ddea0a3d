package registry

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/sr"
)

// TestFranzGo makes every call of franz-go's registry client.
func TestFranzGo(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	c, err := sr.NewClient(sr.URLs("http://" + s.Registry))
	must(t, err)
	t.Run("schemas", func(t *testing.T) { franzSchemas(t, c) })
	t.Run("lists", func(t *testing.T) { franzLists(t, c) })
	t.Run("compatibility", func(t *testing.T) { franzCompatibility(t, c) })
	t.Run("modes", func(t *testing.T) { franzModes(t, c) })
	t.Run("deletes", func(t *testing.T) { franzDeletes(t, c) })
	t.Run("contexts", func(t *testing.T) { franzContexts(t, s.Registry) })
	t.Run("other types", func(t *testing.T) { franzOtherTypes(t, c) })
}

// franzSchemas registers two versions of an order and a cart that refers to the first.
func franzSchemas(t *testing.T, c *sr.Client) {
	ctx := t.Context()
	types, err := c.SupportedTypes(ctx)
	must(t, err)
	wantList(t, "types", types, sr.TypeAvro, sr.TypeProtobuf, sr.TypeJSON)
	one, err := c.CreateSchema(ctx, "orders", sr.Schema{Schema: orderOne})
	must(t, err)
	if one.ID != 1 || one.Version != 1 || one.GUID == "" || one.Subject != "orders" {
		t.Errorf("created: %+v", one)
	}
	id, err := c.RegisterSchema(ctx, "orders", sr.Schema{Schema: orderTwo}, -1, -1)
	must(t, err)
	want(t, "second id", id, 2)
	refs := []sr.SchemaReference{{Name: "shop.Order", Subject: "orders", Version: 1}}
	using, err := c.CreateSchema(ctx, "carts", sr.Schema{Schema: cart, References: refs})
	must(t, err)
	wantList(t, "references", using.References, refs...)
	byID, err := c.SchemaByID(ctx, 1)
	must(t, err)
	want(t, "schema by id", byID.Schema, orderOne)
	text, err := c.SchemaTextByID(ctx, 2)
	must(t, err)
	want(t, "text by id", text, orderTwo)
	byGUID, err := c.SchemaByGUID(ctx, one.GUID)
	must(t, err)
	want(t, "schema by GUID", byGUID.Schema.Schema, orderOne)
	ids, err := c.SchemaIDsByGUID(ctx, one.GUID)
	must(t, err)
	wantList(t, "ids of a GUID", ids, sr.ContextID{Context: ".", ID: 1})
	latest, err := c.SchemaByVersion(ctx, "orders", -1)
	must(t, err)
	want(t, "latest", latest.Version, 2)
	text, err = c.SchemaTextByVersion(ctx, "orders", 1)
	must(t, err)
	want(t, "text by version", text, orderOne)
	found, err := c.LookupSchema(ctx, "orders", sr.Schema{Schema: " " + orderOne + "\n"})
	must(t, err)
	want(t, "version of a text", found.Version, 1)
	users, err := c.SchemaReferences(ctx, "orders", 1)
	must(t, err)
	if len(users) != 1 || users[0].Subject != "carts" {
		t.Errorf("who refers to it: %+v", users)
	}
	_, err = c.SchemaByID(ctx, 99)
	wantAnswer(t, err, sr.ErrSchemaNotFound, "99")
	_, err = c.SchemaByVersion(ctx, "none", 1)
	wantAnswer(t, err, sr.ErrSubjectNotFound, "none")
	_, err = c.SchemaByVersion(ctx, "orders", 9)
	wantAnswer(t, err, sr.ErrVersionNotFound, "9")
	_, err = c.CreateSchema(ctx, "orders", sr.Schema{Schema: `{"type":"nothing"}`})
	wantAnswer(t, err, sr.ErrInvalidSchema, "nothing")
}

func franzLists(t *testing.T, c *sr.Client) {
	ctx := t.Context()
	contexts, err := c.Contexts(ctx)
	must(t, err)
	wantList(t, "contexts", contexts, ".")
	subjects, err := c.Subjects(ctx)
	must(t, err)
	wantList(t, "subjects", subjects, "carts", "orders")
	subjects, err = c.Subjects(sr.WithParams(ctx, sr.SubjectPrefix("ord")))
	must(t, err)
	wantList(t, "subjects with a prefix", subjects, "orders")
	versions, err := c.SubjectVersions(ctx, "orders")
	must(t, err)
	wantList(t, "versions", versions, 1, 2)
	of, err := c.Schemas(ctx, "orders")
	must(t, err)
	want(t, "schemas of a subject", len(of), 2)
	all, err := c.AllSchemas(ctx)
	must(t, err)
	want(t, "all schemas", len(all), 3)
	all, err = c.AllSchemas(sr.WithParams(ctx, sr.LatestOnly))
	must(t, err)
	want(t, "latest schemas", len(all), 2)
	subjects, err = c.SubjectsByID(ctx, 2)
	must(t, err)
	wantList(t, "subjects of an id", subjects, "orders")
	places, err := c.SchemaVersionsByID(ctx, 2)
	must(t, err)
	wantList(t, "versions of an id", places, sr.SubjectVersion{Subject: "orders", Version: 2})
	usages, err := c.SchemaUsagesByID(ctx, 2)
	must(t, err)
	if len(usages) != 1 || usages[0].Version != 2 {
		t.Errorf("usages of an id: %+v", usages)
	}
}

func franzCompatibility(t *testing.T, c *sr.Client) {
	ctx := t.Context()
	for _, version := range []int{1, -1, -2} {
		got, err := c.CheckCompatibility(sr.WithParams(ctx, sr.Verbose), "orders", version, sr.Schema{Schema: orderBad})
		must(t, err)
		if got.Is || !slices.ContainsFunc(got.Messages, func(m string) bool { return strings.Contains(m, "READER_FIELD_MISSING_DEFAULT_VALUE") }) {
			t.Errorf("compatible with version %d: %+v", version, got)
		}
	}
	_, err := c.CreateSchema(ctx, "orders", sr.Schema{Schema: orderBad})
	if answer, ok := errors.AsType[*sr.ResponseError](err); !ok || answer.ErrorCode != 409 || answer.StatusCode != 409 {
		t.Errorf("an incompatible schema: %v", err)
	}
	got := c.Compatibility(ctx)[0]
	must(t, got.Err)
	want(t, "level of all", got.Level, sr.CompatBackward)
	must(t, c.SetCompatibility(ctx, sr.SetCompatibility{Level: sr.CompatNone, Normalize: true}, "orders")[0].Err)
	got = c.Compatibility(ctx, "orders")[0]
	must(t, got.Err)
	if got.Level != sr.CompatNone || !got.Normalize {
		t.Errorf("config of a subject: %+v", got)
	}
	must(t, c.ResetCompatibility(ctx, "orders")[0].Err)
	wantAnswer(t, c.Compatibility(ctx, "orders")[0].Err, sr.ErrSubjectLevelCompatibilityNotConfigured, "orders")
	got = c.Compatibility(sr.WithParams(ctx, sr.DefaultToGlobal), "orders")[0]
	must(t, got.Err)
	want(t, "level with that of all as the default", got.Level, sr.CompatBackward)
	must(t, c.SetCompatibility(ctx, sr.SetCompatibility{Level: sr.CompatFull})[0].Err)
	must(t, c.ResetCompatibility(ctx)[0].Err)
}

func franzModes(t *testing.T, c *sr.Client) {
	ctx := t.Context()
	got := c.Mode(ctx)[0]
	must(t, got.Err)
	want(t, "mode of all", got.Mode, sr.ModeReadWrite)
	must(t, c.SetMode(ctx, sr.ModeReadOnly, "orders")[0].Err)
	_, err := c.RegisterSchema(ctx, "orders", sr.Schema{Schema: orderBad}, -1, -1)
	wantAnswer(t, err, sr.ErrOperationNotPermitted, "orders")
	must(t, c.ResetMode(ctx, "orders")[0].Err)
	wantAnswer(t, c.Mode(ctx, "orders")[0].Err, sr.ErrSubjectLevelModeNotConfigured, "orders")

	must(t, c.SetMode(ctx, sr.ModeImport, "imported")[0].Err)
	made, err := c.CreateSchemaWithIDAndVersion(ctx, "imported", sr.Schema{Schema: orderBad}, 77, 5)
	must(t, err)
	if made.ID != 77 || made.Version != 5 {
		t.Errorf("imported: %+v", made)
	}
	_, err = c.CreateSchemaWithIDAndVersion(ctx, "imported", sr.Schema{Schema: `"string"`}, 77, 6)
	wantAnswer(t, err, sr.ErrOperationNotPermitted, "77")
	must(t, c.ResetMode(ctx, "imported")[0].Err)
	id, err := c.RegisterSchema(ctx, "next", sr.Schema{Schema: `"long"`}, -1, -1)
	must(t, err)
	want(t, "the id after an imported one", id, 78)
}

func franzDeletes(t *testing.T, c *sr.Client) {
	ctx := t.Context()
	wantAnswer(t, c.DeleteSchema(ctx, "orders", 1, sr.SoftDelete), sr.ErrReferenceExists, "")
	wantAnswer(t, c.DeleteSchema(ctx, "orders", 2, sr.HardDelete), sr.ErrSchemaVersionNotSoftDeleted, "orders")
	must(t, c.DeleteSchema(ctx, "orders", 2, sr.SoftDelete))
	versions, err := c.SubjectVersions(sr.WithParams(ctx, sr.ShowDeleted), "orders")
	must(t, err)
	wantList(t, "versions with the deleted", versions, 1, 2)
	versions, err = c.SubjectVersions(sr.WithParams(ctx, sr.DeletedOnly), "orders")
	must(t, err)
	wantList(t, "deleted versions", versions, 2)
	must(t, c.DeleteSchema(ctx, "orders", 2, sr.HardDelete))
	id, err := c.RegisterSchema(ctx, "orders", sr.Schema{Schema: orderTwo}, -1, -1)
	must(t, err)
	if id <= 78 {
		t.Errorf("id %d was given a second time", id)
	}
	_, err = c.DeleteSubject(ctx, "carts", sr.HardDelete)
	wantAnswer(t, err, sr.ErrSubjectNotSoftDeleted, "carts")
	versions, err = c.DeleteSubject(ctx, "carts", sr.SoftDelete)
	must(t, err)
	wantList(t, "deleted", versions, 1)
	versions, err = c.DeleteSubject(ctx, "carts", sr.HardDelete)
	must(t, err)
	wantList(t, "gone", versions, 1)
}

// franzContexts registers in a context of its own.
func franzContexts(t *testing.T, addr string) {
	c, err := sr.NewClient(sr.URLs("http://"+addr), sr.DefaultSchemaContext(".staging"))
	must(t, err)
	ctx := t.Context()
	made, err := c.CreateSchema(ctx, "orders", sr.Schema{Schema: orderOne})
	must(t, err)
	want(t, "first id of the context", made.ID, 1)
	plain, err := sr.NewClient(sr.URLs("http://" + addr))
	must(t, err)
	contexts, err := plain.Contexts(ctx)
	must(t, err)
	wantList(t, "contexts", contexts, ".", ".staging")
	if err := plain.DeleteContext(ctx, ".staging"); err == nil {
		t.Error("a context with subjects was deleted")
	}
	for _, how := range []sr.DeleteHow{sr.SoftDelete, sr.HardDelete} {
		_, err = c.DeleteSubject(ctx, "orders", how)
		must(t, err)
	}
	must(t, plain.DeleteContext(ctx, ".staging"))
}

func franzOtherTypes(t *testing.T, c *sr.Client) {
	for typ, text := range map[sr.SchemaType]string{sr.TypeProtobuf: `syntax = "proto3"; message Order {}`, sr.TypeJSON: `{"type":"object"}`} {
		ctx, subject := context.WithoutCancel(t.Context()), "other-"+typ.String()
		_, err := c.RegisterSchema(ctx, subject, sr.Schema{Schema: text, Type: typ}, -1, -1)
		must(t, err)
		_, err = c.RegisterSchema(ctx, subject, sr.Schema{Schema: text[:5], Type: typ}, -1, -1)
		wantAnswer(t, err, sr.ErrInvalidSchema, "")
	}
}

// wantAnswer wants an error of the registry with a part of its message.
func wantAnswer(t *testing.T, err error, code *sr.Error, part string) {
	t.Helper()
	var answer *sr.ResponseError
	if !errors.As(err, &answer) || answer.ErrorCode != code.Code || !strings.Contains(answer.Message, part) {
		t.Errorf("got %v, want %d with %q", err, code.Code, part)
	}
}
