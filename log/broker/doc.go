// Package broker serves the Kafka protocol over a log.Log: framing, version
// negotiation, one handler per API key, and the limits that keep a client from
// taking more than its share.
//
// # Requests
//
// A request is a frame; all integers are big endian:
//
//	size int32 | key int16 | version int16 | correlation id int32 |
//	client id nullable string | [tags, flexible versions] | body
//
// and its response is
//
//	size int32 | correlation id int32 | [tags, flexible versions] | body
//
// with one exception: the header of an ApiVersions response never has tags
// (KIP-511), because the client does not yet know which version it will get.
//
// Each connection has two goroutines. The reader takes requests in order and
// runs their handlers one after the other; the writer sends the answers in the
// same order, each when it is ready. Only Produce answers later than its handler
// returns: the records are appended in order, and the answer waits for the
// fdatasync that covers them (I1) while the next pipelined request is handled.
//
// # Who asks
//
// A [Listener] says whether its connections are encrypted and how a client has to
// prove who it is: not at all, by a certificate, or by SASL. Until that is done only
// ApiVersions, SaslHandshake and SaslAuthenticate are parsed, in small frames and
// for a short time (I5); then each handler asks the authorizer for the right that
// Kafka asks for. Connections of [Broker.DialContext] are this process's own: they
// may do everything and have no quotas.
//
// Quotas make a client wait after its answer has been sent: the reader takes no
// further request until then, and the answer says so (KIP-219).
//
// # Bytes from outside
//
// The decoder (kmsg) trusts the counts in a request: it allocates what an array
// claims and loops as often as a tag section claims. So every body is first
// walked against the shape its handler states (see shape), which reads nothing
// but lengths, and refused when it does not fit (I5). Frames grow as their bytes
// arrive, whatever their size prefix says.
//
// # Fetch sessions
//
// A consumer of many partitions names them once; later fetches name what changes,
// and answers have only what is new (KIP-227). Sessions are a cache of bounded size
// (fetchsession.go): a client whose session is gone starts another.
//
// # Configs
//
// A topic's value comes from the topic, else from the dynamic configs of this node,
// of the cluster (KIP-226), else from Kafka's default; DescribeConfigs lists the
// chain. The log keeps all of them.
//
// # Metrics
//
// Handlers and connections add to atomic numbers (metrics.go), which a collector
// (collect.go) writes when a scrape comes, beside the state of partitions and
// groups.
//
// # API keys
//
// One file per key, named NN_name.go; the file states the versions and is listed
// once in handlers.go.
package broker
