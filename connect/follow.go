package connect

import (
	"context"
	"errors"
)

// Follow says which partition of a topic a source wants to read beside its own
// system, such as one that people send requests to. It goes by the log's protocol,
// so that the source need not know where the log is (I8).
type Follow struct {
	Topic     string
	Partition int32
	// Offset is that of the first record to read. -1 goes on where Group was committed
	// last, and otherwise where the setting auto.offset.reset says (earliest by
	// default); so does an offset that the topic does not have any more.
	Offset int64
	// Group is the consumer group that Commit keeps a place for; "": none. It has no
	// members: nothing is shared out among those who follow under one name.
	Group string
	// Settings are of the Kafka consumer, under Kafka's names. Without bootstrap.servers
	// and settings of security the worker's cluster is read, as the worker's consumers
	// do. Prefix stands before their names in errors, since users know them by it.
	Settings map[string]string
	Prefix   string
}

// Following is a Config whose sources follow topics.
type Following interface {
	// Follows returns what a source of this config will follow, for their settings to be
	// checked with the config. It is called after Validate has found nothing wrong;
	// offsets need not be known yet.
	Follows() []Follow
}

// Follower reads a topic. Next belongs to one goroutine, which need not be that of
// Read; Commit and Close may come from any.
type Follower interface {
	// Next returns the next record, once there is one, in the order of offsets, which
	// has gaps. Its bytes may be kept. It ends with ctx, with the context's error, or
	// with ErrFollowerClosed; nothing else ends it: a topic that does not exist yet, a
	// cluster that is away and a right that is missing are logged and waited for.
	//
	// What it reads ahead is one fetch (fetch.max.bytes, 1 MiB by default, or one batch
	// that is larger), however long nobody calls it (I5).
	Next(ctx context.Context) (FollowedRecord, error)
	// Commit notes that what comes before an offset is done with. The group gets to
	// know it after a few seconds and at the end, for those who watch it; a crash may
	// forget it. A source that must not see a request twice, or miss one, keeps the
	// offset in its marks and gives it to the next Follow. It never blocks.
	Commit(next int64)
	// Close ends Next and frees what Follow took. It may come twice. The engine calls it
	// after the source's own Close, if the source has not.
	Close()
}

// ErrFollowerClosed is what Next returns after Close.
var ErrFollowerClosed = errors.New("the topic is not followed any more")

// FollowedRecord is a record of a topic that is followed.
type FollowedRecord struct {
	Offset     int64
	Key, Value []byte // nil for null
}
