// Allocates numbers of objects that are known exactly, and says on standard output what the trace must show.
package main

import (
	"encoding/json"
	"os"
	"runtime"
	"runtime/trace"
)

// 8 bytes, no pointers: shares its slot of 16 bytes.
type Tiny struct{ n int64 }

// 24 bytes, no pointers.
type Plain struct{ a, b, c int64 }

// 48 bytes, a pointer.
type Linked struct {
	next *Linked
	n    [5]int64
}

// 600 bytes, a pointer: its slot of 640 bytes has a header.
type Wide struct {
	next *Wide
	n    [74]int64
}

// 808 bytes, a pointer: a slot of 896 bytes with a header.
type Wider struct {
	next *Wider
	n    [100]int64
}

// 40000 bytes: a span of its own, five pages.
type Large struct{ n [5000]int64 }

type truth struct {
	Alloc int `json:"alloc"`
	Inuse int `json:"inuse"`
	Size  int `json:"size"`
}

var (
	plains  = make([]*Plain, 0, 10000)
	linkeds = make([]*Linked, 0, 10000)
	wides   = make([]*Wide, 0, 10000)
	widers  = make([]*Wider, 0, 10000)
	larges  = make([]*Large, 0, 10000)
	tinies  = make([]*Tiny, 0, 10000)
	sink    any
)

func work() {
	for i := 0; i < 3000; i++ {
		p, l, w, v := new(Plain), new(Linked), new(Wide), new(Wider)
		sink, sink, sink, sink = p, l, w, v
		if i%3 == 0 {
			plains = append(plains, p)
		}
		if i%5 == 0 {
			linkeds = append(linkeds, l)
		}
		if i%10 == 0 {
			wides = append(wides, w)
			tinies = append(tinies, new(Tiny))
		}
		if i%100 == 0 {
			widers = append(widers, v)
			g := new(Large)
			sink = g
			if i%300 == 0 {
				larges = append(larges, g)
			}
		}
	}
	sink = nil
}

func main() {
	out, err := os.Create(os.Args[1])
	if err != nil {
		panic(err)
	}
	if err := trace.Start(out); err != nil {
		panic(err)
	}
	work()
	runtime.GC()
	runtime.GC()
	runtime.GC()
	trace.Stop()
	runtime.KeepAlive(plains)
	runtime.KeepAlive(linkeds)
	runtime.KeepAlive(wides)
	runtime.KeepAlive(widers)
	runtime.KeepAlive(larges)
	runtime.KeepAlive(tinies)
	// Without Tiny: which neighbours share a slot is chance, and a slot counts for the first of them.
	json.NewEncoder(os.Stdout).Encode(map[string]truth{
		"main.Plain":  {3000, len(plains), 24},
		"main.Linked": {3000, len(linkeds), 48},
		"main.Wide":   {3000, len(wides), 640},
		"main.Wider":  {3000, len(widers), 896},
		"main.Large":  {30, len(larges), 40960},
	})
}
