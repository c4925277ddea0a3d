package engine

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/sluice-data/sluice/connect"
	"github.com/sluice-data/sluice/engine/clientconfig"
)

// clientKind is one of Kafka's clients. A worker's properties for it begin with
// "producer.", a connector's with "producer.override.".
type clientKind string

const (
	workerClient   clientKind = "worker" // the worker's own clients
	producerClient clientKind = "producer"
	consumerClient clientKind = "consumer"
	adminClient    clientKind = "admin"
)

func (k clientKind) overridePrefix() string { return string(k) + ".override." }

// ClientSettings are what a worker's properties say of the Kafka clients of its
// connectors, under Kafka's names without the prefix.
type ClientSettings struct {
	Producer, Consumer, Admin map[string]string
}

func (s *ClientSettings) of(kind clientKind) map[string]string { return *s.at(kind) }

// at is the field of a kind.
func (s *ClientSettings) at(kind clientKind) *map[string]string {
	switch kind {
	case producerClient:
		return &s.Producer
	case consumerClient:
		return &s.Consumer
	}
	return &s.Admin
}

// clientSettings are the settings of one Kafka client that take effect, read by
// the options of its kind. This is the one place that knows what Kafka's names
// mean for our client. A zero value leaves a setting to it.
type clientSettings struct {
	kind   clientKind
	prefix string // of the options that set them

	// bootstrap and security are of connectors only. own: one of them is the
	// connector's own.
	bootstrap []string
	security  clientconfig.Settings
	own       bool

	clientID                      string
	requestTimeout                time.Duration
	retryBackoff, retryBackoffMax time.Duration
	metadataMaxAge, maxIdle       time.Duration
	dialTimeout                   time.Duration

	// the producer's
	acks                           string
	idempotent                     bool
	compression                    string
	gzipLevel, lz4Level, zstdLevel int
	linger                         time.Duration
	maxRequestBytes                int
	bufferBytes                    int64
	deliveryTimeout                time.Duration
	retries, maxInFlight           int
	transactionalID                string
	transactionTimeout             time.Duration

	// the consumer's
	offsetReset                                         string
	groupID                                             string
	isolation                                           string
	assignors                                           []string
	autoCommit, createTopics                            bool
	rack                                                string
	maxPollRecords, fetchMaxBytes, maxPartitionBytes    int
	fetchMinBytes                                       int
	fetchMaxWait                                        time.Duration
	sessionTimeout, heartbeatInterval, rebalanceTimeout time.Duration
}

// options declare the settings of a kind of client, with the names that they have
// behind the prefix.
func (s *clientSettings) options() []connect.Option {
	switch s.kind {
	case producerClient:
		return append(s.producerOptions(), s.commonOptions()...)
	case consumerClient:
		return append(s.consumerOptions(), s.commonOptions()...)
	}
	return s.commonOptions()
}

func (s *clientSettings) commonOptions() []connect.Option {
	return []connect.Option{
		{Name: "client.id", Var: &s.clientID, NoDefault: true, Doc: "Name of the client for the brokers; connector-producer-<connector>-<task> and the like when not given."},
		{Name: "request.timeout.ms", Var: &s.requestTimeout, NoDefault: true, Check: within(&s.requestTimeout, 100*time.Millisecond, 15*time.Minute), Doc: "How long an answer of a broker is waited for."},
		{Name: "retry.backoff.ms", Var: &s.retryBackoff, NoDefault: true, Check: within(&s.retryBackoff, 0, time.Hour), Doc: "Delay before a request is sent again; each further one is twice as long."},
		{Name: "retry.backoff.max.ms", Var: &s.retryBackoffMax, NoDefault: true, Check: within(&s.retryBackoffMax, 0, time.Hour), Doc: "Longest delay between two attempts of a request."},
		{Name: "metadata.max.age.ms", Var: &s.metadataMaxAge, NoDefault: true, Check: within(&s.metadataMaxAge, metadataMinAge, time.Hour), Doc: "How often the cluster is asked for its topics; a consumer's default is 1000, so that it sees new topics at once."},
		{Name: "connections.max.idle.ms", Var: &s.maxIdle, NoDefault: true, Check: within(&s.maxIdle, 100*time.Millisecond, 15*time.Minute), Doc: "When a connection without requests is closed."},
		{Name: "socket.connection.setup.timeout.ms", Var: &s.dialTimeout, NoDefault: true, Check: within(&s.dialTimeout, time.Millisecond, time.Hour), Doc: "How long connecting to a broker may take."},
	}
}

