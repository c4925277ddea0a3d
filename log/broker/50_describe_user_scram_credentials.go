package broker

import (
	"context"
	"maps"
	"slices"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/sluice-data/sluice/log/security"
)

// describeUserSCRAMCredentialsHandler is key 50, v0 (KIP-554).
func describeUserSCRAMCredentialsHandler() handler {
	return handler{
		key: kmsg.DescribeUserSCRAMCredentials, min: 0, max: 0, advertised: 0,
		shape: shape{arr(str())}, // users
		serve: answer((*Broker).describeUserSCRAMCredentials),
	}
}

// describeUserSCRAMCredentials tells mechanisms and iterations; no users, or
// null, means all.
func (b *Broker) describeUserSCRAMCredentials(_ context.Context, r *request, q *kmsg.DescribeUserSCRAMCredentialsRequest) kmsg.Response {
	resp := q.ResponseKind().(*kmsg.DescribeUserSCRAMCredentialsResponse)
	resp.Results = []kmsg.DescribeUserSCRAMCredentialsResponseResult{}
	if err := b.checkSCRAM(r, kmsg.ACLOperationDescribe); err != nil {
		resp.ErrorCode, resp.ErrorMessage = errorCode(err), errorMessage(err)
		return resp
	}
	known := b.cfg.Security.Credentials()
	asked := map[string]int{}
	for _, u := range q.Users {
		asked[u.Name]++
	}
	names := slices.Sorted(maps.Keys(asked))
	if len(names) == 0 {
		names = slices.Sorted(maps.Keys(known))
	}
	for _, name := range names {
		rr := kmsg.NewDescribeUserSCRAMCredentialsResponseResult()
		rr.User = name
		rr.CredentialInfos = []kmsg.DescribeUserSCRAMCredentialsResponseResultCredentialInfo{}
		var err error
		switch {
		case asked[name] > 1:
			err = withCode(kerr.DuplicateResource, "Cannot describe SCRAM credentials for the same user twice in a single request: %s", name)
		case known[name] == nil:
			err = withCode(kerr.ResourceNotFound, "Attempt to describe a user credential that does not exist: %s", name)
		default:
			rr.CredentialInfos = credentialInfos(known[name])
		}
		rr.ErrorCode, rr.ErrorMessage = errorCode(err), errorMessage(err)
		resp.Results = append(resp.Results, rr)
	}
	return resp
}

func credentialInfos(mechanisms map[security.Mechanism]int) []kmsg.DescribeUserSCRAMCredentialsResponseResultCredentialInfo {
	infos := []kmsg.DescribeUserSCRAMCredentialsResponseResultCredentialInfo{}
	for _, m := range slices.Sorted(maps.Keys(mechanisms)) {
		info := kmsg.NewDescribeUserSCRAMCredentialsResponseResultCredentialInfo()
		info.Mechanism, info.Iterations = int8(m), int32(mechanisms[m])
		infos = append(infos, info)
	}
	return infos
}

func (b *Broker) checkSCRAM(r *request, op kmsg.ACLOperation) error {
	if b.cfg.Security == nil {
		return withCode(kerr.SecurityDisabled, "this broker has no store of credentials")
	}
	if !b.allowsCluster(r, op) {
		return withCode(kerr.ClusterAuthorizationFailed, "Cluster authorization failed.")
	}
	return nil
}
