package engine

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/sluice-data/sluice/connect"
)

const (
	// maxFollowed is how many topics a source may follow at once (I5).
	maxFollowed = 16
	// followFetchBytes is fetch.max.bytes of a follower by default.
	followFetchBytes = "1048576"
	// followRecords is how many records of a fetch are taken from the client at once.
	followRecords = 64
	// followCommit is how often at most the group of a follower gets to know its place,
	// followLast how long its last one may take.
	followCommit = 5 * time.Second
	followLast   = 2 * time.Second
	// followRetry is how often at least it is looked whether a topic can be read.
	followRetry = 5 * time.Second
)

// topicFollower reads a partition for a source (connect.Follower). The client is
// given the partition by the first Next, which finds out where to begin.
type topicFollower struct {
	connect.Follow
	client *kgo.Client
	admin  *kadm.Client
	latest bool // auto.offset.reset
	// missing: the topic was not there when Next looked first. All of it is new then.
	missing bool
	begun   bool
	trouble *trouble      // of reading; Next's
	waiting []*kgo.Record // taken from the client; Next's

	ctx     context.Context // ends with Close
	cancel  context.CancelFunc
	running sync.WaitGroup
	moved   chan struct{} // capacity 1: next was changed
	mu      sync.Mutex    // guards next
	next    int64         // what Commit has noted; -1: nothing new
}

// follow is SourceContext.Follow. Reader and its source's Open and Read call it.
func (s *sourceTask) follow(f connect.Follow) (connect.Follower, error) {
	s.followers = slices.DeleteFunc(s.followers, func(f *topicFollower) bool { return f.ctx.Err() != nil })
	if len(s.followers) == maxFollowed {
		return nil, fmt.Errorf("follow topic %s: a source follows %d topics at most", f.Topic, maxFollowed)
	}
	if f.Topic == "" || f.Partition < 0 {
		return nil, fmt.Errorf("follow topic %q: it has no name, or its partition %d is below 0", f.Topic, f.Partition)
	}
	follower, err := s.newFollower(f)
	if err != nil {
		return nil, err
	}
	s.followers = append(s.followers, follower)
	return follower, nil
}

func (s *sourceTask) newFollower(f connect.Follow) (*topicFollower, error) {
	settings, a, errs := followAccess(f, s.cfg)
	if len(errs) > 0 {
		return nil, errs[0]
	}
	opts := append([]kgo.Opt{kgo.MaxConcurrentFetches(1)}, settings.consumerOpts()...)
	client, err := kgo.NewClient(a.clientOpts(fmt.Sprintf("connector-follower-%s-%d", s.id.Connector, s.id.Task), opts...)...)
	if err != nil {
		return nil, fmt.Errorf("make the kafka client that follows topic %s: %w", f.Topic, err)
	}
	t := &topicFollower{Follow: f, client: client, admin: kadm.NewClient(client), latest: settings.offsetReset == "latest",
		trouble: s.trouble("follow topic " + f.Topic), moved: make(chan struct{}, 1), next: -1}
	t.ctx, t.cancel = context.WithCancel(context.Background())
	if f.Group != "" {
		failing := s.trouble("commit the place in topic " + f.Topic)
		t.running.Go(func() { t.commitAll(failing) })
	}
	return t, nil
}

// followAccess reads the settings of the consumer over the worker's, and how it gets to
// its cluster. Those that are the follower's own are left out. Each error names the
// setting as the user knows it.
func followAccess(f connect.Follow, cfg *Config) (*clientSettings, access, []*connect.ConfigError) {
	worker := map[string]string{}
	maps.Copy(worker, cfg.Clients.of(consumerClient))
	worker["fetch.max.bytes"] = followFetchBytes
	given := make(map[string]string, len(f.Settings))
	for name, value := range f.Settings {
		switch name {
		case "group.id", "enable.auto.commit", "partition.assignment.strategy":
		default:
			given[f.Prefix+name] = value
		}
	}
	var d connect.Def
	s := new(clientSettings)
	s.readAs(consumerClient, f.Prefix, &d, given, worker)
	var errs []*connect.ConfigError
	for _, v := range d.Parse(given) {
		for _, reason := range v.Errors {
			errs = append(errs, &connect.ConfigError{Option: v.Option.Name, Reason: reason})
		}
	}
	if len(errs) > 0 {
		return s, access{}, errs
	}
	a, err := s.access(cfg)
	if err != nil {
		setting, reason, _ := strings.Cut(err.Error(), ": ")
		errs = append(errs, &connect.ConfigError{Option: f.Prefix + setting, Reason: reason})
	}
	return s, a, errs
}

// checkFollows adds the errors of how topics will be followed, once the config is right
// by itself: they would fail each task otherwise.
func (d *definition) checkFollows(cfg *Config) {
	f, ok := d.config.(connect.Following)
	if !ok || d.err() != nil {
		return
	}
	for _, follow := range f.Follows() {
		s, _, errs := followAccess(follow, cfg)
		for _, e := range errs {
			option := e.Option
			if _, given := d.settings[option]; !given { // it is missing
				option = s.anyAccess(d.settings)
			}
			d.fail(option, d.secrets.Replace(e.Error()))
		}
	}
}

