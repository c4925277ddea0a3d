package broker

import "github.com/twmb/franz-go/pkg/kmsg"

// clusterName is the name of the one resource of type cluster.
const clusterName = "kafka-cluster"

// allows reports whether the client of the request may do op on a resource. Every
// handler asks before it does or tells anything; what it answers otherwise is
// the API's own error for that resource.
func (b *Broker) allows(_ *request, _ kmsg.ACLOperation, _ kmsg.ACLResourceType, _ string) bool {
	return true
}
