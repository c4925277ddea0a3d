package s3kill

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// TestKillDevices is what TestKill does between devices and the log, and nothing else, so a hundred times a minute: Mosquitto restarts alone, the worker
// is killed alone, or both in any order. Each message of QoS 2 is in the log once.
func TestKillDevices(t *testing.T) {
	t.Parallel()
	rounds, seed := number(t, "SLUICE_KILL_ROUNDS", 10), number(t, "SLUICE_KILL_SEED", int(time.Now().UnixNano()%1e9))
	t.Logf("%d rounds, seed %d", rounds, seed)
	r := &run{judge: judge{t: t}, random: rand.New(rand.NewPCG(uint64(seed), 2)), broker: newBroker(t), worker: newWorker(t, nil, "", "--kafka", "127.0.0.1:0")}
	r.log = r.worker
	ctx, stop := context.WithCancel(t.Context())
	var publishing sync.WaitGroup
	var devices []*device
	for i, version := range []string{"3", "5", "3"} {
		devices = append(devices, r.addDevice("qos2-"+strconv.Itoa(i), 2, version))
	}
	for _, d := range devices {
		publishing.Go(func() {
			if err := d.run(ctx); err != nil {
				t.Error(err)
			}
		})
	}
	began := time.Now()
	for range rounds {
		r.wait(20, 400)
		r.devicesRound()
	}
	stop()
	publishing.Wait()
	t.Logf("%d rounds in %.0f s: the worker was killed %d times and stopped %d times, Mosquitto restarted %d times",
		rounds, time.Since(began).Seconds(), r.kills, r.stops, r.brokerStops)
	for _, d := range devices {
		eventually(t, time.Minute, func() error { return r.published(d, r.records(d.id)) })
		t.Logf("%s: %d messages once; %d packets sent again", d.id, d.numbers, d.again)
	}
}

// devicesRound ends Mosquitto, the worker or both, and starts them again in any order.
func (r *run) devicesRound() {
	what := r.random.IntN(4)
	broker, worker := what < 3, what > 0
	if broker {
		r.broker.End(syscall.SIGTERM) // with SIGKILL it would forget what it has acknowledged
		r.brokerStops++
		r.wait(0, 50)
	}
	if worker && r.random.IntN(10) == 0 {
		r.worker.End(syscall.SIGTERM)
		r.stops++
	} else if worker {
		r.worker.End(syscall.SIGKILL)
		r.kills++
	}
	if broker && r.random.IntN(2) == 0 {
		r.broker.start(r.t)
		broker = false
	}
	if worker {
		r.worker.start(r.t)
	}
	if broker {
		r.broker.start(r.t)
	}
}

// published wants every message of a device in its topic, and one of QoS 2 once. What is there too often or was never published fails at once: it does
// not go away.
func (r *run) published(d *device, got *topic) error {
	for n, times := range got.numbers {
		if n >= d.numbers || d.qos == 2 && times > 1 {
			r.t.Fatalf("message %d of %d is %d times in topic %s:%s", n, d.numbers, times, d.id, r.trail(d.id, got.origin[n]))
		}
	}
	if len(got.numbers) < d.numbers {
		return fmt.Errorf("%d of %d messages of %s are not in the log", d.numbers-len(got.numbers), d.numbers, d.id)
	}
	return nil
}

// trail says how records came: what Mosquitto did with their packet ids, and when the offset of the source had them.
func (r *run) trail(name string, records []*kgo.Record) (text string) {
	ids := make(map[string]bool)
	for _, rec := range records {
		text += origin(rec)
		ids[string(rec.Headers[0].Value)] = true
	}
	client := name + "-source-0"
	for id := range ids {
		packets := r.broker.lines(regexp.MustCompile(client + ` .*(m|Mid: )` + id + `[,)]|mosquitto version \S+ starting|connected from .* as ` + client))
		text += fmt.Sprintf("\npacket id %s in the offset: %s\nin Mosquitto's log:\n%s", id, strings.Join(r.inFlight(name, id), ", "), strings.Join(packets, "\n"))
	}
	return text
}

// inFlight returns when a packet id came into the offset of a source and went out of it.
func (r *run) inFlight(name, id string) (changes []string) {
	had := false
	r.read("connect-offsets", func(rec *kgo.Record) {
		var offset struct {
			InFlight string `json:"mqtt.qos2.in.flight"`
		}
		if err := json.Unmarshal(rec.Value, &offset); err != nil || !strings.Contains(string(rec.Key), name+"-source") {
			return
		}
		if has := inRanges(offset.InFlight, id); has != had {
			had = has
			changes = append(changes, fmt.Sprintf("%v from %s on", has, rec.Timestamp.Format("15:04:05.000")))
		}
	})
	return changes
}

// inRanges tells whether a number is in a text like 1-20,25.
func inRanges(ranges, number string) bool {
	n, _ := strconv.Atoi(number)
	for part := range strings.SplitSeq(ranges, ",") {
		first, last, isRange := strings.Cut(part, "-")
		if !isRange {
			last = first
		}
		from, _ := strconv.Atoi(first)
		to, _ := strconv.Atoi(last)
		if from <= n && n <= to {
			return true
		}
	}
	return false
}
