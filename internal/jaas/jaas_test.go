package jaas

import (
	"fmt"
	"strings"
	"testing"
)

func TestParse(t *testing.T) {
	for text, want := range map[string]string{
		`a.Login required username="u" password='p "q\'';`: `a.Login required [{username u} {password p "q'}]`,
		"a.Login\n\trequired x=y ;\n":                      "a.Login required [{x y}]",
		"a.Login required;":                                "a.Login required []",
		`a.Login required password="hidden`:                "",
		`a.Login required password="hidden"`:               "",
		`a.Login required ="hidden";`:                      "",
		`a.Login required x="hidden"; b.Login required;`:   "",
		"": "",
	} {
		l, err := Parse(text)
		got := fmt.Sprint(l.Module, " ", l.Flag, " ", l.Options)
		if want == "" && (err == nil || strings.Contains(err.Error(), "hidden")) { // I6
			t.Errorf("%s: got %s, error %v", text, got, err)
		}
		if want != "" && (err != nil || got != want) {
			t.Errorf("%s: got %s, %v, want %s", text, got, err, want)
		}
	}
}

// What is read is in the text (I5).
func FuzzParse(f *testing.F) {
	f.Add(`a.Login required username="u" password='p "q\'';`)
	f.Fuzz(func(t *testing.T, text string) {
		l, err := Parse(text)
		n := len(l.Module) + len(l.Flag)
		for _, o := range l.Options {
			n += len(o.Name) + len(o.Value)
		}
		if err == nil && n > len(text) {
			t.Errorf("%d bytes were read from %d", n, len(text))
		}
	})
}
