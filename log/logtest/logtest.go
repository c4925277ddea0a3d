// Package logtest runs a log with its coordinators and broker in the process of a
// test, as the binary does.
package logtest

import (
	"cmp"
	"context"
	"errors"
	"net"
	"sync"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/sluice-data/sluice/internal/vfs"
	"github.com/sluice-data/sluice/log"
	"github.com/sluice-data/sluice/log/broker"
	"github.com/sluice-data/sluice/log/group"
	"github.com/sluice-data/sluice/log/txn"
)

// Config holds the settings of the parts. Start fills in what connects them: the
// coordinators' and the broker's log, and the folder and files of all but the log.
type Config struct {
	Log    log.Config
	Groups group.Config
	Txns   txn.Config
	Broker broker.Config
}

// Node is a running broker and what is behind it.
type Node struct {
	*broker.Broker
	Log    *log.Log
	Groups *group.Coordinator
	Txns   *txn.Coordinator
	Stop   func() // cuts the connections and closes everything; a second call does nothing

	t       testing.TB
	serving sync.WaitGroup
}

// Memory is the folder of a log that Start makes in memory.
const Memory = "/data"

// On puts the log into a folder of a file system.
func On(fs vfs.FS, dir string) func(*Config) {
	return func(c *Config) { c.Log.FS, c.Log.Dir = fs, dir }
}

// Partitions is the number of partitions of the coordinators' topics.
func Partitions(n int) func(*Config) {
	return func(c *Config) { c.Groups.Partitions, c.Txns.Partitions = n, n }
}

// Start runs a node until Stop is called or the test ends. It is in memory, groups
// do not wait for more members, and the coordinators' topics have one partition,
// unless changes say otherwise.
func Start(t testing.TB, changes ...func(*Config)) *Node {
	t.Helper()
	c := Config{Groups: group.Config{Partitions: 1, InitialRebalanceDelay: -1}, Txns: txn.Config{Partitions: 1}}
	for _, change := range changes {
		change(&c)
	}
	if c.Log.Dir == "" {
		On(vfs.NewMem(), Memory)(&c)
	}
	n := &Node{t: t}
	if err := n.start(c); err != nil {
		t.Fatal(err)
	}
	n.Stop = sync.OnceFunc(n.stop)
	t.Cleanup(n.Stop)
	return n
}

func (n *Node) start(c Config) (err error) {
	if n.Log, err = log.Open(c.Log); err != nil {
		return err
	}
	c.Groups.Log = n.Log
	if n.Groups, err = group.Open(c.Groups); err != nil {
		return err
	}
	c.Txns.Log, c.Txns.EndOffsets, c.Txns.Dir, c.Txns.FS = n.Log, n.Groups.EndTransaction, c.Log.Dir, cmp.Or(c.Log.FS, vfs.OS)
	if n.Txns, err = txn.Open(c.Txns); err != nil {
		return err
	}
	c.Broker.Log, c.Broker.Groups, c.Broker.Txns, c.Broker.Dir = n.Log, n.Groups, n.Txns, c.Log.Dir
	n.Broker, err = broker.New(c.Broker)
	return err
}

func (n *Node) stop() {
	err := errors.Join(n.Close(), n.Txns.Close(), n.Groups.Close(), n.Log.Close())
	if err != nil {
		n.t.Errorf("stop the log: %v", err)
	}
	n.serving.Wait()
}

// Listen serves clients on a free port of the loopback interface, in the way that
// l says, and returns the address. wrap, if it is not nil, gets the listener first.
func (n *Node) Listen(l broker.Listener, wrap func(net.Listener) net.Listener) (addr string) {
	n.t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		n.t.Fatal(err)
	}
	l.AdvertisedAddr = ln.Addr().String()
	if wrap != nil {
		ln = wrap(ln)
	}
	n.serving.Go(func() {
		if err := n.ServeListener(context.Background(), ln, l); err != nil {
			n.t.Errorf("serve: %v", err)
		}
	})
	return l.AdvertisedAddr
}

// Opts are those of clients that reach the broker without a network.
func (n *Node) Opts() []kgo.Opt {
	return []kgo.Opt{kgo.SeedBrokers("127.0.0.1:9092"), kgo.Dialer(n.DialContext)}
}
