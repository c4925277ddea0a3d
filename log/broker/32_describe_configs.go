package broker

import (
	"context"
	"slices"

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
	resp.Resources = []kmsg.DescribeConfigsResponseResource{}
	key := func(r *kmsg.DescribeConfigsRequestResource) resource { return resource{r.ResourceType, r.ResourceName} }
	for _, qr := range unique(q.Resources, key) {
		rr := kmsg.NewDescribeConfigsResponseResource()
		rr.ResourceType, rr.ResourceName = qr.ResourceType, qr.ResourceName
		rr.Configs = []kmsg.DescribeConfigsResponseResourceConfig{}
		configs, err := b.resourceConfigs(r, key(&qr))
		rr.ErrorCode, rr.ErrorMessage = errorCode(err), errorMessage(err)
		for _, c := range configs {
			if len(qr.ConfigNames) == 0 || slices.Contains(qr.ConfigNames, c.key.Name) {
				rr.Configs = append(rr.Configs, describeConfig(c, q))
			}
		}
		resp.Resources = append(resp.Resources, rr)
	}
	return resp
}

func (b *Broker) resourceConfigs(r *request, res resource) ([]config, error) {
	switch res.typ {
	case kmsg.ConfigResourceTypeTopic:
		t, err := b.topicFor(r, kmsg.ACLOperationDescribeConfigs, res.name, [16]byte{}, false)
		if err != nil {
			return nil, err
		}
		return b.topicConfigs(t.Overrides()), nil
	case kmsg.ConfigResourceTypeBroker:
		if !b.allowsCluster(r, kmsg.ACLOperationDescribeConfigs) {
			return nil, kerr.ClusterAuthorizationFailed
		}
		if err := b.checkNode(res.name); err != nil {
			return nil, err
		}
		if res.name == "" {
			return b.clusterConfigs(), nil
		}
		return b.brokerConfigs(), nil
	}
	return nil, withCode(kerr.InvalidRequest, "config resource type %d is not supported", res.typ)
}

func describeConfig(c config, q *kmsg.DescribeConfigsRequest) kmsg.DescribeConfigsResponseResourceConfig {
	rc := kmsg.NewDescribeConfigsResponseResourceConfig()
	inForce := &c.values[0]
	rc.Name, rc.Value, rc.Source = c.key.Name, &inForce.value, inForce.source
	rc.IsDefault = inForce.source == kmsg.ConfigSourceDefaultConfig
	rc.ReadOnly = c.readOnly
	rc.ConfigType = kmsg.ConfigType(c.key.Type)
	rc.ConfigSynonyms = []kmsg.DescribeConfigsResponseResourceConfigConfigSynonym{}
	if q.IncludeSynonyms {
		for i := range c.values {
			s := kmsg.NewDescribeConfigsResponseResourceConfigConfigSynonym()
			s.Name, s.Value, s.Source = c.values[i].name, &c.values[i].value, c.values[i].source
			rc.ConfigSynonyms = append(rc.ConfigSynonyms, s)
		}
	}
	if q.IncludeDocumentation {
		rc.Documentation = kmsg.StringPtr(c.key.Doc)
	}
	return rc
}
