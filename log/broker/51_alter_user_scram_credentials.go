package broker

import (
	"context"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/sluice-data/sluice/log/security"
)

// alterUserSCRAMCredentialsHandler is key 51, v0 (KIP-554).
func alterUserSCRAMCredentialsHandler() handler {
	return handler{
		key: kmsg.AlterUserSCRAMCredentials, min: 0, max: 0, advertised: 0, waits: true,
		shape: shape{
			arr(str(), fixed(1)),                           // deletions: user, mechanism
			arr(str(), fixed(1), fixed(4), blob(), blob()), // upsertions: user, mechanism, iterations, salt, salted password
		},
		serve: answer((*Broker).alterUserSCRAMCredentials),
	}
}

// alterUserSCRAMCredentials makes the changes of all users for whom they are
// valid, in one durable change (I1). There is one answer for each user.
func (b *Broker) alterUserSCRAMCredentials(_ context.Context, r *request, q *kmsg.AlterUserSCRAMCredentialsRequest) kmsg.Response {
	resp := q.ResponseKind().(*kmsg.AlterUserSCRAMCredentialsResponse)
	all := scramChanges(q)
	denied := b.checkSCRAM(r, kmsg.ACLOperationAlter)
	var users []string // in order
	errs := map[string]error{}
	seen := map[string]map[security.Mechanism]bool{}
	for _, c := range all {
		if _, ok := errs[c.User]; !ok {
			users = append(users, c.User)
			errs[c.User], seen[c.User] = nil, map[security.Mechanism]bool{}
		}
		switch {
		case denied != nil:
			errs[c.User] = denied
		case seen[c.User][c.Mechanism]:
			errs[c.User] = withCode(kerr.DuplicateResource, "A user credential cannot be altered twice in the same request")
		case errs[c.User] == nil:
			errs[c.User] = b.cfg.Security.Check(c)
		}
		seen[c.User][c.Mechanism] = true
	}
	var valid []security.Change
	for _, c := range all {
		if errs[c.User] == nil {
			valid = append(valid, c)
		}
	}
	var failed error
	if len(valid) > 0 {
		failed = b.cfg.Security.AlterCredentials(valid)
	}
	resp.Results = []kmsg.AlterUserSCRAMCredentialsResponseResult{}
	for _, user := range users {
		err := errs[user]
		if err == nil {
			err = failed
		}
		rr := kmsg.NewAlterUserSCRAMCredentialsResponseResult()
		rr.User, rr.ErrorCode, rr.ErrorMessage = user, errorCode(err), errorMessage(err)
		resp.Results = append(resp.Results, rr)
	}
	return resp
}

func scramChanges(q *kmsg.AlterUserSCRAMCredentialsRequest) []security.Change {
	var all []security.Change
	for _, d := range q.Deletions {
		all = append(all, security.Change{User: d.Name, Mechanism: security.Mechanism(d.Mechanism), Delete: true})
	}
	for _, u := range q.Upsertions {
		all = append(all, security.Change{User: u.Name, Mechanism: security.Mechanism(u.Mechanism),
			Iterations: int(u.Iterations), Salt: u.Salt, SaltedPassword: u.SaltedPassword})
	}
	return all
}
