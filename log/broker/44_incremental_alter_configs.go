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
	for i := range q.Resources {
		res := &q.Resources[i]
		err := b.alterConfigs(r, res, q.ValidateOnly)
		rr := kmsg.NewIncrementalAlterConfigsResponseResource()
		rr.ResourceType, rr.ResourceName = res.ResourceType, res.ResourceName
		rr.ErrorCode, rr.ErrorMessage = errorCode(err), errorMessage(err)
		resp.Resources = append(resp.Resources, rr)
	}
	return resp
}

func (b *Broker) alterConfigs(r *request, res *kmsg.IncrementalAlterConfigsRequestResource, validateOnly bool) error {
	if res.ResourceType != kmsg.ConfigResourceTypeTopic && !b.allowsCluster(r, kmsg.ACLOperationAlterConfigs) {
		return kerr.ClusterAuthorizationFailed
	}
	if res.ResourceType != kmsg.ConfigResourceTypeTopic {
		return withCode(kerr.InvalidRequest, "only topic configs can be altered; the broker's are in the worker's config file")
	}
	b.alterMu.Lock() // read, change and write of the overrides are one step
	defer b.alterMu.Unlock()
	t, err := b.topicFor(r, kmsg.ACLOperationAlterConfigs, res.ResourceName, [16]byte{}, false)
	if err != nil {
		return err
	}
	overrides := map[string]string{}
	for k, v := range t.Overrides() {
		overrides[k] = v
	}
	for i := range res.Configs {
		if err := alterConfig(overrides, &res.Configs[i]); err != nil {
			return err
		}
	}
	if err := log.CheckTopicConfig(overrides); err != nil || validateOnly {
		return err
	}
	return b.cfg.Log.AlterTopic(res.ResourceName, overrides)
}

// alterConfig applies one operation to the overrides.
func alterConfig(overrides map[string]string, c *kmsg.IncrementalAlterConfigsRequestResourceConfig) error {
	if c.Op == kmsg.IncrementalAlterConfigOpDelete {
		delete(overrides, c.Name)
		return nil
	}
	if c.Value == nil {
		return withCode(kerr.InvalidRequest, "config %s has no value to set", c.Name)
	}
	if c.Op == kmsg.IncrementalAlterConfigOpSet {
		overrides[c.Name] = *c.Value
		return nil
	}
	keys := log.TopicConfigKeys()
	i := slices.IndexFunc(keys, func(k log.ConfigKey) bool { return k.Name == c.Name })
	if i < 0 || keys[i].Type != log.TypeList {
		return withCode(kerr.InvalidConfig, "config %s is not a list: it can be set or deleted, not appended to or subtracted from", c.Name)
	}
	current, ok := overrides[c.Name]
	if !ok {
		current = keys[i].Default
	}
	switch c.Op {
	case kmsg.IncrementalAlterConfigOpAppend:
		overrides[c.Name] = appendItems(current, *c.Value)
	case kmsg.IncrementalAlterConfigOpSubtract:
		overrides[c.Name] = subtractItems(current, *c.Value)
	default:
		return withCode(kerr.InvalidRequest, "config operation %d of %s is unknown", c.Op, c.Name)
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
