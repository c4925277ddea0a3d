package avro

import "slices"

// A checker compares a reader with a writer by the rules of Java's
// SchemaCompatibility, and in its order, because results are remembered: a pair
// of types that comes again gives the differences of the first time, with the
// pointers of that time.
type checker struct {
	budget budget
	depth  int
	memo   map[pair]*result
}

// A result is what has been found for a pair of types. Results share their parts,
// so that the same difference in many places takes the memory of one.
type result struct {
	entries []entry
	// open says that the pair is being compared: it contains itself. It counts as
	// compatible until proven otherwise.
	open bool
}

// An entry is a finding or a result with some.
type entry struct {
	finding *finding
	part    *result
}

func (r *result) bad() bool { return len(r.entries) > 0 }

func (r *result) add(f finding) { r.entries = append(r.entries, entry{finding: &f}) }

// A finding is a difference before its texts are made.
type finding struct {
	kind           DifferenceType
	at             *location
	reader, writer *Type
	// field is the reader's field that has no default.
	field *Field
	// branch is the type of a reader's union that was probably meant.
	branch *branch
}

// A branch is what was found for a type of a reader's union.
type branch struct {
	at     *location
	result *result
}

// A location is a step of a JSON pointer and what is before it; nil is the root.
type location struct {
	before *location
	key    string
	index  int // if key is empty
}

func (l *location) named(key string) *location { return &location{before: l, key: key} }
func (l *location) item(i int) *location       { return &location{before: l, index: i} }

func newChecker() *checker {
	return &checker{
		budget: budget{limit: LimitCompare, max: maxCompareSteps},
		memo:   map[pair]*result{},
	}
}

// compare compares two types, at a location of the reader.
func (c *checker) compare(at *location, reader, writer *Type) (*result, error) {
	if err := c.budget.spend(1); err != nil {
		return nil, err
	}
	r := &result{}
	if reader.Kind.primitive() && writer.Kind.primitive() {
		// Such a pair comes once only, or in a pair that is remembered.
		return r, c.fill(r, at, reader, writer)
	}
	p := pair{reader, writer}
	if known, ok := c.memo[p]; ok {
		if known.open {
			return r, nil
		}
		return known, nil
	}
	if err := c.enter(); err != nil {
		return nil, err
	}
	defer func() { c.depth-- }()
	r.open = true
	c.memo[p] = r
	err := c.fill(r, at, reader, writer)
	r.open = false
	return r, err
}

func (c *checker) enter() error {
	if c.depth++; c.depth > maxCompareDepth {
		return &LimitError{Limit: LimitDepth, Max: maxCompareDepth}
	}
	return c.budget.spend(pairCost)
}

// merge compares two types and takes what is found into r.
func (c *checker) merge(r *result, at *location, reader, writer *Type) error {
	part, err := c.compare(at, reader, writer)
	if err == nil && part.bad() {
		r.entries = append(r.entries, entry{part: part})
	}
	return err
}

func (c *checker) fill(r *result, at *location, reader, writer *Type) error {
	if reader.Kind != writer.Kind {
		return c.otherKind(r, at, reader, writer)
	}
	switch reader.Kind {
	case Array:
		return c.merge(r, at.named("items"), reader.Items, writer.Items)
	case Map:
		return c.merge(r, at.named("values"), reader.Items, writer.Items)
	case Fixed:
		if err := c.names(r, at, reader, writer); err != nil {
			return err
		}
		if reader.Size != writer.Size {
			r.add(finding{kind: FixedSizeMismatch, at: at.named("size"), reader: reader, writer: writer})
		}
	case Enum:
		if err := c.names(r, at, reader, writer); err != nil {
			return err
		}
		return c.symbols(r, at, reader, writer)
	case Record:
		if err := c.names(r, at, reader, writer); err != nil {
			return err
		}
		return c.fields(r, at.named("fields"), reader, writer)
	case Union:
		return c.unions(r, at, reader, writer)
	}
	return nil
}

// names compares names without their namespaces, then with the reader's aliases.
func (c *checker) names(r *result, at *location, reader, writer *Type) error {
	if reader.Name.Local == writer.Name.Local {
		return nil
	}
	full := writer.Name.Full()
	if slices.ContainsFunc(reader.Aliases, func(a Name) bool { return a.asAlias(reader.Name.Space) == full }) {
		return nil
	}
	r.add(finding{kind: NameMismatch, at: at.named("name"), reader: reader, writer: writer})
	return c.budget.spend(len(reader.Aliases))
}

func (c *checker) symbols(r *result, at *location, reader, writer *Type) error {
	if err := c.budget.spend(len(reader.Symbols) + len(writer.Symbols)); err != nil {
		return err
	}
	if reader.Default == nil && len(missingSymbols(reader, writer)) > 0 {
		r.add(finding{kind: MissingEnumSymbols, at: at.named("symbols"), reader: reader, writer: writer})
	}
	return nil
}

