// Coroutines (Go 1.23 and later): goroutines that hand over to each other.
package main

import (
	"iter"
	"os"
	"runtime/trace"
)

func main() {
	out, err := os.Create(os.Args[1])
	if err != nil {
		panic(err)
	}
	if err := trace.Start(out); err != nil {
		panic(err)
	}
	next, stop := iter.Pull(func(yield func(int) bool) {
		for i := 0; yield(i); i++ {
		}
	})
	for i := 0; i < 10; i++ {
		next()
	}
	stop()
	trace.Stop()
}
