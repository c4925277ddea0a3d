package pace

import (
	"context"
	"testing"
	"testing/synctest"
	"time"
)

// run makes records for a while, each time at most most.
func run(t *testing.T, p *Pacer, d time.Duration, most int) (records, waits int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), d)
	defer cancel()
	for {
		n, err := p.Wait(ctx)
		if err != nil {
			return records, waits
		}
		n = min(n, most)
		p.Took(n)
		records += n
		waits++
	}
}

func TestRate(t *testing.T) {
	for _, rate := range []int64{1, 7, 100, 12345} {
		synctest.Test(t, func(t *testing.T) {
			records, waits := run(t, New(rate), 20*time.Second-time.Millisecond, 1<<30)
			if want := int(20 * rate); records < want-int(rate)/50-1 || records > want+1 {
				t.Errorf("rate %d: %d records in 20 s", rate, records)
			}
			if waits > 20*100+1 {
				t.Errorf("rate %d: woken %d times in 20 s", rate, waits)
			}
		})
	}
}

// TestHeldUp makes up for a second, no more.
func TestHeldUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := New(100)
		run(t, p, time.Second, 1)
		if err := Sleep(context.Background(), time.Minute); err != nil {
			t.Fatal(err)
		}
		if n, err := p.Wait(context.Background()); err != nil || n < 90 || n > 102 {
			t.Errorf("after a minute %d records are due, %v", n, err)
		}
		p.Took(1)
		if records, _ := run(t, p, 10*time.Second, 1<<30); records < 1000 || records > 1110 {
			t.Errorf("%d records in the 10 s after", records)
		}
	})
}

// TestSlow is slower than the time that is made up for.
func TestSlow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		if records, _ := run(t, New(1), 10500*time.Millisecond, 1); records != 11 {
			t.Errorf("%d records in 10.5 s, want 11", records)
		}
	})
}

func TestNoLimit(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	if n, err := New(-1).Wait(ctx); n < 1<<30 || err != nil {
		t.Errorf("got %d, %v", n, err)
	}
	cancel()
	if _, err := New(-1).Wait(ctx); err == nil {
		t.Error("no error after the context's end")
	}
}
