package meters

import (
	"math"
	"strconv"
	"time"

	"github.com/sluice-data/sluice/connect"
	"github.com/sluice-data/sluice/internal/metrics"
)

// Describe tells the type, class and version of a connector by its config; a
// connector that has been deleted has none.
type Describe func(name string) (kind, class, version string)

// Register adds the worker's families, and those of plugins, to what GET /metrics
// shows.
func (w *Worker) Register(r *metrics.Registry, plugins []connect.Spec, describe Describe) {
	d := newDescs()
	d.own = OwnDescs(plugins)
	d.all = append(d.all, d.own...)
	r.Register(metrics.Collector{Descs: d.all, Collect: func(out *metrics.Writer) {
		s := scrape{d: d, out: out, describe: describe, starts: &w.starts, now: time.Now()}
		s.connectors, s.tasks, s.rebalances = w.sample(s.now)
		s.writeConnectors()
		s.writeTasks()
		s.writeLags()
		s.writeWorker()
		s.writeRestarts()
		s.writeRebalances()
		s.writeOwn()
	}})
}

// descs are the families that are not simply one number of each task.
type descs struct {
	all []*metrics.Desc

	perTask []taskFamily
	own     []*metrics.Desc // of plugins

	status, taskStatus, kind, class, version                *metrics.Desc
	connectors, tasks                                       *metrics.Desc
	connectorStarts, connectorStarted, connectorStartFailed *metrics.Desc
	connectorStartedRatio, connectorStartFailedRatio        *metrics.Desc
	taskStarts, taskStarted, taskStartFailed                *metrics.Desc
	taskStartedRatio, taskStartFailedRatio                  *metrics.Desc
	totalTasks                                              *metrics.Desc
	tasksIn                                                 []stateDesc
	restarts, lagRecords, lagSeconds                        *metrics.Desc

	leader, protocol, epoch, rebalanced, rebalancing *metrics.Desc
	rebalanceAvg, rebalanceMax, sinceRebalance       *metrics.Desc
	assignedConnectors, assignedTasks                *metrics.Desc
}

// stateDesc counts a connector's tasks that are in a state.
type stateDesc struct {
	state string
	desc  *metrics.Desc
}

func newDescs() *descs {
	d := &descs{}
	for _, f := range [][]taskFamily{anyTask(), sourceTask(), sinkTask(), taskErrors(), ownSource()} {
		d.perTask = append(d.perTask, f...)
	}
	for _, f := range d.perTask {
		d.all = append(d.all, f.desc)
	}
	d.addConnectors()
	d.addWorker()
	d.addRebalances()
	return d
}

func (d *descs) add(m *metrics.Desc) *metrics.Desc {
	d.all = append(d.all, m)
	return m
}

func (d *descs) addConnectors() {
	const c = "kafka_connect_connector_"
	d.status = d.add(gauge(c+"status", "1 for the state that a connector is in, and with a task the task: running, paused, stopped, failed, restarting or unassigned.", "connector", "status", "task"))
	d.taskStatus = d.add(gauge(c+"task_status", "1 for the state that a task is in.", "connector", "task", "status"))
	d.kind = d.add(gauge(c+"connector_type", "1; the label says source or sink.", "connector", "connector_type"))
	d.class = d.add(gauge(c+"connector_class", "1; the label is the connector.class of the config.", "connector", "connector_class"))
	d.version = d.add(gauge(c+"connector_version", "1; the label is the version of the plugin.", "connector", "connector_version"))
	d.restarts = d.add(counter("sluice_restarts_total", "Restarts of what failed, made by the worker itself; without a task: of the connector.", "connector", "task"))
	d.lagRecords = d.add(gauge("sluice_sink_committed_lag_records", "Records from the committed offset to the high watermark. 0 when only transaction markers are between.", "connector", "task", "topic", "partition"))
	d.lagSeconds = d.add(gauge("sluice_sink_committed_lag_seconds", "Age of the oldest record that is not committed, at most one batch too much; for what was not fetched yet, the time since the task knows of it.", "connector", "task", "topic", "partition"))
}

