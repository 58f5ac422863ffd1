// Allocates at known sites in known shares while a CPU profile runs, so that the trace has samples of the allocator.
// It says on standard output how many objects each site allocated.
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

// Words of an object, and how long to go on: large objects take the allocator long, so that a small trace has many
// samples. Tests build it with other values too.
const (
	words  = 512 << 10
	length = 800 * time.Millisecond
)

// Shared is allocated at three sites: 6, 3 and 1 of 10 objects.
type Shared struct {
	next *Shared
	rest [words - 1]int
}

// Left has pointers and a site of its own.
type Left struct {
	next *Left
	rest [words - 1]int
}

// Right has no pointers and a site of its own.
type Right struct{ rest [words]int }

// keep holds the newest objects, so that the compiler leaves all of them on the heap.
type keep struct {
	shared *Shared
	left   *Left
	right  *Right
	slice  []uint16
}

//go:noinline
func (k *keep) six() { k.shared = new(Shared) }

//go:noinline
func (k *keep) three() { k.shared = new(Shared) }

//go:noinline
func (k *keep) one() { k.shared = new(Shared) }

//go:noinline
func (k *keep) toLeft() { k.left = new(Left) }

//go:noinline
func (k *keep) toRight() { k.right = new(Right) }

//go:noinline
func (k *keep) toSlice(n int) { k.slice = make([]uint16, n) }

func (k *keep) round() {
	for i := range 6 {
		k.six()
		if i%2 == 0 {
			k.three()
			k.toLeft()
			k.toSlice(4 * words)
		} else {
			k.toRight()
		}
	}
	k.one()
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}

func main() {
	out, err := os.Create(os.Args[1])
	must(err)
	ballast := make([]byte, 512<<20) // never touched; with it there are few collections
	must(trace.Start(out))
	runtime.SetCPUProfileRate(1000) // it stays: StartCPUProfile cannot change it, and says so
	must(pprof.StartCPUProfile(io.Discard))
	done := make([]int, 2)
	var workers sync.WaitGroup
	for i := range done {
		workers.Add(1)
		go func() {
			defer workers.Done()
			var k keep
			for start := time.Now(); time.Since(start) < length; done[i]++ {
				k.round()
			}
		}()
	}
	workers.Wait()
	pprof.StopCPUProfile()
	trace.Stop()
	runtime.KeepAlive(ballast)
	must(out.Close())
	n := done[0] + done[1]
	must(json.NewEncoder(os.Stdout).Encode(map[string]int{
		"six": 6 * n, "three": 3 * n, "one": n, "toLeft": 3 * n, "toRight": 3 * n, "toSlice": 3 * n,
	}))
}
