// A little work, over and over. With GODEBUG=traceadvanceperiod=0 the tracer begins a new generation as soon as the
// last one is done: thousands of them, each with a few events.
package main

import (
	"os"
	"runtime/trace"
	"time"
)

func main() {
	out, err := os.Create(os.Args[1])
	if err != nil {
		panic(err)
	}
	if err := trace.Start(out); err != nil {
		panic(err)
	}
	for end := time.Now().Add(600 * time.Millisecond); time.Now().Before(end); {
		orders := make(chan []int)
		go func() { orders <- make([]int, 8) }()
		<-orders
		time.Sleep(50 * time.Microsecond)
	}
	trace.Stop()
}
