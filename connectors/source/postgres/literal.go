package postgres

import "github.com/sluice-data/sluice/connect"

// must is for schemas that are literals in the program.
func must(s *connect.Schema, err error) *connect.Schema {
	if err != nil {
		panic(err)
	}
	return s
}

// mustStruct returns the schema of a struct.
func mustStruct(a connect.Attrs, fields ...connect.Field) *connect.Schema {
	return must(connect.NewStruct(fields, a))
}