func (s *clientSettings) producerOptions() []connect.Option {
	level := func(codec string, v *int, least, most int) connect.Option {
		return connect.Option{Name: "compression." + codec + ".level", Var: v, NoDefault: true, Check: between(v, least, most), Doc: "Level of " + codec + "; its default when not given."}
	}
	return []connect.Option{
		{Name: "acks", Var: &s.acks, Default: "all", Check: s.checkAcks, Doc: "Only all (or -1): what is acknowledged must be durable."},
		{Name: "enable.idempotence", Var: &s.idempotent, Default: "true", Doc: "Whether the log drops what it gets twice. With transactions it always does."},
		{Name: "compression.type", Var: &s.compression, Default: "none", OneOf: []string{"none", "gzip", "snappy", "lz4", "zstd"}, Doc: "Compression of the records in the log."},
		level("gzip", &s.gzipLevel, 1, 9), level("lz4", &s.lz4Level, 1, 17), level("zstd", &s.zstdLevel, -131072, 22),
		{Name: "linger.ms", Var: &s.linger, Default: "0", Check: within(&s.linger, 0, time.Minute), Doc: "How long records wait for others to share a request."},
		{Name: "max.request.size", Var: &s.maxRequestBytes, Default: "1048576", Check: between(&s.maxRequestBytes, 1024, 100<<20), Doc: "Size of the largest record batch. The topic's max.message.bytes must allow it."},
		{Name: "buffer.memory", Var: &s.bufferBytes, NoDefault: true, Check: positiveNumber(&s.bufferBytes), Doc: "Bytes of records that may wait for the log."},
		{Name: "delivery.timeout.ms", Var: &s.deliveryTimeout, NoDefault: true, Check: within(&s.deliveryTimeout, time.Second, forever), Doc: "How long the log may take for a record before the task fails; for ever when not given."},
		{Name: "retries", Var: &s.retries, NoDefault: true, Check: atLeast(&s.retries, 0), Doc: "How often a record is sent again before the task fails; without end when not given."},
		{Name: "max.in.flight.requests.per.connection", Var: &s.maxInFlight, NoDefault: true, Check: atLeast(&s.maxInFlight, 1), Doc: "Requests on their way to a broker with enable.idempotence=false. Otherwise it is the client's choice: records keep their order with each."},
		{Name: "transactional.id", Var: &s.transactionalID, NoDefault: true, Check: refuse("the worker gives each task its own, which keeps older runs of it out; remove this setting"), Doc: "Not to be set: each task has its own."},
		{Name: "transaction.timeout.ms", Var: &s.transactionTimeout, NoDefault: true, Check: within(&s.transactionTimeout, time.Second, forever), Doc: "When the log aborts a transaction that is not ended; what transaction.boundary needs when not given."},
	}
}

