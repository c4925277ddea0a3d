package rest

import (
	"math"
	"net/http"
	"strings"

	"github.com/sluice-data/sluice/schemaregistry"
	"github.com/sluice-data/sluice/schemaregistry/tag"
)

// tagRequestJSON is what changes in a version to make the next one of it.
type tagRequestJSON struct {
	Version     *int                     `json:"newVersion"`
	Add         []tag.Tagged             `json:"tagsToAdd"`
	Remove      []tag.Tagged             `json:"tagsToRemove"`
	Metadata    *schemaregistry.Metadata `json:"metadata"`
	Rules       *schemaregistry.RuleSet  `json:"ruleSet"`
	MergeRules  *schemaregistry.RuleSet  `json:"rulesToMerge"`
	RemoveRules []string                 `json:"rulesToRemove"`
}

// tag registers a version again with other tags, metadata and rules.
func (a *api) tag(r *http.Request) (any, error) {
	var body tagRequestJSON
	if err := decode(r, &body); err != nil {
		return nil, err
	}
	change := schemaregistry.TagChange{Add: body.Add, Remove: body.Remove, Metadata: body.Metadata, Rules: body.Rules,
		MergeRules: body.MergeRules, RemoveRules: body.RemoveRules}
	if body.Version != nil {
		change.Version = *body.Version
	}
	if change.Version > math.MaxInt32 {
		return nil, &schemaregistry.Error{Code: http.StatusBadRequest, Message: "Read the request body: newVersion is at most 2^31-1"}
	}
	n, number, err := a.targetVersion(r, write)
	if err != nil {
		return nil, err
	}
	v, err := a.registry.Tag(r.Context(), n, number, change)
	return a.registered(r, v, err)
}

// findTags lists the parts of a schema that have the tags of a query, none for a query without.
func (a *api) findTags(r *http.Request, v schemaregistry.Version) ([]tag.Tagged, error) {
	if r.URL.RawQuery == "" {
		return nil, nil
	}
	var tags []string
	for _, list := range r.URL.Query()["findTags"] { // Java's client sends those of the latest version in one
		tags = append(tags, strings.Split(list, ",")...)
	}
	if len(tags) == 0 {
		return nil, nil
	}
	return a.registry.FindTags(v, tags)
}
