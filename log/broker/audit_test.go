package broker

import (
	"bytes"
	"maps"
	"reflect"
	"slices"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/sluice-data/sluice/internal/vfs"
)

// audit is what one API demands of a client.
type audit struct {
	request kmsg.Request
	// allow are the ACLs, without principal, that it takes: "OPERATION TYPE name".
	allow []string
	// denied is the error without each of them; nil: some such error, or nothing is said about what is secret.
	denied *kerr.Error
}

const (
	secretTopic, secretGroup, secretTxn = "secret-topic", "secret-group", "secret-transactional-id"

	onTopic   = "TOPIC " + secretTopic
	onGroup   = "GROUP " + secretGroup
	onTxn     = "TRANSACTIONAL_ID " + secretTxn
	onCluster = "CLUSTER kafka-cluster"
)

// auditRequest fills in a request of a version that knows topics by their names.
func auditRequest[Q kmsg.Request](q Q, version int16, fill func(Q)) kmsg.Request {
	q.SetVersion(version)
	fill(q)
	return q
}

// audits has one entry for each API key; open ones are for everybody.
func audits(t *testing.T) (all map[kmsg.Key]audit, open []kmsg.Key) {
	all = topicAudits(t)
	maps.Copy(all, groupAudits())
	maps.Copy(all, clusterAudits())
	return all, []kmsg.Key{kmsg.ApiVersions, kmsg.SASLHandshake, kmsg.SASLAuthenticate, kmsg.DescribeCluster}
}

// allErrorCodes collects every ErrorCode in a response.
func allErrorCodes(v reflect.Value) []int16 {
	var codes []int16
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			codes = allErrorCodes(v.Elem())
		}
	case reflect.Slice:
		for i := range v.Len() {
			codes = append(codes, allErrorCodes(v.Index(i))...)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).Name == "ErrorCode" {
				codes = append(codes, int16(v.Field(i).Int()))
			} else {
				codes = append(codes, allErrorCodes(v.Field(i))...)
			}
		}
	}
	return codes
}

var authorizationErrors = map[int16]bool{
	kerr.TopicAuthorizationFailed.Code: true, kerr.GroupAuthorizationFailed.Code: true,
	kerr.ClusterAuthorizationFailed.Code: true, kerr.TransactionalIDAuthorizationFailed.Code: true,
}

// isDenied reports whether any part of a response is refused for lack of a right.
func isDenied(resp kmsg.Response) (denied bool, codes []int16) {
	codes = allErrorCodes(reflect.ValueOf(resp))
	for _, code := range codes {
		denied = denied || authorizationErrors[code]
	}
	return denied, codes
}

// Every API asks for the rights that Kafka asks for: without one of them the
// client gets the error and nothing else, with all of them it is served.
func TestEveryAPIAsksForRights(t *testing.T) {
	all, open := audits(t)
	isOpen := map[kmsg.Key]bool{}
	for _, key := range open {
		isOpen[key] = true
	}
	for _, h := range handlers() {
		a, ok := all[h.key]
		if !ok {
			if !isOpen[h.key] {
				t.Errorf("%s: no entry in audits", h.key.Name())
			}
			continue
		}
		t.Run(h.key.Name(), func(t *testing.T) { auditAPI(t, a) })
	}
}

func auditAPI(t *testing.T, a audit) {
	s := startServer(t, "/d", vfs.NewMem(), nil)
	if kmsg.Key(a.request.Key()) != kmsg.CreateTopics {
		s.createTopic(secretTopic, 1, nil)
	}
	commit := commitRequest(secretTopic, 1)
	commit.Group = secretGroup
	ask[*kmsg.OffsetCommitResponse](s.raw(), commit)
	init := kmsg.NewPtrInitProducerIDRequest()
	init.TransactionalID, init.TransactionTimeoutMillis = kmsg.StringPtr(secretTxn), 10_000
	ask[*kmsg.InitProducerIDResponse](s.raw(), init)
	ln := s.listen(plainListener(nil))
	s.authorize()
	answer := func() kmsg.Response {
		c := ln.raw()
		c.login("alice")
		return ask[kmsg.Response](c, a.request)
	}
	for i := range a.allow {
		resp := answer()
		denied, codes := isDenied(resp)
		switch {
		case a.denied != nil && !slices.Contains(codes, a.denied.Code):
			t.Errorf("with %v: error codes %v, want %v", a.allow[:i], codes, a.denied)
		case a.denied == nil && !denied && bytes.Contains(resp.AppendTo(nil), []byte("secret")):
			t.Errorf("with %v: not denied: %+v", a.allow[:i], resp)
		}
		s.authorize("ALLOW User:alice " + a.allow[i])
	}
	if denied, codes := isDenied(answer()); denied {
		t.Errorf("with %v: still denied: error codes %v", a.allow, codes)
	}
	isList := kmsg.Key(a.request.Key()) == kmsg.ListGroups || kmsg.Key(a.request.Key()) == kmsg.ListTransactions
	if isList && !bytes.Contains(answer().AppendTo(nil), []byte("secret")) {
		t.Errorf("with %v nothing is listed", a.allow)
	}
}
