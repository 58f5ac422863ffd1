// Traces twice in one process and keeps the second trace: its generations do not begin at 1.
package main

import (
	"io"
	"os"
	"runtime"
	"runtime/trace"
)

type kept struct{ n [10]int }

var all []*kept

func work() {
	for i := 0; i < 500; i++ {
		k := &kept{}
		if i%4 == 0 {
			all = append(all, k)
		}
	}
	runtime.GC()
}

func main() {
	out, err := os.Create(os.Args[1])
	if err != nil {
		panic(err)
	}
	for _, w := range []io.Writer{io.Discard, out} {
		if err := trace.Start(w); err != nil {
			panic(err)
		}
		work()
		trace.Stop()
	}
}
