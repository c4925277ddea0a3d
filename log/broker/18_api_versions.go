package broker

import (
	"context"
	"slices"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// apiVersionsHandler is key 18, v0–v5: v3 flexible (KIP-511), v5 cluster and node
// check (KIP-1242).
func apiVersionsHandler() handler {
	return handler{
		key: kmsg.ApiVersions, min: 0, max: 5, advertised: 0,
		shape: shape{
			str().from(3),    // client software name
			str().from(3),    // client software version
			str().from(5),    // cluster id
			fixed(4).from(5), // node id
		},
		serve: (*Broker).apiVersions,
	}
}

func (b *Broker) apiVersions(_ context.Context, r *request) {
	resp := kmsg.NewPtrApiVersionsResponse()
	for _, h := range handlers() {
		k := kmsg.NewApiVersionsResponseApiKey()
		k.ApiKey, k.MinVersion, k.MaxVersion = int16(h.key), h.advertised, h.max
		resp.ApiKeys = append(resp.ApiKeys, k)
	}
	q, ok := r.body.(*kmsg.ApiVersionsRequest)
	if !ok { // unknown version: v0 with the versions of this key, so that the client can step down (KIP-511)
		resp.ErrorCode = kerr.UnsupportedVersion.Code
		resp.ApiKeys = slices.DeleteFunc(resp.ApiKeys, func(k kmsg.ApiVersionsResponseApiKey) bool { return k.ApiKey != int16(kmsg.ApiVersions) })
		r.reply(resp)
		return
	}
	resp.SetVersion(q.Version)
	if err := b.checkApiVersions(q); err != nil {
		resp.ErrorCode, resp.ApiKeys = errorCode(err), []kmsg.ApiVersionsResponseApiKey{}
		r.reply(resp)
		return
	}
	addFeatures(resp, q.Version)
	r.reply(resp)
}

func (b *Broker) checkApiVersions(q *kmsg.ApiVersionsRequest) error {
	if q.Version >= 3 && !(isSoftwareName(q.ClientSoftwareName) && isSoftwareName(q.ClientSoftwareVersion)) {
		return kerr.InvalidRequest
	}
	if q.Version < 5 {
		return nil
	}
	switch {
	case (q.ClusterID == nil) != (q.NodeID == -1):
		return kerr.InvalidRequest
	case q.ClusterID != nil && (*q.ClusterID != b.cfg.Log.ClusterID() || q.NodeID != b.cfg.NodeID):
		return kerr.RebootstrapRequired
	}
	return nil
}

// isSoftwareName reports letters, digits, dots and dashes that begin and end
// with a letter or digit.
func isSoftwareName(s string) bool {
	for i := range len(s) {
		switch c := s[i]; {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9':
		case (c == '.' || c == '-') && i > 0 && i < len(s)-1:
		default:
			return false
		}
	}
	return s != ""
}
