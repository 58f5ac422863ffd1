// Allocates known numbers of objects in known goroutines, tasks and regions, lets known ones live on, and collects the
// garbage four times. It says on standard output what the trace must show.
package main

import (
	"context"
	"encoding/json"
	"os"
	"runtime"
	"runtime/debug"
	"runtime/trace"
	"sync"
)

// 80 bytes each, with a pointer.
type First struct {
	next *First
	n    [9]int64
}

type Second struct {
	next *Second
	n    [9]int64
}

// 160 bytes.
type Setup struct {
	next *Setup
	n    [19]int64
}

// 320 bytes.
type Inner struct {
	next *Inner
	n    [39]int64
}

// 640 bytes: its slot has a header.
type Task struct {
	next *Task
	n    [78]int64
}

// 40960 bytes: a span of its own.
type Large struct{ n [5120]int64 }

var (
	all     sync.WaitGroup
	sink    any
	firsts  = make([]*First, 0, 1000)
	seconds = make([]*Second, 0, 1000)
	setups  = make([]*Setup, 0, 1000)
	larges  = make([]*Large, 0, 1000)
)

func first(n, keep int) {
	defer all.Done()
	for i := 0; i < n; i++ {
		p := new(First)
		sink = p
		if i < keep {
			firsts = append(firsts, p)
		}
	}
}

func second(n, keep int) {
	defer all.Done()
	for i := 0; i < n; i++ {
		p := new(Second)
		sink = p
		if i < keep {
			seconds = append(seconds, p)
		}
	}
}

func setup() {
	for i := 0; i < 300; i++ {
		p := new(Setup)
		sink = p
		if i < 30 {
			setups = append(setups, p)
		}
	}
	trace.WithRegion(context.Background(), "inner", func() {
		for i := 0; i < 40; i++ {
			sink = new(Inner)
		}
	})
}

func collect() {
	sink = nil
	runtime.GC()
}

// Has more threads than the program needs at a time, so that the runtime makes none, with objects of its own, while a
// goroutine below lets another one run.
func threads() {
	var here, gone sync.WaitGroup
	n := runtime.GOMAXPROCS(0) + 8
	here.Add(n)
	gone.Add(n)
	for i := 0; i < n; i++ {
		go func() {
			defer gone.Done()
			runtime.LockOSThread()
			here.Done()
			here.Wait()
			runtime.UnlockOSThread()
		}()
	}
	gone.Wait()
}

func main() {
	threads()
	out, err := os.Create(os.Args[1])
	if err != nil {
		panic(err)
	}
	debug.SetGCPercent(-1)
	runtime.GC()
	if err := trace.Start(out); err != nil {
		panic(err)
	}
	all.Add(2)
	go first(1000, 100)
	go second(500, 50)
	all.Wait()
	ctx, task := trace.NewTask(context.Background(), "job")
	trace.WithRegion(ctx, "setup", setup)
	for i := 0; i < 25; i++ {
		sink = new(Task)
	}
	task.End()
	for i := 0; i < 10; i++ {
		p := new(Large)
		sink = p
		if i < 4 {
			larges = append(larges, p)
		}
	}
	collect() // 1
	all.Add(1)
	go first(200, 20)
	all.Wait()
	clear(seconds)
	seconds = seconds[:0]
	collect() // 2
	clear(larges[2:])
	larges = larges[:2]
	collect() // 3
	collect() // 4
	trace.Stop()
	runtime.KeepAlive(firsts)
	runtime.KeepAlive(seconds)
	runtime.KeepAlive(setups)
	runtime.KeepAlive(larges)
	type counts map[string]int
	json.NewEncoder(os.Stdout).Encode(map[string]any{
		"slots": counts{"First": 80, "Second": 80, "Setup": 160, "Inner": 320, "Task": 640, "Large": 40960},
		// In use, as the mark phases begin and at the end.
		"inuse": map[string]counts{
			"gc:1": {"First": 1000, "Second": 500, "Setup": 300, "Inner": 40, "Task": 25, "Large": 10},
			"gc:2": {"First": 300, "Second": 50, "Setup": 30, "Inner": 0, "Task": 0, "Large": 4},
			"gc:3": {"First": 120, "Second": 0, "Setup": 30, "Inner": 0, "Task": 0, "Large": 4},
			"gc:4": {"First": 120, "Second": 0, "Setup": 30, "Inner": 0, "Task": 0, "Large": 2},
			"end":  {"First": 120, "Second": 0, "Setup": 30, "Inner": 0, "Task": 0, "Large": 2},
		},
		// By age in cycles: in use at the end, and deaths.
		"lives": map[string]counts{"First": {"3": 20, "4": 100}, "Setup": {"4": 30}, "Large": {"4": 2}},
		"deaths": map[string]counts{
			"First": {"1": 1080}, "Second": {"1": 450, "2": 50}, "Setup": {"1": 270}, "Inner": {"1": 40},
			"Task": {"1": 25}, "Large": {"1": 6, "3": 2},
		},
		// Allocated.
		"goroutine": counts{"main.first": 1200, "main.second": 500},
		"task":      counts{"job": 365},
		"region":    counts{"setup": 300, "inner": 40},
	})
}
