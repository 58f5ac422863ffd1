// Walks a trace with Go's own reader, bare or collecting alloc/free rows, several times; prints a line a walk:
// events, rows, seconds. Built inside the toolchain's tree, since the reader is internal to it.
package main

import (
	"bytes"
	"fmt"
	"internal/trace"
	"io"
	"os"
	"strconv"
	"time"
)

type row struct {
	time trace.Time
	m    trace.ThreadID
	p    trace.ProcID
	g    trace.GoID
	name string
	args [3]uint64
}

func walk(data []byte, collect bool) (events int, rows []row) {
	r, err := trace.NewReader(bytes.NewReader(data))
	if err != nil {
		panic(err)
	}
	for {
		ev, err := r.ReadEvent()
		if err == io.EOF {
			return events, rows
		}
		if err != nil {
			panic(err)
		}
		events++
		if collect && ev.Kind() == trace.EventExperimental {
			x := ev.Experimental()
			one := row{time: ev.Time(), m: ev.Thread(), p: ev.Proc(), g: ev.Goroutine(), name: x.Name}
			for i := range x.Args {
				one.args[i] = x.ArgValue(i).Uint64()
			}
			rows = append(rows, one)
		}
	}
}

func main() {
	data, err := os.ReadFile(os.Args[1])
	if err != nil {
		panic(err)
	}
	walks, err := strconv.Atoi(os.Args[3])
	if err != nil {
		panic(err)
	}
	for i := 0; i < walks; i++ {
		start := time.Now()
		events, rows := walk(data, os.Args[2] == "rows")
		fmt.Println(events, len(rows), time.Since(start).Seconds())
	}
}
