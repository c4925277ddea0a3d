package postgres

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/sluice-data/sluice/connect"
)

// maskOptions are about columns whose values are changed or described.
type maskOptions struct {
	rules []maskRule // the first that matches counts
	// propagateColumns and propagateTypes choose columns, by schema.table.column and by
	// schema.table.type, whose schemas say what they are in the database.
	propagateColumns, propagateTypes patterns

	propagateColumnsText, propagateTypesText []string
}

// maskRule is one option column.mask.* or column.truncate.*.
type maskRule struct {
	columns patterns
	mask    mask
	text    []string
}

// maxMaskChars bounds the length of masks and truncated values (I5).
const maxMaskChars = 1 << 20

func (o *maskOptions) define(d *connect.Def) {
	const columns = "Regular expressions for schema.table.column"
	d.Add(group(groupRecords,
		connect.Option{Name: "column.propagate.source.type", Var: &o.propagateColumnsText, Check: o.propagateColumns.check(&o.propagateColumnsText),
			Doc:        columns + ": columns whose schemas get parameters __debezium.source.column.* with their type, length, scale and name.",
			Importance: connect.Medium, Display: "Propagate Source Types by Column"},
		connect.Option{Name: "datatype.propagate.source.type", Var: &o.propagateTypesText, Check: o.propagateTypes.check(&o.propagateTypesText),
			Doc:        "The same for regular expressions for schema.table.type.",
			Importance: connect.Medium, Display: "Propagate Source Types by Type"},
	)...)
}

// The options whose names carry a length or a hash.
var (
	truncateOption = regexp.MustCompile(`^column\.truncate\.to\.(\d+)\.chars$`)
	maskOption     = regexp.MustCompile(`^column\.mask\.with\.(\d+)\.chars$`)
	hashOption     = regexp.MustCompile(`^column\.mask\.hash\.(v2\.)?([^.]+)\.with\.salt\.(.+)$`)
)

// defineFor declares the masks among names, in Debezium's order: truncation,
// masks, hashes.
func (o *maskOptions) defineFor(d *connect.Def, names []string) {
	o.rules = nil
	for _, form := range []struct {
		option *regexp.Regexp
		mask   func(m []string) (mask, error)
		doc    string
	}{
		{truncateOption, truncation, "columns whose values are cut to so many characters."},
		{maskOption, stars, "columns whose values are replaced by so many asterisks."},
		{hashOption, hashing, "columns whose values are replaced by their salted hash. With v2 the hash is that of the value's text, without it of its serialized Java object."},
	} {
		for _, name := range names {
			if m := form.option.FindStringSubmatch(name); m != nil {
				o.add(d, name, form.doc, m, form.mask)
			}
		}
	}
}

func (o *maskOptions) add(d *connect.Def, name, doc string, m []string, make func([]string) (mask, error)) {
	i := len(o.rules)
	o.rules = append(o.rules, maskRule{})
	text := new([]string)
	check := func() (err error) {
		rule := &o.rules[i]
		if rule.mask, err = make(m); err != nil {
			return err
		}
		return rule.columns.check(text)()
	}
	d.Add(group(groupRecords, connect.Option{Name: name, Var: text, Check: check,
		Doc: "Regular expressions for schema.table.column: " + doc, Importance: connect.Low})...)
}

// chars reads the number in an option's name.
func chars(text string) (int, error) {
	n, err := strconv.Atoi(text)
	if err != nil || n > maxMaskChars {
		return 0, fmt.Errorf("its name has a number above %d", maxMaskChars)
	}
	return n, nil
}

func truncation(m []string) (mask, error) {
	n, err := chars(m[1])
	return mask{truncate: true, chars: n}, err
}

func stars(m []string) (mask, error) {
	n, err := chars(m[1])
	if err != nil {
		return mask{}, err
	}
	return mask{replace: true, text: strings.Repeat("*", n)}, nil
}

func hashing(m []string) (mask, error) {
	name := strings.ToUpper(m[2])
	h, ok := hashes[name]
	if !ok {
		return mask{}, errors.New("its name has a hash other than MD5, SHA-1, SHA-224, SHA-256, SHA-384, SHA-512, SHA-512/256 and SHA3-256 to SHA3-512")
	}
	return mask{hash: h, salt: []byte(m[3]), serialized: m[1] == ""}, nil
}
