package broker

import (
	"context"
	"slices"
	"strconv"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// describeConfigsHandler is key 32, v1–v4: v3 types and docs (KIP-569), v4 flexible.
func describeConfigsHandler() handler {
	return handler{
		key: kmsg.DescribeConfigs, min: 1, max: 4, advertised: 1,
		shape: shape{
			arr(fixed(1), str(), list(str())),
			fixed(1).from(1), // include synonyms
			fixed(1).from(3), // include documentation
		},
		serve: answer((*Broker).describeConfigs),
	}
}

func (b *Broker) describeConfigs(_ context.Context, r *request, q *kmsg.DescribeConfigsRequest) kmsg.Response {
	resp := q.ResponseKind().(*kmsg.DescribeConfigsResponse)
	type resource struct {
		typ  kmsg.ConfigResourceType
		name string
	}
	key := func(r *kmsg.DescribeConfigsRequestResource) resource { return resource{r.ResourceType, r.ResourceName} }
	for _, res := range unique(q.Resources, key) {
		rr := kmsg.NewDescribeConfigsResponseResource()
		rr.ResourceType, rr.ResourceName = res.ResourceType, res.ResourceName
		rr.Configs = []kmsg.DescribeConfigsResponseResourceConfig{}
		configs, err := b.resourceConfigs(r, res.ResourceType, res.ResourceName)
		rr.ErrorCode, rr.ErrorMessage = errorCode(err), errorMessage(err)
		for _, c := range configs {
			if res.ConfigNames == nil || slices.Contains(res.ConfigNames, c.key.Name) {
				rr.Configs = append(rr.Configs, describeConfig(c, q))
			}
		}
		resp.Resources = append(resp.Resources, rr)
	}
	return resp
}

func (b *Broker) resourceConfigs(r *request, typ kmsg.ConfigResourceType, name string) ([]config, error) {
	switch typ {
	case kmsg.ConfigResourceTypeTopic:
		t, err := b.topicFor(r, kmsg.ACLOperationDescribeConfigs, name, [16]byte{}, false)
		if err != nil {
			return nil, err
		}
		return topicConfigs(t.Overrides()), nil
	case kmsg.ConfigResourceTypeBroker:
		if !b.allowsCluster(r, kmsg.ACLOperationDescribeConfigs) {
			return nil, kerr.ClusterAuthorizationFailed
		}
		if name == "" { // the cluster-wide dynamic defaults: there are none
			return nil, nil
		}
		if name != strconv.Itoa(int(b.cfg.NodeID)) {
			return nil, withCode(kerr.InvalidRequest, "there is no broker %q; the only one is %d", name, b.cfg.NodeID)
		}
		return b.brokerConfigs(), nil
	default:
		return nil, withCode(kerr.InvalidRequest, "config resource type %d is not supported", typ)
	}
}

func describeConfig(c config, q *kmsg.DescribeConfigsRequest) kmsg.DescribeConfigsResponseResourceConfig {
	rc := kmsg.NewDescribeConfigsResponseResourceConfig()
	rc.Name, rc.Value, rc.Source = c.key.Name, &c.value, c.source
	rc.IsDefault = c.source == kmsg.ConfigSourceDefaultConfig
	rc.ReadOnly = c.readOnly
	rc.ConfigType = kmsg.ConfigType(c.key.Type)
	rc.ConfigSynonyms = []kmsg.DescribeConfigsResponseResourceConfigConfigSynonym{}
	if q.IncludeSynonyms {
		rc.ConfigSynonyms = synonyms(c)
	}
	if q.IncludeDocumentation {
		rc.Documentation = kmsg.StringPtr(c.key.Doc)
	}
	return rc
}

// synonyms lists where the value could come from, the one in effect first.
func synonyms(c config) []kmsg.DescribeConfigsResponseResourceConfigConfigSynonym {
	s := kmsg.NewDescribeConfigsResponseResourceConfigConfigSynonym()
	s.Name, s.Value, s.Source = c.key.Name, &c.value, c.source
	all := []kmsg.DescribeConfigsResponseResourceConfigConfigSynonym{s}
	if c.source == kmsg.ConfigSourceDynamicTopicConfig {
		s.Value, s.Source = &c.key.Default, kmsg.ConfigSourceDefaultConfig
		all = append(all, s)
	}
	return all
}