func (s *clientSettings) consumerOptions() []connect.Option {
	long := func(name, def string, v *time.Duration, doc string) connect.Option {
		return connect.Option{Name: name, Var: v, Default: def, Check: within(v, 100*time.Millisecond, time.Hour), Doc: doc}
	}
	number := func(name, def string, v *int, doc string) connect.Option {
		return connect.Option{Name: name, Var: v, Default: def, Check: atLeast(v, 1), Doc: doc}
	}
	return []connect.Option{
		{Name: "auto.offset.reset", Var: &s.offsetReset, Default: "earliest", OneOf: []string{"earliest", "latest"}, Doc: "Where reading starts when nothing was committed."},
		{Name: "group.id", Var: &s.groupID, NoDefault: true, Doc: "Consumer group; connect-<name of the connector> when not given."},
		{Name: "isolation.level", Var: &s.isolation, Default: "read_committed", OneOf: []string{"read_committed", "read_uncommitted"}, Doc: "Whether records of open and aborted transactions are read."},
		{Name: "partition.assignment.strategy", Var: &s.assignors, Check: s.checkAssignors, Doc: "Assignors of the group, by class name: Range, RoundRobin, Sticky, CooperativeSticky; the last one when not given."},
		{Name: "enable.auto.commit", Var: &s.autoCommit, Default: "false", Check: func() error {
			return refuseIf(s.autoCommit, "offsets follow what the sink has made durable; remove this setting")
		}, Doc: "Only false: offsets follow what the sink has made durable."},
		{Name: "allow.auto.create.topics", Var: &s.createTopics, Default: "true", Doc: "Whether a topic of topics that is missing is created, where the cluster does that."},
		{Name: "client.rack", Var: &s.rack, NoDefault: true, Doc: "Rack of the worker, to read from the nearest replica."},
		number("max.poll.records", "2048", &s.maxPollRecords, "Largest number of records of one batch."),
		number("fetch.max.bytes", "2097152", &s.fetchMaxBytes, "Bytes of one fetch."),
		number("max.partition.fetch.bytes", "1048576", &s.maxPartitionBytes, "Bytes of one partition in one fetch."),
		number("fetch.min.bytes", "1", &s.fetchMinBytes, "Bytes that a fetch waits for, for as long as fetch.max.wait.ms."),
		{Name: "fetch.max.wait.ms", Var: &s.fetchMaxWait, Default: "500", Check: within(&s.fetchMaxWait, 10*time.Millisecond, time.Hour), Doc: "How long a fetch waits for records."},
		long("session.timeout.ms", "45000", &s.sessionTimeout, "How long the group waits for a heartbeat."),
		long("heartbeat.interval.ms", "3000", &s.heartbeatInterval, "Time between heartbeats."),
		long("max.poll.interval.ms", "300000", &s.rebalanceTimeout, "How long a rebalance waits for this member."),
	}
}

// forever is the longest time that Kafka's int32 milliseconds can say.
const forever = (1<<31 - 1) * time.Millisecond

// checkAcks enforces I1: what is answered is durable.
func (s *clientSettings) checkAcks() error {
	if s.acks != "all" && s.acks != "-1" {
		return errors.New("records are written with acks=all, so that what is acknowledged is durable; remove this setting")
	}
	return nil
}

func refuse(why string) func() error { return func() error { return errors.New(why) } }

func refuseIf(refused bool, why string) error {
	if refused {
		return errors.New(why)
	}
	return nil
}

func between(v *int, least, most int) func() error {
	return func() error {
		if *v < least || *v > most {
			return fmt.Errorf("Value must be between %d and %d", least, most)
		}
		return nil
	}
}

func positiveNumber(v *int64) func() error {
	return func() error {
		if *v < 1 {
			return errors.New("Value must be at least 1")
		}
		return nil
	}
}

const assignorPackage = "org.apache.kafka.clients.consumer."

func balancer(class string) kgo.GroupBalancer {
	switch strings.TrimPrefix(class, assignorPackage) {
	case "RangeAssignor":
		return kgo.RangeBalancer()
	case "RoundRobinAssignor":
		return kgo.RoundRobinBalancer()
	case "StickyAssignor":
		return kgo.StickyBalancer()
	case "CooperativeStickyAssignor":
		return kgo.CooperativeStickyBalancer()
	}
	return nil
}

func (s *clientSettings) checkAssignors() error {
	for _, class := range s.assignors {
		if balancer(class) == nil {
			return fmt.Errorf("there is no assignor %s; use those of Kafka: %sRangeAssignor, RoundRobinAssignor, StickyAssignor or CooperativeStickyAssignor", class, assignorPackage)
		}
	}
	return nil
}

// known returns the names of the settings that take effect, without prefix.
func (s *clientSettings) known() []string {
	var names []string
	for _, o := range append(s.options(), s.accessOptions()...) {
		names = append(names, o.Name)
	}
	return names
}

// opts are the options of the client that every kind shares. They come after
// those of the worker.
func (s *clientSettings) opts() []kgo.Opt {
	var opts []kgo.Opt
	if s.clientID != "" {
		opts = append(opts, kgo.ClientID(s.clientID))
	}
	if s.requestTimeout > 0 {
		opts = append(opts, kgo.RequestTimeoutOverhead(s.requestTimeout))
	}
	if s.retryBackoff > 0 || s.retryBackoffMax > 0 {
		opts = append(opts, kgo.RetryBackoffFn(s.retryDelay))
	}
	if s.metadataMaxAge > 0 {
		opts = append(opts, kgo.MetadataMaxAge(s.metadataMaxAge))
	}
	if s.maxIdle > 0 {
		opts = append(opts, kgo.ConnIdleTimeout(s.maxIdle))
	}
	if s.dialTimeout > 0 {
		opts = append(opts, kgo.DialTimeout(s.dialTimeout))
	}
	return opts
}