func (d *descs) addWorker() {
	const w = "kafka_connect_worker_"
	d.connectors = d.add(gauge(w+"connector_count", "Connectors that run on this worker."))
	d.tasks = d.add(gauge(w+"task_count", "Tasks that run on this worker."))
	d.connectorStarts = d.add(counter(w+"connector_startup_attempts_total", "Starts of connectors."))
	d.connectorStarted = d.add(counter(w+"connector_startup_success_total", "Starts of connectors that worked."))
	d.connectorStartFailed = d.add(counter(w+"connector_startup_failure_total", "Starts of connectors that did not work."))
	d.connectorStartedRatio = d.add(gauge(w+"connector_startup_success_percentage", "Share, from 0 to 1, of the starts of connectors that worked."))
	d.connectorStartFailedRatio = d.add(gauge(w+"connector_startup_failure_percentage", "Share, from 0 to 1, of the starts of connectors that did not work."))
	d.taskStarts = d.add(counter(w+"task_startup_attempts_total", "Starts of tasks."))
	d.taskStarted = d.add(counter(w+"task_startup_success_total", "Starts of tasks that opened their source or sink."))
	d.taskStartFailed = d.add(counter(w+"task_startup_failure_total", "Starts of tasks that failed before that."))
	d.taskStartedRatio = d.add(gauge(w+"task_startup_success_percentage", "Share, from 0 to 1, of the starts of tasks that worked."))
	d.taskStartFailedRatio = d.add(gauge(w+"task_startup_failure_percentage", "Share, from 0 to 1, of the starts of tasks that did not work."))
	d.totalTasks = d.add(gauge(w+"connector_total_task_count", "Tasks of a connector that run on this worker.", "connector"))
	for _, state := range []string{"running", "paused", "failed", "unassigned", "destroyed", "restarting"} {
		d.tasksIn = append(d.tasksIn, stateDesc{state, d.add(gauge(w+"connector_"+state+"_task_count", "Those that are "+state+".", "connector"))})
	}
}

func (d *descs) addRebalances() {
	const r = "kafka_connect_worker_rebalance_"
	d.leader = d.add(gauge(r+"leader_name", "1; the label is the URL of the worker that leads the group. A worker that is alone has no group, and none of these.", "leader_name"))
	d.protocol = d.add(gauge(r+"connect_protocol", "1; the label is the protocol of the group.", "connect_protocol"))
	d.epoch = d.add(gauge(r+"epoch", "Generation of the group."))
	d.rebalanced = d.add(counter(r+"completed_rebalances_total", "Rebalances that are over."))
	d.rebalancing = d.add(gauge(r+"rebalancing", "1 while the group rebalances."))
	d.rebalanceAvg = d.add(gauge(r+"rebalance_avg_time_ms", "Milliseconds of a rebalance, on average."))
	d.rebalanceMax = d.add(gauge(r+"rebalance_max_time_ms", "Milliseconds of the longest rebalance."))
	d.sinceRebalance = d.add(gauge(r+"time_since_last_rebalance_ms", "Milliseconds since the last rebalance."))
	d.assignedConnectors = d.add(gauge("kafka_connect_coordinator_assigned_connectors", "Connectors that the group assigned to this worker."))
	d.assignedTasks = d.add(gauge("kafka_connect_coordinator_assigned_tasks", "Tasks that the group assigned to this worker."))
}

// scrape is one answer.
type scrape struct {
	d          *descs
	out        *metrics.Writer
	describe   Describe
	starts     *startups
	now        time.Time
	connectors []connectorSample
	tasks      []taskSample
	rebalances *Rebalances // nil: there is no group
}

func (s *scrape) writeConnectors() {
	s.out.Family(s.d.status)
	for _, c := range s.connectors {
		if c.state != "" {
			s.out.Int(1, c.name, c.state)
		}
	}
	for _, t := range s.tasks {
		if t.state != "" {
			s.out.Int(1, t.connector, t.state, t.number)
		}
	}
	s.out.Family(s.d.taskStatus)
	for _, t := range s.tasks {
		if t.state != "" {
			s.out.Int(1, t.connector, t.number, t.state)
		}
	}
	type info struct{ kind, class, version string }
	infos := make([]info, len(s.connectors))
	for i, c := range s.connectors {
		infos[i].kind, infos[i].class, infos[i].version = s.describe(c.name)
	}
	write := func(d *metrics.Desc, text func(info) string) {
		s.out.Family(d)
		for i, c := range s.connectors {
			if v := text(infos[i]); v != "" {
				s.out.Int(1, c.name, v)
			}
		}
	}
	write(s.d.kind, func(i info) string { return i.kind })
	write(s.d.class, func(i info) string { return i.class })
	write(s.d.version, func(i info) string { return i.version })
}

