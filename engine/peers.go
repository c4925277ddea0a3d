package engine

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/sluice-data/sluice/connect"
	"github.com/sluice-data/sluice/engine/cluster"
)

const (
	// peerTimeout bounds a request to another worker; it is that of the REST API.
	peerTimeout = 90 * time.Second
	// maxPeerError limits the text of an error from another worker, in bytes (I5).
	maxPeerError = 64 << 10
)

// putTasks stores the task configs of a connector that this worker runs, through
// the leader, unless they are of an earlier state: what is stopped has no tasks.
func (g *group) putTasks(ctx context.Context, name string, want connectorState, tasks []map[string]string) error {
	if p, _ := g.current(); p.leader {
		return g.change(ctx, func() error {
			if !g.stores.configs.stillWanted(name, want) {
				return errUnwanted
			}
			return g.stores.configs.putTasks(ctx, name, tasks)
		})
	}
	if tasks == nil {
		tasks = []map[string]string{}
	}
	return g.askLeader(ctx, http.MethodPost, name, "tasks", jsonValue(tasks))
}

// fence lets the leader fence every task of generations before.
func (g *group) fence(ctx context.Context, connector string) error {
	if p, _ := g.current(); p.leader {
		return g.fenceHere(ctx, connector)
	}
	return g.askLeader(ctx, http.MethodPut, connector, "fence", nil)
}

// fenceHere is fence on the leader, which looks at the newest state: the worker that
// asks may have read further.
func (g *group) fenceHere(ctx context.Context, connector string) error {
	err := g.stores.lead.claim(ctx)
	if err == nil && !g.cfg.Group.alone() {
		err = g.stores.follower.sync(ctx, g.cfg.ConfigTopic.Name)
	}
	if errors.Is(err, ErrNotLeader) {
		return connect.Retriable(err)
	}
	if err != nil {
		return passingError("look for the tasks to fence", err)
	}
	return g.stores.fenceGenerations(ctx, connector)
}

// askLeader sends a signed request about a connector to the leader. Its errors are
// worth another try: there may be another leader then.
func (g *group) askLeader(ctx context.Context, method, connector, what string, body []byte) error {
	p, _ := g.current()
	if p.leaderURL == "" {
		return connect.Retriable(errors.New("the group of workers has no leader at the moment"))
	}
	ctx, cancel := context.WithTimeout(ctx, peerTimeout)
	defer cancel()
	address := strings.TrimSuffix(p.leaderURL, "/") + "/connectors/" + url.PathEscape(connector) + "/" + what
	req, err := http.NewRequestWithContext(ctx, method, address, bytes.NewReader(body))
	if err != nil {
		return connect.Retriable(fmt.Errorf("ask the leader %s: %w", p.leaderURL, err))
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if k := g.stores.configs.session(); k.key != nil {
		k.sign(req.Header, body)
	}
	resp, err := g.cfg.Group.Client.Do(req)
	if err != nil {
		return connect.Retriable(fmt.Errorf("ask the leader: %w", err)) // names the URL
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxPeerError))
	if err == nil && resp.StatusCode >= http.StatusMultipleChoices {
		err = peerError(resp.Status, text)
	}
	if err != nil {
		return connect.Retriable(fmt.Errorf("ask the leader %s: %w", p.leaderURL, err))
	}
	return nil
}

// peerError is the error in a worker's answer.
func peerError(status string, body []byte) error {
	var e struct{ Message string }
	if json.Unmarshal(body, &e) == nil && e.Message != "" {
		return fmt.Errorf("%s: %s", status, e.Message)
	}
	return errors.New(status)
}

// VerifyPeer returns an error unless a request was signed by a worker of the same
// group (KIP-507). Nobody can sign for a worker alone. Workers of a group whose
// protocol is compatible do not sign, which the worker's own config has to allow.
func (w *Worker) VerifyPeer(h http.Header, body []byte) error {
	if w.cfg.Group.alone() {
		return notFound("HTTP 404 Not Found")
	}
	if p, _ := w.group.current(); w.cfg.Group.Protocol == cluster.Compatible && p.joined && !p.sessioned {
		return nil
	}
	return w.stores.configs.session().verify(h, body)
}

// PutTasks stores the task configs of a connector that another worker runs.
func (w *Worker) PutTasks(ctx context.Context, name string, tasks []map[string]string) error {
	return w.asLeader(ctx, func() error {
		c, ok := w.stores.configs.connector(name)
		if !ok {
			return notFound("Connector %s not found", name)
		}
		if c.target == TargetStopped {
			return &Error{KindConflict, "Connector " + name + " is stopped, and has no tasks"}
		}
		return stored(w.stores.configs.putTasks(ctx, name, tasks))
	})
}

// FenceTasks fences the tasks of a connector's generations before the present one,
// for a worker that is about to run one of them (KIP-618).
func (w *Worker) FenceTasks(ctx context.Context, name string) error {
	if err := w.await(ctx); err != nil {
		return err
	}
	return stored(w.group.fenceHere(ctx, name))
}

// asLeader runs one change at a time that only the leader makes.
func (w *Worker) asLeader(ctx context.Context, f func() error) error {
	return w.change(ctx, func() error {
		if err := w.stores.lead.claim(ctx); err != nil {
			return stored(err)
		}
		return f()
	})
}

// Leader returns where the leader of the group is. It waits while there is none,
// until ctx ends.
func (w *Worker) Leader(ctx context.Context) (self bool, url string, err error) {
	if err := w.await(ctx); err != nil {
		return false, "", err
	}
	for {
		p, changed := w.group.current()
		if p.leader || p.leaderURL != "" {
			return p.leader, p.leaderURL, nil
		}
		select {
		case <-changed:
		case <-w.over:
			return false, "", errShuttingDown
		case <-ctx.Done():
			return false, "", &Error{KindConflict, "Cannot complete request momentarily due to no known leader URL, likely because a rebalance was underway."}
		}
	}
}

// CatchUp waits for a short time until this worker has read what another has just
// changed, so that who has asked here for a change finds it here.
func (w *Worker) CatchUp(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, w.cfg.Group.SyncTimeout)
	defer cancel()
	if err := w.stores.follower.sync(ctx, w.cfg.ConfigTopic.Name); err != nil {
		w.cfg.Logger.Debug("read back a change that the leader has made", logError, err)
	}
}

// PeerClient returns the client for requests to other workers.
func (w *Worker) PeerClient() *http.Client { return w.cfg.Group.Client }

// NotHereError says that another worker runs what a request is about.
type NotHereError struct{ URL string }

func (e *NotHereError) Error() string { return ErrNotLeader.Message }

// elsewhere is the error of a request about a task that does not run here: the
// worker that said last that it runs it can serve it.
func (w *Worker) elsewhere(id TaskID) error {
	status, ok := w.stores.statuses.task(id)
	if !ok || status.WorkerID == w.cfg.WorkerID || !status.State.runs() && status.State != Failed {
		return &NotHereError{} // nobody, for now
	}
	u, err := url.Parse(w.cfg.Group.URL)
	if err != nil {
		return err
	}
	return &NotHereError{u.Scheme + "://" + status.WorkerID + "/"}
}
