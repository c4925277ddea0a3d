package broker

import (
	"bytes"
	"context"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// minimal makes requests with one element in each array and names that exist.
type minimal struct {
	topicID [16]byte
	batch   []byte
}

// fill sets v and everything in it; name is that of the field.
func (m *minimal) fill(name string, v reflect.Value) {
	if v.CanAddr() {
		if d, ok := v.Addr().Interface().(interface{ Default() }); ok {
			d.Default()
		}
	}
	switch v.Kind() {
	case reflect.Struct:
		if _, ok := v.Addr().Interface().(*kmsg.Tags); ok {
			return
		}
		for i := range v.NumField() {
			if f := v.Type().Field(i).Name; f != "Version" && f != "ReplicaState" {
				m.fill(f, v.Field(i))
			}
		}
	case reflect.Slice:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			v.SetBytes(m.batch)
			return
		}
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		m.fill(name, v.Index(0))
	case reflect.String:
		v.SetString(minimalName(name))
	}
}

func minimalName(field string) string {
	switch {
	case strings.HasPrefix(field, "Group"):
		return "g"
	case strings.HasPrefix(field, "Topic"), field == "ResourceName":
		return "t"
	case field == "MemberID", field == "UserData":
		return ""
	}
	return "x"
}

// adjust sets what a minimal request of a key needs to get an answer without an error, where that is possible.
func (m *minimal) adjust(q kmsg.Request) {
	name, id := "t", m.topicID
	switch q := q.(type) {
	case *kmsg.ProduceRequest:
		q.Acks = -1
		q.Topics[0].TopicID = id
	case *kmsg.FetchRequest:
		q.ReplicaID, q.SessionEpoch, q.ForgottenTopics, q.ClusterID = -1, -1, nil, nil
		q.Topics[0].TopicID = id
		q.Topics[0].Partitions[0].PartitionMaxBytes, q.MaxBytes = 1<<20, 1<<20
	case *kmsg.MetadataRequest:
		q.Topics[0].Topic = &name
	case *kmsg.OffsetCommitRequest:
		q.Generation = -1
		q.Topics[0].TopicID = id
	case *kmsg.OffsetFetchRequest:
		q.Groups[0].Topics[0].TopicID = id
	case *kmsg.FindCoordinatorRequest:
		q.CoordinatorKey, q.CoordinatorKeys = "g", []string{"g"}
	case *kmsg.JoinGroupRequest:
		q.Group = fmt.Sprintf("join-%d", q.Version) // the next one would wait for this one's member
		q.SessionTimeoutMillis, q.RebalanceTimeoutMillis, q.ProtocolType = 10_000, 10_000, "consumer"
	case *kmsg.CreateTopicsRequest:
		q.Topics[0] = kmsg.NewCreateTopicsRequestTopic()
		q.Topics[0].Topic, q.Topics[0].NumPartitions, q.Topics[0].ReplicationFactor = fmt.Sprintf("new-%d", q.Version), 1, 1
	case *kmsg.DeleteTopicsRequest:
		gone := "gone"
		q.Topics[0].Topic, q.TopicNames = &gone, []string{gone}
	case *kmsg.OffsetForLeaderEpochRequest:
		q.ReplicaID = -1
	case *kmsg.DescribeConfigsRequest:
		q.Resources[0].ResourceType, q.Resources[0].ConfigNames = kmsg.ConfigResourceTypeTopic, nil
		q.IncludeSynonyms, q.IncludeDocumentation = true, true
	case *kmsg.AlterConfigsRequest:
		ms := "1000"
		q.Resources[0].ResourceType, q.Resources[0].Configs[0].Name, q.Resources[0].Configs[0].Value = kmsg.ConfigResourceTypeTopic, "retention.ms", &ms
	case *kmsg.IncrementalAlterConfigsRequest:
		ms := "1000"
		q.Resources[0].ResourceType, q.Resources[0].Configs[0].Name, q.Resources[0].Configs[0].Value = kmsg.ConfigResourceTypeTopic, "retention.ms", &ms
	case *kmsg.CreatePartitionsRequest:
		q.Topics[0].Count, q.Topics[0].Assignment = 10+int32(q.Version), nil
	case *kmsg.DescribeClusterRequest:
		q.EndpointType = 1
	case *kmsg.ListConfigResourcesRequest:
		q.ResourceTypes = nil
	case *kmsg.DescribeClientQuotasRequest:
		q.Components = nil
	case *kmsg.ListGroupsRequest:
		q.StatesFilter, q.TypesFilter = nil, nil
	case *kmsg.ApiVersionsRequest:
		q.NodeID = -1
	case *kmsg.DescribeTopicPartitionsRequest:
		q.Cursor = nil
	case *kmsg.ConsumerGroupHeartbeatRequest:
		q.Group, q.MemberID, q.RebalanceTimeoutMillis, q.Topics, q.SubscribedTopicNames = "consumers", "m", 10_000, nil, []string{"t"}
	}
}

