// Command run kills workers of a group on a cluster again and again and looks at what
// was written; see test/conformance/workers.sh.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strings"
	"time"

	"github.com/sluice-data/sluice/test/workers"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run() error {
	c := workers.Config{Group: "kill-test", Out: os.Stdout}
	var bootstrap string
	flag.StringVar(&c.Binary, "sluice", "", "the `binary`")
	flag.StringVar(&bootstrap, "bootstrap", "", "`host:port` of the cluster")
	flag.StringVar(&c.Dir, "dir", "", "empty `directory` for logs and the sinks' files")
	flag.IntVar(&c.Workers, "workers", 3, "`number` of workers")
	flag.IntVar(&c.Sources, "sources", 24, "`number` of sources with two tasks each")
	flag.IntVar(&c.Sinks, "sinks", 6, "`number` of sinks that write what sources make to files")
	flag.IntVar(&c.Throughput, "throughput", 20, "`records` a second of each task of a source")
	flag.IntVar(&c.Rounds, "rounds", 30, "`number` of kills")
	flag.DurationVar(&c.Every, "every", 20*time.Second, "`time` between kills")
	flag.DurationVar(&c.Session, "session", 6*time.Second, "session.timeout.ms as a `time`")
	flag.DurationVar(&c.Delay, "delay", 3*time.Second, "scheduled.rebalance.max.delay.ms as a `time`")
	flag.DurationVar(&c.RestartAfter, "restart-after", time.Second, "`time` that a killed worker is away")
	flag.Parse()
	c.Bootstrap = strings.Split(bootstrap, ",")
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	report, err := workers.Run(ctx, c)
	if err != nil {
		return err
	}
	slices.Sort(report.Recoveries)
	fmt.Fprintf(c.Out, "%d records: %d lost, %d doubled; sinks: %d lost, %d written again; tasks started again without need: %d\n",
		report.Records, report.Lost, report.Doubled, report.SinkLost, report.SinkAgain, report.Uninvolved)
	if n := len(report.Recoveries); n > 0 {
		fmt.Fprintf(c.Out, "from a kill until all tasks of the worker ran again: median %.1f s, longest %.1f s\n", report.Recoveries[n/2].Seconds(), report.Recoveries[n-1].Seconds())
	}
	if report.Uninvolved > 0 {
		return errors.Join(report.Err(), errors.New("tasks of workers that lived were started again"))
	}
	return report.Err()
}
