// Allocates one type at three sites, as often at each, while a CPU profile runs: one site's objects all stay, of one every
// other stays, of one none. Says on standard output how many objects each site allocated and how many stay.
package main

import (
	"encoding/json"
	"io"
	"os"
	"runtime"
	"runtime/pprof"
	"runtime/trace"
	"sync"
	"time"
)

// How long to go on; tests build it with more.
const length = 10 * time.Millisecond

// What the three sites allocate.
type Item struct {
	next *Item
	rest [3]int
}

type worker struct {
	kept *Item
	seen *Item
	n    int
}

//go:noinline
func (w *worker) all() { w.kept = &Item{next: w.kept} }

//go:noinline
func (w *worker) half() {
	w.seen = new(Item)
	if w.n%2 == 0 {
		w.seen.next, w.kept = w.kept, w.seen
	}
}

//go:noinline
func (w *worker) none() { w.seen = new(Item) }

func must(err error) {
	if err != nil {
		panic(err)
	}
}

func main() {
	out, err := os.Create(os.Args[1])
	must(err)
	must(trace.Start(out))
	runtime.SetCPUProfileRate(1000) // it stays: StartCPUProfile cannot change it, and says so
	must(pprof.StartCPUProfile(io.Discard))
	workers := make([]worker, 2)
	var running sync.WaitGroup
	for i := range workers {
		running.Add(1)
		go func() {
			defer running.Done()
			w := &workers[i]
			for start := time.Now(); time.Since(start) < length; {
				for range 64 {
					w.all()
					w.half()
					w.none()
					w.n++
				}
			}
			w.seen = nil
		}()
	}
	running.Wait()
	pprof.StopCPUProfile()
	runtime.GC()
	runtime.GC()
	trace.Stop()
	n := workers[0].n + workers[1].n
	must(out.Close())
	must(json.NewEncoder(os.Stdout).Encode(map[string][2]int{"all": {n, n}, "half": {n, n / 2}, "none": {n, 0}}))
	runtime.KeepAlive(workers)
}
