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
func (b *Broker) findCoordinator(_ context.Context, _ *request, q *kmsg.FindCoordinatorRequest) kmsg.Response {
	resp := q.ResponseKind().(*kmsg.FindCoordinatorResponse)
	err := b.checkCoordinator(q.CoordinatorType)
	if q.Version < 4 {
		resp.ErrorCode, resp.ErrorMessage = errorCode(err), errorMessage(err)
		resp.NodeID, resp.Port = -1, -1
		if err == nil {
			resp.NodeID, resp.Host, resp.Port = b.cfg.NodeID, b.host, b.port
		}
		return resp
	}
	resp.Coordinators = []kmsg.FindCoordinatorResponseCoordinator{}
	for _, key := range q.CoordinatorKeys {
		c := kmsg.NewFindCoordinatorResponseCoordinator()
		c.Key = key
		c.ErrorCode, c.ErrorMessage = errorCode(err), errorMessage(err)
		c.NodeID, c.Port = -1, -1
		if err == nil {
			c.NodeID, c.Host, c.Port = b.cfg.NodeID, b.host, b.port
		}
		resp.Coordinators = append(resp.Coordinators, c)
	}
	return resp
}

func (b *Broker) checkCoordinator(typ int8) error {
	var err error
	switch typ {
	case coordinatorTypeGroup:
		_, err = b.cfg.Groups.EnsureTopic()
	case coordinatorTypeTransaction:
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
