// A bit of everything that a scheduler does: goroutines, channels, locks, sleeps, system calls, tasks, regions,
// logs, collections, a change of GOMAXPROCS, and CPU samples.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"runtime"
	"runtime/pprof"
	"runtime/trace"
	"strings"
	"sync"
	"time"
)

func spin(until time.Time) (n int) {
	for time.Now().Before(until) {
		n++
	}
	return n
}

func main() {
	out, err := os.Create(os.Args[1])
	if err != nil {
		panic(err)
	}
	pprof.StartCPUProfile(io.Discard)
	if err := trace.Start(out); err != nil {
		panic(err)
	}
	ctx, task := trace.NewTask(context.Background(), "whole")
	trace.Log(ctx, "greeting", "hello \"world\"\n\u00e9\u200b\U0001F600 \xff "+strings.Repeat("x", 1100))
	trace.Log(ctx, "", "")
	var mu sync.Mutex
	var all sync.WaitGroup
	work := make(chan int)
	for w := 0; w < 3; w++ {
		all.Add(1)
		go func() {
			defer all.Done()
			for n := range work {
				inner, part := trace.NewTask(ctx, fmt.Sprint("part ", n%3))
				trace.WithRegion(inner, "locked", func() {
					mu.Lock()
					time.Sleep(50 * time.Microsecond)
					mu.Unlock()
				})
				part.End()
			}
		}()
	}
	for i := 0; i < 12; i++ {
		work <- i
	}
	close(work)
	all.Wait()
	runtime.GOMAXPROCS(3)
	for i := 0; i < 8; i++ {
		if f, err := os.Open("/dev/null"); err == nil {
			io.ReadAll(f)
			f.Close()
		}
	}
	r, w, _ := os.Pipe()
	go func() {
		time.Sleep(time.Millisecond)
		w.Write([]byte("x"))
		w.Close()
	}()
	io.ReadAll(r)
	select {
	case <-time.After(time.Millisecond):
	case <-make(chan int):
	}
	spin(time.Now().Add(60 * time.Millisecond))
	runtime.GC()
	runtime.Gosched()
	task.End()
	trace.Stop()
	pprof.StopCPUProfile()
}
