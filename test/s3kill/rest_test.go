package s3kill

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// Limits of coming to rest. A task that fails again and again waits longer and longer, so most of it is patience with a machine that is busy.
const (
	stillTime = 90 * time.Second // in which something has to move
	restTime  = 5 * time.Minute  // in all
)

// rest waits until check has nothing to say: everything has come to rest, and is as it should be. It gives up when nothing moves any more, or when it
// takes too long, and tells what check said last, and how far the sinks of a worker are.
func (j *judge) rest(at *worker, sinks []sink, check func() error) {
	j.t.Helper()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	began, moved, last := time.Now(), time.Now(), ""
	for {
		err := check()
		if err == nil {
			return
		}
		progress, trouble := j.progress(at, sinks)
		if now := err.Error() + progress; now != last {
			moved, last = time.Now(), now
		}
		switch {
		case time.Since(moved) > stillTime:
			j.t.Fatalf("nothing has moved for %v, and it is not as it should be: %v\n%s%s", stillTime, err, progress, trouble)
		case time.Since(began) > restTime:
			j.t.Fatalf("it has not come to rest in %v: %v\n%s%s", restTime, err, progress, trouble)
		}
		<-tick.C
	}
}

// progress tells how far the sinks have read and what is on its way to the server; and which of their tasks do not run, and why. A task that is
// started again and again is no progress.
func (j *judge) progress(at *worker, sinks []sink) (progress, trouble string) {
	ctx, cancel := context.WithTimeout(j.t.Context(), time.Minute)
	defer cancel()
	client, err := kgo.NewClient(kgo.SeedBrokers(j.log.Kafka))
	if err != nil {
		j.t.Fatal(err)
	}
	defer client.Close()
	for _, s := range sinks {
		read, all := offsets(ctx, kadm.NewClient(client), s)
		progress += fmt.Sprintf("  %s has committed %d of %d offsets\n", s.name, read, all)
		trouble += at.trouble(ctx, s.name)
	}
	uploads, err := j.bucket.Uploads(ctx)
	return progress + fmt.Sprintf("  %d uploads are open %v\n", len(uploads), uploads[:min(5, len(uploads))]), trouble + errorText(err)
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return "  " + err.Error() + "\n"
}

// offsets adds up what a sink has committed, and the ends of its topic's partitions.
func offsets(ctx context.Context, admin *kadm.Client, s sink) (read, all int64) {
	committed, _ := admin.FetchOffsets(ctx, "connect-"+s.name) // what is not there counts as none
	committed.Each(func(o kadm.OffsetResponse) { read += max(o.At, 0) })
	ends, _ := admin.ListEndOffsets(ctx, s.topic)
	ends.Each(func(o kadm.ListedOffset) { all += max(o.Offset, 0) })
	return read, all
}

// trouble names the tasks of a connector that do not run, and the first line of why.
func (w *worker) trouble(ctx context.Context, connector string) (found string) {
	text, err := w.ask(ctx, http.MethodGet, "/connectors/"+connector+"/status", "")
	if err != nil {
		return errorText(err)
	}
	var status struct {
		Tasks []struct {
			ID           int
			State, Trace string
		}
	}
	if err := json.Unmarshal([]byte(text), &status); err != nil {
		return errorText(err)
	}
	for _, task := range status.Tasks {
		if task.State != "RUNNING" {
			why, _, _ := strings.Cut(task.Trace, "\n")
			found += fmt.Sprintf("  task %d of %s is %s: %s\n", task.ID, connector, task.State, why)
		}
	}
	return found
}
