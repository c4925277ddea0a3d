package broker

import (
	"context"
	"slices"
	"strings"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/sluice-data/sluice/log"
)

// incrementalAlterConfigsHandler is key 44, v0–v1: v1 flexible (KIP-339).
func incrementalAlterConfigsHandler() handler {
	return handler{
		key: kmsg.IncrementalAlterConfigs, min: 0, max: 1, advertised: 0, waits: true,
		shape: shape{
			arr(fixed(1), str(), arr(str(), fixed(1), str())),
			fixed(1), // validate only
		},
		serve: answer((*Broker).incrementalAlterConfigs),
	}
}

func (b *Broker) incrementalAlterConfigs(_ context.Context, r *request, q *kmsg.IncrementalAlterConfigsRequest) kmsg.Response {
	resp := q.ResponseKind().(*kmsg.IncrementalAlterConfigsResponse)
	resp.Resources = []kmsg.IncrementalAlterConfigsResponseResource{}
	count := map[resource]int{}
	for i := range q.Resources {
		count[resource{q.Resources[i].ResourceType, q.Resources[i].ResourceName}]++
	}
	for i := range q.Resources {
		qr := &q.Resources[i]
		res := resource{qr.ResourceType, qr.ResourceName}
		err := res.named(count[res])
		if err == nil {
			err = b.alterResource(r, res, q.ValidateOnly, func(overrides map[string]string, keys []log.ConfigKey) (map[string]string, error) {
				return alteredConfigs(qr.Configs, overrides, keys)
			})
		}
		rr := kmsg.NewIncrementalAlterConfigsResponseResource()
		rr.ResourceType, rr.ResourceName = qr.ResourceType, qr.ResourceName
		rr.ErrorCode, rr.ErrorMessage = errorCode(err), errorMessage(err)
		resp.Resources = append(resp.Resources, rr)
	}
	return resp
}

// alteredConfigs applies the operations to the overrides.
func alteredConfigs(changes []kmsg.IncrementalAlterConfigsRequestResourceConfig, overrides map[string]string, keys []log.ConfigKey) (map[string]string, error) {
	if overrides == nil { // of a topic that was made without any
		overrides = map[string]string{}
	}
	named := map[string]bool{}
	for i := range changes {
		if named[changes[i].Name] {
			return nil, withCode(kerr.InvalidRequest, "config %s is named twice", changes[i].Name)
		}
		named[changes[i].Name] = true
		if err := alterConfig(overrides, keys, &changes[i]); err != nil {
			return nil, err
		}
	}
	return overrides, nil
}

// alterConfig applies one operation to the overrides.
func alterConfig(overrides map[string]string, keys []log.ConfigKey, c *kmsg.IncrementalAlterConfigsRequestResourceConfig) error {
	i := slices.IndexFunc(keys, func(k log.ConfigKey) bool { return k.Name == c.Name })
	switch c.Op {
	case kmsg.IncrementalAlterConfigOpDelete:
		delete(overrides, c.Name)
		return nil
	case kmsg.IncrementalAlterConfigOpSet, kmsg.IncrementalAlterConfigOpAppend, kmsg.IncrementalAlterConfigOpSubtract:
	default:
		return withCode(kerr.InvalidRequest, "config operation %d of %s is unknown", c.Op, c.Name)
	}
	if c.Value == nil {
		return withCode(kerr.InvalidRequest, "config %s has no value to set", c.Name)
	}
	if c.Op == kmsg.IncrementalAlterConfigOpSet {
		overrides[c.Name] = *c.Value
		return nil
	}
	if i < 0 || keys[i].Type != log.TypeList {
		return withCode(kerr.InvalidConfig, "config %s is not a list: it can be set or deleted, not appended to or subtracted from", c.Name)
	}
	current, ok := overrides[c.Name]
	if !ok {
		current = keys[i].Default
	}
	if c.Op == kmsg.IncrementalAlterConfigOpAppend {
		overrides[c.Name] = appendItems(current, *c.Value)
	} else {
		overrides[c.Name] = subtractItems(current, *c.Value)
	}
	return nil
}

func listItems(list string) []string {
	return strings.FieldsFunc(list, func(r rune) bool { return r == ',' || r == ' ' })
}

func appendItems(list, more string) string {
	items := listItems(list)
	for _, item := range listItems(more) {
		if !slices.Contains(items, item) {
			items = append(items, item)
		}
	}
	return strings.Join(items, ",")
}

func subtractItems(list, less string) string {
	gone := listItems(less)
	return strings.Join(slices.DeleteFunc(listItems(list), func(s string) bool { return slices.Contains(gone, s) }), ",")
}
