package main

import (
	"errors"
	"fmt"
)

func Example_printRow() {
	failed := printRow("produce", []int{2, 0, 4}, func(n int) (string, error) {
		if n == 0 {
			return "", errors.New("no server")
		}
		return fmt.Sprint(n, " MB/s"), nil
	})
	fmt.Println(unmeasured(failed), unmeasured(0))
	// Output:
	// | produce | 2 MB/s | error: no server | 4 MB/s |
	// 1 figures could not be measured <nil>
}
