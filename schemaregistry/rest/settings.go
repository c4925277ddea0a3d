package rest

import (
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/sluice-data/sluice/schemaregistry"
)

func (a *api) config(r *http.Request) (any, error) {
	n, err := subject(r, read)
	if err != nil {
		return nil, err
	}
	return a.registry.Config(r.Context(), n, flag(r, "defaultToGlobal"))
}

// setConfig changes what the body names: a field that is absent stays, one that is null is taken away.
func (a *api) setConfig(r *http.Request) (any, error) {
	var body map[string]json.RawMessage
	if err := decode(r, &body); err != nil {
		return nil, err
	}
	edit, err := configEdit(body)
	if err != nil {
		return nil, err
	}
	n, err := subject(r, write)
	if err != nil {
		return nil, err
	}
	c, err := a.registry.SetConfig(r.Context(), n, edit)
	if err != nil {
		return nil, err
	}
	return configUpdate{c, c.Level}, nil
}

// configUpdate is a config in the answer to PUT, where the level has another name.
type configUpdate struct {
	schemaregistry.Config
	Compatibility *schemaregistry.Compatibility `json:"compatibility,omitempty"`
}

// MarshalJSON leaves the level's other name out.
func (u configUpdate) MarshalJSON() ([]byte, error) {
	type plain configUpdate
	p := plain(u)
	p.Level = nil
	return json.Marshal(p)
}

// configEdit reads the fields of a request. The level has the name compatibility.
func configEdit(body map[string]json.RawMessage) (func(*schemaregistry.Config), error) {
	var given schemaregistry.Config
	fields := map[string]any{"alias": &given.Alias, "normalize": &given.Normalize, "validateFields": &given.ValidateFields,
		"validateNewSchemas": &given.ValidateNewSchemas, "validateRules": &given.ValidateRules, "compatibilityPolicy": &given.Policy,
		"compatibilityGroup": &given.Group, "defaultMetadata": &given.DefaultMetadata, "overrideMetadata": &given.OverrideMetadata,
		"aliasForDeks": &given.AliasForDeks, "defaultRuleSet": &given.DefaultRules, "overrideRuleSet": &given.OverrideRules}
	for name, target := range fields {
		if value, ok := body[name]; ok {
			if err := json.Unmarshal(value, target); err != nil {
				return nil, &schemaregistry.Error{Code: http.StatusBadRequest, Message: fmt.Sprintf("Read the field %s: %v", name, err)}
			}
		}
	}
	if value, ok := body["compatibility"]; ok && string(value) != "null" {
		var text string
		if err := json.Unmarshal(value, &text); err != nil {
			return nil, &schemaregistry.Error{Code: http.StatusBadRequest, Message: fmt.Sprintf("Read the field compatibility: %v", err)}
		}
		level, err := schemaregistry.ParseCompatibility(text)
		if err != nil {
			return nil, err
		}
		given.Level = &level
	}
	return func(c *schemaregistry.Config) { merge(c, given, body) }, nil
}

// merge takes the given fields over, whether they have a value or null.
func merge(c *schemaregistry.Config, given schemaregistry.Config, body map[string]json.RawMessage) {
	set(body, "alias", &c.Alias, given.Alias)
	set(body, "normalize", &c.Normalize, given.Normalize)
	set(body, "validateFields", &c.ValidateFields, given.ValidateFields)
	set(body, "validateNewSchemas", &c.ValidateNewSchemas, given.ValidateNewSchemas)
	set(body, "validateRules", &c.ValidateRules, given.ValidateRules)
	set(body, "compatibility", &c.Level, given.Level)
	set(body, "compatibilityPolicy", &c.Policy, given.Policy)
	set(body, "compatibilityGroup", &c.Group, given.Group)
	set(body, "defaultMetadata", &c.DefaultMetadata, given.DefaultMetadata)
	set(body, "overrideMetadata", &c.OverrideMetadata, given.OverrideMetadata)
	set(body, "aliasForDeks", &c.AliasForDeks, given.AliasForDeks)
	set(body, "defaultRuleSet", &c.DefaultRules, given.DefaultRules)
	set(body, "overrideRuleSet", &c.OverrideRules, given.OverrideRules)
}

func set[T any](body map[string]json.RawMessage, name string, target **T, value *T) {
	if _, ok := body[name]; ok {
		*target = value
	}
}

func (a *api) deleteConfig(r *http.Request) (any, error) {
	n, err := subject(r, write)
	if err != nil {
		return nil, err
	}
	return a.registry.DeleteConfig(r.Context(), n)
}

type modeJSON struct {
	Mode schemaregistry.Mode `json:"mode,omitempty"`
}

func (a *api) mode(r *http.Request) (any, error) {
	n, err := subject(r, read)
	if err != nil {
		return nil, err
	}
	m, err := a.registry.Mode(r.Context(), n, flag(r, "defaultToGlobal"))
	return modeJSON{m}, err
}

func (a *api) setMode(r *http.Request) (any, error) {
	var body struct {
		Mode *string `json:"mode"`
	}
	if err := decode(r, &body); err != nil {
		return nil, err
	}
	n, err := subject(r, write)
	if err != nil {
		return nil, err
	}
	if body.Mode == nil { // which is what it is already where there is none
		_, err := a.registry.DeleteMode(r.Context(), n, false)
		if e, ok := err.(*schemaregistry.Error); ok && e.Code == schemaregistry.CodeSubjectNotFound {
			err = nil
		}
		return struct{}{}, err
	}
	m, err := schemaregistry.ParseMode(*body.Mode)
	if err != nil {
		return nil, err
	}
	return modeJSON{m}, a.registry.SetMode(r.Context(), n, m, flag(r, "force"))
}

func (a *api) deleteMode(r *http.Request) (any, error) {
	n, err := subject(r, write)
	if err != nil {
		return nil, err
	}
	m, err := a.registry.DeleteMode(r.Context(), n, flag(r, "recursive"))
	return modeJSON{m}, err
}