func (s *scrape) writeTasks() {
	for _, f := range s.d.perTask {
		s.out.Family(f.desc)
		for i := range s.tasks {
			if t := &s.tasks[i]; f.kind == None || f.kind == t.kind {
				s.out.Float(f.value(&t.counts, s.now), t.connector, t.number)
			}
		}
	}
}

func (s *scrape) writeLags() {
	lags := make([][]partitionLag, len(s.tasks))
	for i, t := range s.tasks {
		lags[i] = t.task.lags(s.now)
	}
	write := func(d *metrics.Desc, value func(partitionLag) float64) {
		s.out.Family(d)
		for i, t := range s.tasks {
			for _, l := range lags[i] {
				s.out.Float(value(l), t.connector, t.number, l.Topic, itoa(int(l.Partition)))
			}
		}
	}
	write(s.d.lagRecords, func(l partitionLag) float64 { return float64(l.records) })
	write(s.d.lagSeconds, func(l partitionLag) float64 { return l.seconds })
}

func (s *scrape) writeWorker() {
	s.out.One(s.d.connectors, int64(len(s.connectors)))
	s.out.One(s.d.tasks, int64(len(s.tasks)))
	c, t := s.starts, s.starts
	s.writeStarts(c.connectorAttempts.Load(), c.connectorSuccesses.Load(), c.connectorFailures.Load(),
		s.d.connectorStarts, s.d.connectorStarted, s.d.connectorStartFailed, s.d.connectorStartedRatio, s.d.connectorStartFailedRatio)
	s.writeStarts(t.taskAttempts.Load(), t.taskSuccesses.Load(), t.taskFailures.Load(),
		s.d.taskStarts, s.d.taskStarted, s.d.taskStartFailed, s.d.taskStartedRatio, s.d.taskStartFailedRatio)
	s.out.Family(s.d.totalTasks)
	s.countTasks("")
	for _, d := range s.d.tasksIn {
		s.out.Family(d.desc)
		s.countTasks(d.state)
	}
}

func (s *scrape) writeStarts(attempts, successes, failures int64, all, good, bad, goodRatio, badRatio *metrics.Desc) {
	s.out.One(all, attempts)
	s.out.One(good, successes)
	s.out.One(bad, failures)
	ended := max(float64(successes+failures), 1)
	s.out.Family(goodRatio)
	s.out.Float(float64(successes) / ended)
	s.out.Family(badRatio)
	s.out.Float(float64(failures) / ended)
}

// countTasks writes how many tasks of each connector are in a state; "" is any.
func (s *scrape) countTasks(state string) {
	for i := 0; i < len(s.tasks); {
		name, n := s.tasks[i].connector, int64(0)
		for ; i < len(s.tasks) && s.tasks[i].connector == name; i++ {
			if state == "" || s.tasks[i].state == state {
				n++
			}
		}
		s.out.Int(n, name)
	}
}

func (s *scrape) writeRestarts() {
	s.out.Family(s.d.restarts)
	for _, c := range s.connectors {
		s.out.Int(c.restarts, c.name)
	}
	for _, t := range s.tasks {
		s.out.Int(t.restarts, t.connector, t.number)
	}
}

func (s *scrape) writeRebalances() {
	shown := s.rebalances != nil
	var r Rebalances
	if shown {
		r = *s.rebalances
	}
	value := func(d *metrics.Desc, v float64, labels ...string) {
		s.out.Family(d)
		if shown {
			s.out.Float(v, labels...)
		}
	}
	since := math.NaN()
	if !r.Last.IsZero() {
		since = float64(s.now.Sub(r.Last).Milliseconds())
	}
	rebalancing := 0.0
	if r.Rebalancing {
		rebalancing = 1
	}
	value(s.d.leader, 1, r.Leader)
	value(s.d.protocol, 1, r.Protocol)
	value(s.d.epoch, float64(r.Epoch))
	value(s.d.rebalanced, float64(r.Completed))
	value(s.d.rebalancing, rebalancing)
	value(s.d.rebalanceAvg, float64(r.Avg.Milliseconds()))
	value(s.d.rebalanceMax, float64(r.Max.Milliseconds()))
	value(s.d.sinceRebalance, since)
	value(s.d.assignedConnectors, float64(r.Connectors))
	value(s.d.assignedTasks, float64(r.Tasks))
}

func itoa(n int) string { return strconv.Itoa(n) }
