// A flight recorder runs (Go 1.25 and later); a trace joins its session, and its own file is written too. The
// first has neither info batch nor snapshot, the second no tables of the experiment at all.
package main

import (
	"os"
	"runtime"
	"runtime/trace"
	"time"
)

type record struct {
	name string
	n    [100]int
}

var kept []*record

func work() {
	for i := 0; i < 300; i++ {
		r := &record{name: "r"}
		if i%5 == 0 {
			kept = append(kept, r)
		}
	}
	runtime.GC()
}

func main() {
	recorder := trace.NewFlightRecorder(trace.FlightRecorderConfig{})
	if err := recorder.Start(); err != nil {
		panic(err)
	}
	work()
	time.Sleep(1100 * time.Millisecond)
	out, err := os.Create(os.Args[1])
	if err != nil {
		panic(err)
	}
	if err := trace.Start(out); err != nil {
		panic(err)
	}
	work()
	trace.Stop()
	work()
	out, err = os.Create(os.Args[2])
	if err != nil {
		panic(err)
	}
	if _, err := recorder.WriteTo(out); err != nil {
		panic(err)
	}
	recorder.Stop()
}
