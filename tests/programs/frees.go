// Many threads that allocate while others sweep, and a snapshot of many objects while they run: frees outside a
// P, threads ahead of the clock, a snapshot interleaved with allocations, growing stacks, shared tiny slots.
package main

import (
	"os"
	"runtime"
	"runtime/debug"
	"runtime/trace"
	"sync"
	"sync/atomic"
	"time"
)

// Trees that the workers may still make once the trace runs: it bounds the size of the trace.
var budget atomic.Int64

// Each of these starts a collection in the background. runtime.GC would yield thousands of times until all is swept,
// and the yields would fill the trace.
var large []byte

// The last tiny object of each worker; a pointer that is kept makes it a heap object.
var tiny [4]*[3]byte

type node struct {
	left, right *node
	pad         [2]int
}

func tree(depth int) *node {
	if depth == 0 {
		return &node{}
	}
	return &node{left: tree(depth - 1), right: tree(depth - 1)}
}

func deep(n int) int {
	var pad [128]byte
	if n == 0 {
		return int(pad[0])
	}
	return deep(n-1) + int(pad[n%128])
}

// Allocates before the trace begins too, so that the snapshot can find it busy; the short sleep gives up the P and
// keeps the rate low.
func work(worker int) {
	for !trace.IsEnabled() || budget.Add(-1) >= 0 {
		tree(4)
		tiny[worker] = new([3]byte)
		time.Sleep(20 * time.Microsecond)
	}
}

func main() {
	runtime.GOMAXPROCS(4)
	debug.SetGCPercent(5)
	out, err := os.Create(os.Args[1])
	if err != nil {
		panic(err)
	}
	keep := tree(11)
	budget.Store(200)
	var all sync.WaitGroup
	for worker := range tiny {
		all.Add(1)
		go func(worker int) {
			defer all.Done()
			work(worker)
		}(worker)
	}
	if err := trace.Start(out); err != nil {
		panic(err)
	}
	for i := 0; i < 4; i++ {
		done := make(chan int)
		go func(n int) { done <- deep(n) }(50 << i)
		<-done
		large = make([]byte, 1<<20)
		time.Sleep(time.Millisecond)
	}
	all.Wait()
	trace.Stop()
	runtime.KeepAlive(keep)
}