// missingSymbols are the writer's symbols that the reader does not have, sorted.
func missingSymbols(reader, writer *Type) []string {
	known := make(map[string]bool, len(reader.Symbols))
	for _, s := range reader.Symbols {
		known[s] = true
	}
	var missing []string
	for _, s := range writer.Symbols {
		if !known[s] {
			missing = append(missing, s)
		}
	}
	slices.SortFunc(missing, compareJava)
	return missing
}

func (c *checker) fields(r *result, at *location, reader, writer *Type) error {
	for i, f := range reader.Fields {
		if err := c.field(r, at.item(i), reader, writer, i); err != nil {
			return err
		}
		if err := c.budget.spend(1 + len(f.Aliases)); err != nil {
			return err
		}
	}
	return nil
}

func (c *checker) field(r *result, at *location, reader, writer *Type, i int) error {
	f := reader.Fields[i]
	match, err := writerField(writer, f, i)
	switch {
	case err != nil:
		return err
	case match != nil:
		return c.merge(r, at.named("type"), f.Type, match.Type)
	case f.Default != nil:
		return nil
	case f.Type.Kind == Enum && f.Type.Default != nil:
		// Java looks whether the writer's record could be read as the enum.
		return c.merge(r, at.named("type"), f.Type, writer)
	}
	r.add(finding{kind: ReaderFieldMissingDefaultValue, at: at, reader: reader, writer: writer, field: f})
	return nil
}

// writerField finds the writer's field that a reader's field is read from: the one
// with its name or one of its aliases. Of several Java makes an exception.
func writerField(writer *Type, f *Field, index int) (*Field, error) {
	match, _ := writer.Field(f.Name)
	for _, alias := range f.Aliases {
		other, _ := writer.Field(alias)
		if other == nil {
			continue
		}
		if match != nil {
			return nil, &ambiguousError{field: f, index: index, writer: writer}
		}
		match = other
	}
	return match, nil
}

// unions wants every type of the writer's union to be readable.
func (c *checker) unions(r *result, at *location, reader, writer *Type) error {
	for i, w := range writer.Branches {
		// The location begins anew, as in Java, where it is not seen.
		part, err := c.compare(nil, reader, w)
		if err != nil {
			return err
		}
		if !part.bad() {
			continue
		}
		f := finding{kind: MissingUnionBranch, at: at.item(i), reader: reader, writer: w}
		if inner := part.entries[0].finding; inner != nil && inner.branch != nil {
			f.branch = &branch{at: at.item(inner.branch.at.index), result: inner.branch.result}
		}
		r.add(f)
	}
	return nil
}

// otherKind compares types of different kinds.
func (c *checker) otherKind(r *result, at *location, reader, writer *Type) error {
	switch {
	case writer.Kind == Union:
		for i, w := range writer.Branches {
			if err := c.merge(r, at.item(i), reader, w); err != nil {
				return err
			}
		}
		return nil
	case reader.Kind == Union:
		return c.anyBranch(r, at, reader, writer)
	case !promotes(writer.Kind, reader.Kind):
		r.add(finding{kind: TypeMismatch, at: at, reader: reader, writer: writer})
	}
	return nil
}

// promotes reports whether a value of one primitive kind can be read as another.
func promotes(from, to Kind) bool {
	switch to {
	case Long:
		return from == Int
	case Float:
		return from == Int || from == Long
	case Double:
		return from == Int || from == Long || from == Float
	case Bytes:
		return from == String
	case String:
		return from == Bytes
	}
	return false
}

// anyBranch wants one type of the reader's union that reads the writer.
func (c *checker) anyBranch(r *result, at *location, reader, writer *Type) error {
	f := finding{kind: MissingUnionBranch, at: at, reader: reader, writer: writer}
	for i, b := range reader.Branches {
		part, err := c.compare(nil, b, writer)
		if err != nil {
			return err
		}
		if !part.bad() {
			return nil
		}
		if f.branch == nil && meant(reader, b, writer) {
			f.branch = &branch{at: at.item(i), result: part}
		}
	}
	r.add(f)
	return nil
}

// meant reports whether a type of the reader's union is the one that the writer's
// type probably is: the one with its name, or the only one of its kind.
func meant(union, b, writer *Type) bool {
	if b.Kind != writer.Kind {
		return false
	}
	if !b.Kind.named() || b.Name.Local == writer.Name.Local {
		return true
	}
	for _, other := range union.Branches {
		if other != b && other.Kind == b.Kind {
			return false
		}
	}
	return true
}
