package broker

import (
	"context"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/sluice-data/sluice/log"
)

// alterConfigsHandler is key 33, v0–v2: v2 flexible. Deprecated in favour of key 44, but AKHQ and older clients use it.
func alterConfigsHandler() handler {
	return handler{
		key: kmsg.AlterConfigs, min: 0, max: 2, advertised: 0, waits: true,
		shape: shape{
			arr(fixed(1), str(), arr(str(), str())),
			fixed(1), // validate only
		},
		serve: answer((*Broker).replaceConfigs),
	}
}

// replaceConfigs sets the configs that are named and resets all others of the resource.
func (b *Broker) replaceConfigs(_ context.Context, r *request, q *kmsg.AlterConfigsRequest) kmsg.Response {
	resp := q.ResponseKind().(*kmsg.AlterConfigsResponse)
	resp.Resources = []kmsg.AlterConfigsResponseResource{}
	count := map[resource]int{}
	for i := range q.Resources {
		count[resource{q.Resources[i].ResourceType, q.Resources[i].ResourceName}]++
	}
	for i := range q.Resources {
		qr := &q.Resources[i]
		res := resource{qr.ResourceType, qr.ResourceName}
		err := res.named(count[res])
		if err == nil {
			err = b.alterResource(r, res, q.ValidateOnly, func(map[string]string, []log.ConfigKey) (map[string]string, error) {
				return replacedConfigs(qr.Configs)
			})
		}
		rr := kmsg.NewAlterConfigsResponseResource()
		rr.ResourceType, rr.ResourceName = qr.ResourceType, qr.ResourceName
		rr.ErrorCode, rr.ErrorMessage = errorCode(err), errorMessage(err)
		resp.Resources = append(resp.Resources, rr)
	}
	return resp
}

func replacedConfigs(configs []kmsg.AlterConfigsRequestResourceConfig) (map[string]string, error) {
	overrides := map[string]string{}
	for _, c := range configs {
		if _, ok := overrides[c.Name]; ok {
			return nil, withCode(kerr.InvalidRequest, "config %s is named twice", c.Name)
		}
		if c.Value == nil {
			return nil, withCode(kerr.InvalidRequest, "config %s has no value to set", c.Name)
		}
		overrides[c.Name] = *c.Value
	}
	return overrides, nil
}
