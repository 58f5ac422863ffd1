// Many threads that allocate while others sweep, and a snapshot of many objects while they run: frees outside a
// P, threads ahead of the clock, a snapshot interleaved with allocations, growing stacks.
package main

import (
	"os"
	"runtime"
	"runtime/trace"
	"sync"
	"sync/atomic"
)

// Trees that the workers may still make: it bounds the size of the trace.
var budget atomic.Int64

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

func main() {
	runtime.GOMAXPROCS(4)
	out, err := os.Create(os.Args[1])
	if err != nil {
		panic(err)
	}
	keep := tree(11)
	budget.Store(220)
	stop := make(chan bool)
	var all sync.WaitGroup
	for i := 0; i < 4; i++ {
		all.Add(1)
		go func() {
			defer all.Done()
			for {
				select {
				case <-stop:
					return
				default:
					if budget.Add(-1) < 0 {
						<-stop
						return
					}
					tree(4)
					b := make([]byte, 3)
					_ = b
					runtime.Gosched()
				}
			}
		}()
	}
	if err := trace.Start(out); err != nil {
		panic(err)
	}
	for i := 0; i < 4; i++ {
		done := make(chan int)
		go func(n int) { done <- deep(n) }(50 << i)
		<-done
		runtime.GC()
	}
	close(stop)
	all.Wait()
	trace.Stop()
	runtime.KeepAlive(keep)
}
