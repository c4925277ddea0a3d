package broker

import (
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/sluice-data/sluice/log/security"
)

// clusterName is the name of the one resource of type cluster.
const clusterName = security.ClusterName

// allows reports whether the client of the request may do op on a resource. Every
// handler asks before it does or tells anything; what it answers otherwise is
// the API's own error for that resource.
func (b *Broker) allows(r *request, op kmsg.ACLOperation, typ kmsg.ACLResourceType, name string) bool {
	if b.isAllowed(r, op, typ, name) {
		return true
	}
	b.denials.warn(b.cfg.Logger, "request denied", "principal", r.principal, "client", r.clientHost, "api", r.key.Name(),
		"operation", op, "resource_type", typ, "resource", name)
	return false
}

// isAllowed is allows for questions that a client has not asked.
func (b *Broker) isAllowed(r *request, op kmsg.ACLOperation, typ kmsg.ACLResourceType, name string) bool {
	return b.cfg.Authorizer == nil || r.conn.listener.trusted ||
		b.cfg.Authorizer.Allows(r.principal, r.clientHost, op, typ, name)
}

func (b *Broker) allowsTopic(r *request, op kmsg.ACLOperation, name string) bool {
	return b.allows(r, op, kmsg.ACLResourceTypeTopic, name)
}

func (b *Broker) allowsGroup(r *request, op kmsg.ACLOperation, name string) bool {
	return b.allows(r, op, kmsg.ACLResourceTypeGroup, name)
}

func (b *Broker) allowsCluster(r *request, op kmsg.ACLOperation) bool {
	return b.allows(r, op, kmsg.ACLResourceTypeCluster, clusterName)
}

// allowsAnyTopic reports whether there is any topic on which the client may do op.
func (b *Broker) allowsAnyTopic(r *request, op kmsg.ACLOperation) bool {
	return b.cfg.Authorizer == nil || r.conn.listener.trusted ||
		b.cfg.Authorizer.AllowsAny(r.principal, r.clientHost, op, kmsg.ACLResourceTypeTopic)
}

// operations are those that a resource of a type has (KIP-430).
var operations = map[kmsg.ACLResourceType][]kmsg.ACLOperation{
	kmsg.ACLResourceTypeTopic: {kmsg.ACLOperationRead, kmsg.ACLOperationWrite, kmsg.ACLOperationCreate, kmsg.ACLOperationDescribe,
		kmsg.ACLOperationDelete, kmsg.ACLOperationAlter, kmsg.ACLOperationDescribeConfigs, kmsg.ACLOperationAlterConfigs},
	kmsg.ACLResourceTypeGroup: {kmsg.ACLOperationRead, kmsg.ACLOperationDescribe, kmsg.ACLOperationDelete,
		kmsg.ACLOperationDescribeConfigs, kmsg.ACLOperationAlterConfigs},
	kmsg.ACLResourceTypeCluster: {kmsg.ACLOperationCreate, kmsg.ACLOperationClusterAction, kmsg.ACLOperationDescribeConfigs,
		kmsg.ACLOperationAlterConfigs, kmsg.ACLOperationIdempotentWrite, kmsg.ACLOperationAlter, kmsg.ACLOperationDescribe},
}

// noOperations says that authorized operations were not asked for (KIP-430).
const noOperations = -1 << 31

// allowsCreate reports whether the client may create a topic: any, or this one.
func (b *Broker) allowsCreate(r *request, name string) bool {
	return b.isAllowed(r, kmsg.ACLOperationCreate, kmsg.ACLResourceTypeCluster, clusterName) || b.allowsTopic(r, kmsg.ACLOperationCreate, name)
}

// clusterOperations are the authorized operations on the cluster, none for a
// client that may not describe it.
func (b *Broker) clusterOperations(r *request) int32 {
	if !b.allowsCluster(r, kmsg.ACLOperationDescribe) {
		return 0
	}
	return b.authorizedOperations(r, kmsg.ACLResourceTypeCluster, clusterName)
}

// authorizedOperations is the set of operations that the client may do on a
// resource, a bit for each by its number in the protocol.
func (b *Broker) authorizedOperations(r *request, typ kmsg.ACLResourceType, name string) int32 {
	var bits int32
	for _, op := range operations[typ] {
		if b.isAllowed(r, op, typ, name) {
			bits |= 1 << op
		}
	}
	return bits
}
