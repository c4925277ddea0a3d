package broker

import (
	"context"
	"maps"
	"slices"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/sluice-data/sluice/log/security"
)

// describeClientQuotasHandler is key 48, v0–v1: v1 flexible (KIP-546).
func describeClientQuotasHandler() handler {
	return handler{
		key: kmsg.DescribeClientQuotas, min: 0, max: 1, advertised: 0,
		shape: shape{
			arr(str(), fixed(1), str()), // entity type, match type, match
			fixed(1),                    // strict
		},
		serve: answer((*Broker).describeClientQuotas),
	}
}

// describeClientQuotas answers with an empty list when there is none: Java
// takes null for an error.
func (b *Broker) describeClientQuotas(_ context.Context, r *request, q *kmsg.DescribeClientQuotasRequest) kmsg.Response {
	resp := q.ResponseKind().(*kmsg.DescribeClientQuotasResponse)
	resp.Entries = []kmsg.DescribeClientQuotasResponseEntry{}
	err := b.checkQuotas(r, kmsg.ACLOperationDescribeConfigs)
	var filters []security.QuotaFilter
	if err == nil {
		filters, err = quotaFilters(q.Components)
	}
	if err != nil {
		resp.ErrorCode, resp.ErrorMessage = errorCode(err), errorMessage(err)
		return resp
	}
	for _, quota := range b.cfg.Security.Quotas(filters, q.Strict) {
		entry := kmsg.NewDescribeClientQuotasResponseEntry()
		names := quota.Entity.Parts()
		for _, typ := range slices.Sorted(maps.Keys(names)) {
			e := kmsg.NewDescribeClientQuotasResponseEntryEntity()
			e.Type, e.Name = typ, names[typ]
			entry.Entity = append(entry.Entity, e)
		}
		for _, key := range slices.Sorted(maps.Keys(quota.Values)) {
			v := kmsg.NewDescribeClientQuotasResponseEntryValue()
			v.Key, v.Value = key, quota.Values[key]
			entry.Values = append(entry.Values, v)
		}
		resp.Entries = append(resp.Entries, entry)
	}
	return resp
}

func (b *Broker) checkQuotas(r *request, op kmsg.ACLOperation) error {
	if b.cfg.Security == nil {
		return withCode(kerr.SecurityDisabled, "this broker has no store of quotas")
	}
	if !b.allowsCluster(r, op) {
		return withCode(kerr.ClusterAuthorizationFailed, "Cluster authorization failed.")
	}
	return nil
}

// quotaFilters reads the components of a filter: at most one for each type.
func quotaFilters(components []kmsg.DescribeClientQuotasRequestComponent) ([]security.QuotaFilter, error) {
	var filters []security.QuotaFilter
	seen := map[string]bool{}
	for _, c := range components {
		if seen[c.EntityType] {
			return nil, withCode(kerr.InvalidRequest, "Duplicate entity type: %s", c.EntityType)
		}
		seen[c.EntityType] = true
		f := security.QuotaFilter{Type: c.EntityType}
		switch {
		case c.EntityType != security.EntityUser && c.EntityType != security.EntityClientID && c.EntityType != security.EntityIP:
			return nil, withCode(kerr.UnsupportedVersion, "Custom entity type %q is not supported", c.EntityType)
		case c.MatchType == kmsg.QuotasMatchTypeExact && c.Match != nil:
			f.Match = c.Match
		case c.MatchType == kmsg.QuotasMatchTypeDefault && c.Match == nil:
			f.Default = true
		case c.MatchType == kmsg.QuotasMatchTypeAny && c.Match == nil:
		default:
			return nil, withCode(kerr.InvalidRequest, "match type %d of entity type %s does not fit its match", c.MatchType, c.EntityType)
		}
		filters = append(filters, f)
	}
	return filters, nil
}
