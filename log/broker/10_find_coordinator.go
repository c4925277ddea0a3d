package broker

import (
	"context"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Coordinator types.
const (
	coordinatorTypeGroup       = 0
	coordinatorTypeTransaction = 1
)

// findCoordinatorHandler is key 10, v0–v6: v3 flexible, v4 several keys.
func findCoordinatorHandler() handler {
	return handler{
		key: kmsg.FindCoordinator, min: 0, max: 6, advertised: 0,
		shape: shape{
			str().to(3),         // key
			fixed(1).from(1),    // type
			list(str()).from(4), // keys
		},
		serve: answer((*Broker).findCoordinator),
	}
}

// findCoordinator always finds this broker.
func (b *Broker) findCoordinator(_ context.Context, r *request, q *kmsg.FindCoordinatorRequest) kmsg.Response {
	resp := q.ResponseKind().(*kmsg.FindCoordinatorResponse)
	if q.Version < 4 {
		c := b.coordinator(r, q.CoordinatorType, q.CoordinatorKey)
		resp.ErrorCode, resp.ErrorMessage = c.ErrorCode, c.ErrorMessage
		resp.NodeID, resp.Host, resp.Port = c.NodeID, c.Host, c.Port
		return resp
	}
	resp.Coordinators = []kmsg.FindCoordinatorResponseCoordinator{}
	for _, key := range q.CoordinatorKeys {
		resp.Coordinators = append(resp.Coordinators, b.coordinator(r, q.CoordinatorType, key))
	}
	return resp
}

func (b *Broker) coordinator(r *request, typ int8, key string) kmsg.FindCoordinatorResponseCoordinator {
	c := kmsg.NewFindCoordinatorResponseCoordinator()
	c.Key = key
	err := b.checkCoordinator(r, typ, key)
	c.ErrorCode, c.ErrorMessage = errorCode(err), errorMessage(err)
	c.NodeID, c.Port = -1, -1
	if err == nil {
		c.NodeID, c.Host, c.Port = b.cfg.NodeID, r.conn.listener.host, r.conn.listener.port
	}
	return c
}

func (b *Broker) checkCoordinator(r *request, typ int8, key string) error {
	var err error
	switch typ {
	case coordinatorTypeGroup:
		if !b.allowsGroup(r, kmsg.ACLOperationDescribe, key) {
			return kerr.GroupAuthorizationFailed
		}
		_, err = b.cfg.Groups.EnsureTopic()
	case coordinatorTypeTransaction:
		if !b.allows(r, kmsg.ACLOperationDescribe, kmsg.ACLResourceTypeTransactionalId, key) {
			return kerr.TransactionalIDAuthorizationFailed
		}
		_, err = b.cfg.Txns.EnsureTopic()
	default:
		return withCode(kerr.InvalidRequest, "coordinator type %d is not served", typ)
	}
	if err != nil {
		b.cfg.Logger.Error("create coordinator's topic", "error", err)
		return kerr.CoordinatorNotAvailable
	}
	return nil
}
