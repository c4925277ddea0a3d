package engine

import "testing"

// TestRecordSizes: a slice has room for what was asked for and at most a quarter more, and comes back for every number that its size is for.
func TestRecordSizes(t *testing.T) {
	pool := new(recordPool)
	for n := 1; n <= maxPooledRecords; n++ {
		size, number := recordSize(n)
		if size < n || size > n+n/4+1 {
			t.Fatalf("%d records get %d", n, size)
		}
		if again, same := recordSize(size); again != size || same != number || number >= len(pool.free) {
			t.Fatalf("%d records are of size %d, number %d, which is of size %d, number %d", n, size, number, again, same)
		}
	}
	for _, n := range []int{-1, 0, maxPooledRecords + 1} {
		if got := pool.GetRecords(n); got != nil {
			t.Errorf("%d records get %d", n, cap(got))
		}
	}
	pool.PutRecords(nil)
	if got := pool.GetRecords(1000); cap(got) != 1024 {
		t.Errorf("1,000 records get %d", cap(got))
	}
}
