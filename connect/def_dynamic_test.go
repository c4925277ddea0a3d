package connect

import (
	"slices"
	"strings"
	"testing"
)

func TestOlderNames(t *testing.T) {
	var name string
	d := &Def{}
	d.Add(Option{Name: "topic.prefix", Var: &name, Required: true, Aliases: []string{"server.name", "logical.name"}})
	for _, c := range []struct {
		settings map[string]string
		want     string
	}{
		{map[string]string{"topic.prefix": "a", "server.name": "b"}, "a"},
		{map[string]string{"server.name": "b"}, "b"},
		{map[string]string{"logical.name": "c", "server.name": "b"}, "b"},
		{map[string]string{"logical.name": "c"}, "c"},
	} {
		if err := Err(d.Parse(c.settings)); err != nil || name != c.want {
			t.Errorf("%v: got %q and error %v, want %q", c.settings, name, err, c.want)
		}
		if unknown := d.Unknown(c.settings); len(unknown) > 0 {
			t.Errorf("%v: %v is not known", c.settings, unknown)
		}
	}
	if err := Err(d.Parse(nil)); err == nil || !strings.Contains(err.Error(), "topic.prefix") {
		t.Errorf("got error %v, want the option's own name", err)
	}
}

func TestValuesInAnyCase(t *testing.T) {
	var strict, loose string
	d := &Def{}
	d.Add(Option{Name: "strict", Var: &strict, Default: "a", OneOf: []string{"a", "b"}},
		Option{Name: "loose", Var: &loose, Default: "Initial", OneOf: []string{"Initial", "never"}, IgnoreCase: true})
	if err := Err(d.Parse(map[string]string{"loose": " INITIAL "})); err != nil || loose != "Initial" {
		t.Errorf("got %q and error %v, want Initial", loose, err)
	}
	if err := Err(d.Parse(map[string]string{"strict": "A", "loose": "sometimes"})); err == nil || strings.Count(err.Error(), "String must be one of") != 2 {
		t.Errorf("got error %v, want two", err)
	}
}

// maskConfig has an option for each column that the settings name.
type maskConfig struct{ columns map[string]*string }

func (c *maskConfig) Define(*Def) {}

func (c *maskConfig) DefineFor(d *Def, names []string) {
	c.columns = make(map[string]*string)
	for _, name := range names {
		if column, ok := strings.CutPrefix(name, "mask."); ok {
			c.columns[column] = new(string)
			d.Add(Option{Name: name, Var: c.columns[column], OneOf: []string{"stars", "hash"}})
		}
	}
}

func TestDynamicOptions(t *testing.T) {
	spec := Spec{New: func() Config { return &maskConfig{} }}
	cfg, err := spec.Configure(map[string]string{"mask.a": "stars", "mask.b": "hash", "other": "x"})
	if err != nil {
		t.Fatal(err)
	}
	if c := cfg.(*maskConfig).columns; len(c) != 2 || *c["a"] != "stars" || *c["b"] != "hash" {
		t.Errorf("got %v", c)
	}
	if _, err := spec.Configure(map[string]string{"mask.a": "paint"}); err == nil || !strings.Contains(err.Error(), "mask.a") {
		t.Errorf("got error %v, want one that names mask.a", err)
	}
	var d Def
	settings := map[string]string{"mask.b": "x", "mask.a": "x", "maks.c": "x"}
	DefineAll(&maskConfig{}, &d, settings)
	var names []string
	for _, o := range d.Options() {
		names = append(names, o.Name)
	}
	if !slices.Equal(names, []string{"mask.a", "mask.b"}) || len(d.Unknown(settings)) != 1 {
		t.Errorf("got options %v and %v not known", names, d.Unknown(settings))
	}
}
