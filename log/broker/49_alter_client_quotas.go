package broker

import (
	"context"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/sluice-data/sluice/log/security"
)

// alterClientQuotasHandler is key 49, v0–v1: v1 flexible (KIP-546).
func alterClientQuotasHandler() handler {
	return handler{
		key: kmsg.AlterClientQuotas, min: 0, max: 1, advertised: 0, waits: true,
		shape: shape{
			arr(
				arr(str(), str()),              // entity: type, name
				arr(str(), fixed(8), fixed(1)), // key, value, remove
			),
			fixed(1), // validate only
		},
		serve: answer((*Broker).alterClientQuotas),
	}
}

// alterClientQuotas makes the changes that are valid, in one durable change (I1).
func (b *Broker) alterClientQuotas(_ context.Context, r *request, q *kmsg.AlterClientQuotasRequest) kmsg.Response {
	resp := q.ResponseKind().(*kmsg.AlterClientQuotasResponse)
	denied := b.checkQuotas(r, kmsg.ACLOperationAlterConfigs)
	errs := make([]error, len(q.Entries))
	var changes []security.QuotaChange
	for i := range q.Entries {
		if errs[i] = denied; denied != nil {
			continue
		}
		var c security.QuotaChange
		if c, errs[i] = quotaChange(&q.Entries[i]); errs[i] == nil {
			changes = append(changes, c)
		}
	}
	var failed error
	if len(changes) > 0 && !q.ValidateOnly {
		failed = b.cfg.Security.AlterQuotas(changes)
	}
	resp.Entries = make([]kmsg.AlterClientQuotasResponseEntry, len(q.Entries))
	for i, err := range errs {
		if err == nil {
			err = failed
		}
		entry := &resp.Entries[i]
		entry.ErrorCode, entry.ErrorMessage = errorCode(err), errorMessage(err)
		entry.Entity = []kmsg.AlterClientQuotasResponseEntryEntity{}
		for _, e := range q.Entries[i].Entity {
			re := kmsg.NewAlterClientQuotasResponseEntryEntity()
			re.Type, re.Name = e.Type, e.Name
			entry.Entity = append(entry.Entity, re)
		}
	}
	return resp
}

func quotaChange(q *kmsg.AlterClientQuotasRequestEntry) (security.QuotaChange, error) {
	c := security.QuotaChange{Set: map[string]float64{}}
	names := map[string]*string{}
	for _, e := range q.Entity {
		if _, ok := names[e.Type]; ok {
			return c, withCode(kerr.InvalidRequest, "Duplicate entity type: %s", e.Type)
		}
		names[e.Type] = e.Name
	}
	var err error
	if c.Entity, err = security.NewEntity(names); err != nil {
		return c, err
	}
	for _, op := range q.Ops {
		if op.Remove {
			c.Remove = append(c.Remove, op.Key)
		} else {
			c.Set[op.Key] = op.Value
		}
	}
	return c, c.Validate()
}