// retryDelay doubles from retry.backoff.ms (100 by default) to
// retry.backoff.max.ms (1000 by default), as Kafka's clients do (KIP-580).
func (s *clientSettings) retryDelay(attempt int) time.Duration {
	least, most := s.retryBackoff, s.retryBackoffMax
	if least == 0 {
		least = 100 * time.Millisecond
	}
	if most == 0 {
		most = time.Second
	}
	most = max(least, most)
	return min(least<<min(max(attempt-1, 0), 20), most)
}

// producerOpts are those of a producer with acks=all (I1). A transaction needs
// idempotence.
func (s *clientSettings) producerOpts(transactional bool) []kgo.Opt {
	opts := append(s.opts(), kgo.RequiredAcks(kgo.AllISRAcks()), // I1
		kgo.ProducerLinger(s.linger), kgo.ProducerBatchCompression(s.codec()), kgo.ProducerBatchMaxBytes(int32(s.maxRequestBytes)))
	if s.bufferBytes > 0 {
		opts = append(opts, kgo.MaxBufferedBytes(int(s.bufferBytes)))
	}
	if s.deliveryTimeout > 0 && s.deliveryTimeout < forever {
		opts = append(opts, kgo.RecordDeliveryTimeout(s.deliveryTimeout))
	}
	if s.retries > 0 {
		opts = append(opts, kgo.RecordRetries(s.retries))
	}
	if !s.idempotent && !transactional {
		opts = append(opts, kgo.DisableIdempotentWrite(), kgo.MaxProduceRequestsInflightPerBroker(max(s.maxInFlight, 1)))
	}
	if transactional && s.transactionTimeout > 0 {
		opts = append(opts, kgo.TransactionTimeout(s.transactionTimeout))
	}
	return opts
}

func (s *clientSettings) codec() kgo.CompressionCodec {
	withLevel := func(c kgo.CompressionCodec, level int) kgo.CompressionCodec {
		if level == 0 {
			return c
		}
		return c.WithLevel(level)
	}
	switch s.compression {
	case "gzip":
		return withLevel(kgo.GzipCompression(), s.gzipLevel)
	case "snappy":
		return kgo.SnappyCompression()
	case "lz4":
		return withLevel(kgo.Lz4Compression(), s.lz4Level)
	case "zstd":
		return withLevel(kgo.ZstdCompression(), s.zstdLevel)
	}
	return kgo.NoCompression()
}

// consumerOpts are those of a consumer but for its topics and its group's name.
func (s *clientSettings) consumerOpts() []kgo.Opt {
	start := kgo.NewOffset().AtStart()
	if s.offsetReset == "latest" {
		start = kgo.NewOffset().AtEnd()
	}
	isolation := kgo.ReadCommitted()
	if s.isolation == "read_uncommitted" {
		isolation = kgo.ReadUncommitted()
	}
	// A topic that comes after its sink is seen at once.
	opts := append([]kgo.Opt{kgo.MetadataMaxAge(time.Second)}, s.opts()...)
	opts = append(opts, kgo.FetchIsolationLevel(isolation), kgo.ConsumeStartOffset(start), kgo.ConsumeResetOffset(start),
		kgo.SessionTimeout(s.sessionTimeout), kgo.HeartbeatInterval(s.heartbeatInterval), kgo.RebalanceTimeout(s.rebalanceTimeout),
		kgo.FetchMaxBytes(int32(s.fetchMaxBytes)), kgo.FetchMaxPartitionBytes(int32(s.maxPartitionBytes)),
		kgo.FetchMinBytes(int32(s.fetchMinBytes)), kgo.FetchMaxWait(s.fetchMaxWait))
	if s.rack != "" {
		opts = append(opts, kgo.Rack(s.rack))
	}
	if len(s.assignors) > 0 {
		var balancers []kgo.GroupBalancer
		for _, class := range s.assignors {
			balancers = append(balancers, balancer(class))
		}
		opts = append(opts, kgo.Balancers(balancers...))
	}
	return opts
}
