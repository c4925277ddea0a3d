package pgtype

import (
	"testing"

	"github.com/sluice-data/sluice/connect"
)

// TestRecordedForms has what PostGIS 3.3.2 and pgvector 0.8 on PostgreSQL 15 wrote
// for the same values in text and in binary: extensions that tests do not install.
func TestRecordedForms(t *testing.T) {
	c := testCatalog()
	for _, r := range []struct{ typ, text, bin string }{
		{"vector", "[1,2.5,-0.1]", "000300003f80000040200000bdcccccd"},
		{"vector", "[1e-10,3.4e+38,0.3]", "000300002edbe6ff7f7fc99e3e99999a"},
		{"vector", "[0.1,0.2,1.6777216e+07]", "000300003dcccccd3e4ccccd4b800000"},
		{"halfvec", "[1,2.5,-0.099975586]", "000300003c004100ae66"},
		{"halfvec", "[0.099975586,65504,5.9604645e-08,6.0021877e-05]", "000400002e667bff000103ef"},
		{"sparsevec", "{1:1.5,3:-2.1}/5", "00000005000000020000000000000000000000023fc00000c0066666"},
		{"sparsevec", "{}/3", "000000030000000000000000"},
		{"geometry", "0101000020E6100000000000000000F03F0000000000000040", "0101000020e6100000000000000000f03f0000000000000040"},
		{"geometry", "010700000000000000", "010700000000000000"},
		{"geography", "0101000020E6100000000000000000F03F0000000000000040", "0101000020e6100000000000000000f03f0000000000000040"},
		{"geometry[]", "{0101000000000000000000F03F0000000000000040}", "0000000100000000000045ac0000000100000001000000150101000000000000000000f03f0000000000000040"},
	} {
		oid, _ := oidMod(t, c, r.typ)
		codec := compileColumn(t, c, Column{Name: "v", TypeOID: oid, TypeMod: -1})
		b := connect.NewBatch(1, 1)
		x, errX := codec.Text(b, []byte(r.text))
		y, errY := codec.Binary(b, unhex(r.bin))
		if errX != nil || errY != nil || !x.Equal(y) {
			t.Errorf("%s %s: text is %v (%v), binary is %v (%v)", r.typ, r.text, x, errX, y, errY)
		}
	}
}
