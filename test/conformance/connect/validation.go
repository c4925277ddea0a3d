package connect

import (
	"encoding/json"
	"fmt"
	"strings"
)

// validation is the answer to a validation request.
type validation struct {
	Name       string   `json:"name"`
	ErrorCount int      `json:"error_count"`
	Groups     []string `json:"groups"`
	Configs    []struct {
		Definition *struct {
			Name         string  `json:"name"`
			Type         string  `json:"type"`
			Required     bool    `json:"required"`
			DefaultValue *string `json:"default_value"`
			Importance   string  `json:"importance"`
			Group        *string `json:"group"`
			Width        string  `json:"width"`
		} `json:"definition"`
		Value struct {
			Name    string   `json:"name"`
			Value   *string  `json:"value"`
			Errors  []string `json:"errors"`
			Visible bool     `json:"visible"`
		} `json:"value"`
	} `json:"configs"`
}

// IsValidation tells whether an answer is the result of a validation.
func IsValidation(answer string) bool { return strings.Contains(answer, `"configs": [`) }

// Validation returns what can be compared of two results of a validation: a line
// for each option of Kafka's, without texts for people, forms' orders and
// recommendations, and without the options and groups that are ours alone.
func Validation(kafka, ours string) (string, string) {
	request, a := parseValidation(kafka)
	_, b := parseValidation(ours)
	known := make(map[string]bool)
	for _, c := range a.Configs {
		known[c.Value.Name] = true
	}
	return request + "\n" + a.lines(known), request + "\n" + b.lines(known)
}

func parseValidation(answer string) (request string, v validation) {
	request, rest, _ := strings.Cut(answer, "\n")
	_, body, _ := strings.Cut(rest, "\n")
	if err := json.Unmarshal([]byte(body), &v); err != nil {
		return request, validation{Name: err.Error()}
	}
	return request, v
}

func (v validation) lines(known map[string]bool) string {
	lines := map[string]string{}
	var names []string
	for _, c := range v.Configs {
		if !known[c.Value.Name] {
			continue
		}
		text := "no definition"
		if d := c.Definition; d != nil {
			text = fmt.Sprintf("%s required=%t default=%s %s width=%s", d.Type, d.Required, orNull(d.DefaultValue), d.Importance, d.Width)
			if d.Group != nil && *d.Group != "Connector" {
				text += " group=" + *d.Group
			}
		}
		names = append(names, c.Value.Name)
		lines[c.Value.Name] = fmt.Sprintf("%s: %s value=%s visible=%t %q", c.Value.Name, text, orNull(c.Value.Value), c.Value.Visible, c.Value.Errors)
	}
	all := []string{fmt.Sprintf("%s, %d errors", v.Name, v.ErrorCount)}
	for _, n := range names {
		all = append(all, lines[n])
	}
	return strings.Join(all, "\n")
}

func orNull(text *string) string {
	if text == nil {
		return "null"
	}
	return fmt.Sprintf("%q", *text)
}
