package main

import (
	"context"
	"errors"
)

// parts are the goroutines of the demo in the order in which they were started.
type parts struct {
	list  []part
	ended chan error // gets the error of each part that ends, nil included
}

type part struct {
	cancel context.CancelFunc
	done   chan struct{}
}

// maxParts is how many parts may be started.
const maxParts = 16

// start runs a part until stop.
func (p *parts) start(run func(context.Context) error) {
	if p.ended == nil {
		p.ended = make(chan error, maxParts)
	}
	ctx, cancel := context.WithCancel(context.Background())
	next := part{cancel: cancel, done: make(chan struct{})}
	p.list = append(p.list, next)
	go func() {
		defer close(next.done)
		p.ended <- run(ctx)
	}()
}

// wait returns nil when ctx ends, or the error of the first part that ends.
func (p *parts) wait(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return nil
	case err := <-p.ended:
		if err == nil {
			err = errors.New("a part of the demo ended by itself")
		}
		return err
	}
}

// stop ends the parts one after the other, the last one first, and returns their
// errors.
func (p *parts) stop() error {
	for i := len(p.list) - 1; i >= 0; i-- {
		p.list[i].cancel()
		<-p.list[i].done
	}
	p.list = nil
	var errs []error
	for len(p.ended) > 0 {
		errs = append(errs, <-p.ended)
	}
	return errors.Join(errs...)
}