// cloned is a copy of a response, which the broker may still look at.
func cloned(resp kmsg.Response) kmsg.Response {
	var fill func(dst, src reflect.Value)
	fill = func(dst, src reflect.Value) {
		dst.Set(src)
		switch {
		case src.Kind() == reflect.Struct && src.Type() != reflect.TypeFor[kmsg.Tags]():
			for i := range src.NumField() {
				fill(dst.Field(i), src.Field(i))
			}
		case src.Kind() == reflect.Slice && !src.IsNil():
			dst.Set(reflect.MakeSlice(src.Type(), src.Len(), src.Len()))
			for i := range src.Len() {
				fill(dst.Index(i), src.Index(i))
			}
		case src.Kind() == reflect.Pointer && !src.IsNil():
			dst.Set(reflect.New(src.Type().Elem()))
			fill(dst.Elem(), src.Elem())
		}
	}
	c := reflect.New(reflect.TypeOf(resp).Elem())
	fill(c.Elem(), reflect.ValueOf(resp).Elem())
	return c.Interface().(kmsg.Response)
}

// nullArrays lists the arrays of a response that are null on the wire: those whose encoding changes when they are empty.
func nullArrays(resp kmsg.Response) []string {
	var nulls []string
	var walk func(path string, v reflect.Value)
	walk = func(path string, v reflect.Value) {
		switch v.Kind() {
		case reflect.Pointer:
			if !v.IsNil() {
				walk(path, v.Elem())
			}
		case reflect.Struct:
			if _, ok := v.Addr().Interface().(*kmsg.Tags); ok {
				return
			}
			for i := range v.NumField() {
				walk(path+"."+v.Type().Field(i).Name, v.Field(i))
			}
		case reflect.Slice:
			if v.IsNil() {
				before := resp.AppendTo(nil)
				v.Set(reflect.MakeSlice(v.Type(), 0, 0))
				if !bytes.Equal(before, resp.AppendTo(nil)) {
					nulls = append(nulls, path)
				}
				v.SetZero()
			}
			for i := range v.Len() {
				walk(path, v.Index(i))
			}
		}
	}
	walk("", reflect.ValueOf(resp).Elem())
	return slices.Compact(nulls)
}

// mayBeNull are the arrays that clients expect to be null: KIP-447's aborted list for readers of everything, and the assignment
// of a member that keeps the one it has (KIP-848).
var mayBeNull = []string{".Topics.Partitions.AbortedTransactions", ".Assignment"}

// TestEveryKey sends a minimal request of every key and version. The answer must read back as it was written, with nothing after
// it, no array that is null where Java needs one, and no error that stands for a defect.
func TestEveryKey(t *testing.T) {
	s := newServer(t)
	var last atomic.Pointer[request]
	for _, h := range s.handlers {
		serve := h.serve
		h.serve = func(b *Broker, ctx context.Context, r *request) {
			last.Store(r)
			serve(b, ctx, r)
		}
	}
	s.createTopic("t", 2, nil)
	topic, _ := s.log.Topic("t")
	m := &minimal{topicID: topic.ID()}
	for _, h := range handlers() {
		for version := h.min; version <= h.max; version++ {
			t.Run(fmt.Sprintf("%s v%d", h.key.Name(), version), func(t *testing.T) {
				if _, ok := s.log.Topic("gone"); !ok {
					s.createTopic("gone", 1, nil)
				}
				m.batch = oneBatch(t, 1, 10)
				q := h.key.Request()
				m.fill("", reflect.ValueOf(q).Elem())
				q.SetVersion(version)
				m.adjust(q)
				c := s.raw()
				defer c.Close()
				c.send(requestFrame(q, q.AppendTo(nil)))
				body, err := c.receive()
				if err != nil {
					t.Fatal(err)
				}
				resp := q.ResponseKind()
				if resp.IsFlexible() && h.key != kmsg.ApiVersions {
					if body[0] != 0 {
						t.Fatalf("the header has %d tags", body[0])
					}
					body = body[1:]
				}
				if err := resp.ReadFrom(body); err != nil {
					t.Fatalf("read: %v", err)
				}
				sent := cloned(last.Load().response)
				if !bytes.Equal(body, sent.AppendTo(nil)) || len(resp.AppendTo(nil)) != len(body) {
					t.Errorf("the answer does not read back as it was written: %x", body)
				}
				ask[*kmsg.ApiVersionsResponse](c, kmsg.NewPtrApiVersionsRequest()) // the broker has counted the answer's errors before
				if got := nullArrays(sent); slices.ContainsFunc(got, func(p string) bool { return !slices.Contains(mayBeNull, p) }) {
					t.Errorf("null arrays: %v", got)
				}
				checkCodes(t, resp)
			})
		}
	}
}

// checkCodes allows errors that a minimal request can have, such as an unknown member, but none that stands for a defect.
func checkCodes(t *testing.T, resp kmsg.Response) {
	t.Helper()
	var m apiMetrics
	m.countErrors(errorPaths(reflect.TypeOf(resp).Elem()), reflect.ValueOf(resp).Elem())
	for i := range m.errors {
		if m.errors[i].Load() > 0 && slices.Contains([]string{kerr.UnknownServerError.Message, kerr.CorruptMessage.Message, kerr.UnsupportedVersion.Message}, errorName(i)) {
			t.Errorf("error %s", errorName(i))
		}
	}
}