// Next implements connect.Follower.
func (t *topicFollower) Next(ctx context.Context) (connect.FollowedRecord, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(t.ctx, cancel)()
	retry := backoff{limit: followRetry}
	for len(t.waiting) == 0 {
		if err := t.poll(ctx); err != nil {
			if t.ctx.Err() != nil {
				return connect.FollowedRecord{}, connect.ErrFollowerClosed
			}
			if ctx.Err() != nil {
				return connect.FollowedRecord{}, ctx.Err()
			}
			t.trouble.note(err)
			_ = sleep(ctx, retry.next())
			continue
		}
		t.trouble.over()
	}
	r := t.waiting[0]
	t.waiting[0] = nil
	t.waiting = t.waiting[1:]
	return connect.FollowedRecord{Offset: r.Offset, Key: r.Key, Value: r.Value}, nil
}

func (t *topicFollower) poll(ctx context.Context) error {
	if !t.begun {
		at, err := t.start(ctx)
		if err != nil {
			return err
		}
		t.client.AddConsumePartitions(map[string]map[int32]kgo.Offset{t.Topic: {t.Partition: kgo.NewOffset().At(at)}})
		t.begun = true
	}
	fetches := t.client.PollRecords(ctx, followRecords)
	t.waiting = append(t.waiting[:0], fetches.Records()...)
	return fetchError(fetches)
}

// start finds out where reading begins.
func (t *topicFollower) start(ctx context.Context) (int64, error) {
	first, err := t.bound(t.admin.ListStartOffsets(ctx, t.Topic))
	if errors.Is(err, kerr.UnknownTopicOrPartition) {
		t.missing = true
		return 0, fmt.Errorf("it does not exist yet, create it to use it: %w", err)
	}
	if err != nil {
		return 0, err
	}
	end, err := t.bound(t.admin.ListEndOffsets(ctx, t.Topic))
	if err != nil {
		return 0, err
	}
	at := t.Offset
	if at < 0 && t.Group != "" {
		if at, err = t.committed(ctx); err != nil {
			return 0, err
		}
	}
	reset := first
	if t.latest && !t.missing {
		reset = end
	}
	if at >= 0 && (at < first || at > end) {
		t.trouble.logger.Warn("follow a topic: it does not have the offset any more that is to be read, it was deleted or cut", logTopic, t.Topic,
			logOffset, at, "first", first, "end", end, "from", reset)
		at = -1
	}
	if at < 0 {
		at = reset
	}
	return at, nil
}

func (t *topicFollower) bound(offsets kadm.ListedOffsets, err error) (int64, error) {
	if err != nil {
		return 0, fmt.Errorf("look up its offsets: %w", err)
	}
	o, ok := offsets.Lookup(t.Topic, t.Partition)
	if !ok {
		return 0, kerr.UnknownTopicOrPartition
	}
	return o.Offset, o.Err
}

// committed is the place of the group, -1 when it has none.
func (t *topicFollower) committed(ctx context.Context) (int64, error) {
	offsets, err := t.admin.FetchOffsets(ctx, t.Group)
	if err != nil {
		return 0, fmt.Errorf("look up the place of group %s: %w", t.Group, err)
	}
	o, ok := offsets.Lookup(t.Topic, t.Partition)
	if !ok {
		return -1, nil
	}
	return o.At, o.Err
}

// Commit implements connect.Follower.
func (t *topicFollower) Commit(next int64) {
	t.mu.Lock()
	t.next = next
	t.mu.Unlock()
	select {
	case t.moved <- struct{}{}:
	default:
	}
}

// commitAll tells the group what Commit has noted, every few seconds and at the end.
func (t *topicFollower) commitAll(trouble *trouble) {
	for {
		select {
		case <-t.moved:
		case <-t.ctx.Done():
			t.commitNow(context.Background(), trouble)
			return
		}
		t.commitNow(t.ctx, trouble)
		_ = sleep(t.ctx, followCommit)
	}
}

func (t *topicFollower) commitNow(ctx context.Context, trouble *trouble) {
	t.mu.Lock()
	next := t.next
	t.next = -1
	t.mu.Unlock()
	if next < 0 {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, followLast)
	defer cancel()
	var set kadm.Offsets
	set.AddOffset(t.Topic, t.Partition, next, -1)
	answers, err := t.admin.CommitOffsets(ctx, t.Group, set)
	if err == nil {
		err = answers.Error()
	}
	if err == nil {
		trouble.over()
		return
	}
	if t.ctx.Err() == nil {
		trouble.note(err)
	}
	t.mu.Lock()
	if t.next < 0 {
		t.next = next // with the next one, or at the end
	}
	t.mu.Unlock()
}

// Close implements connect.Follower.
func (t *topicFollower) Close() {
	t.cancel()
	t.running.Wait()
	t.client.Close()
}

// closeFollowers closes what the source has left open.
func (s *sourceTask) closeFollowers() {
	for _, f := range s.followers {
		f.Close()
	}
	s.followers = nil
}
