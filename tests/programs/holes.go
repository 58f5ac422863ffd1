// Leaves one object in each span that it filled, and says how many there are.
package main

import (
	"encoding/json"
	"log"
	"os"
	"runtime"
	"runtime/trace"
	"unsafe"
)

// Hole is of 352 bytes: 23 fit into a span of 8192. The runtime has none of that size.
type Hole struct{ p [44]*int }

var (
	kept []*Hole
	last *Hole
)

func main() {
	file, err := os.Create(os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	if err := trace.Start(file); err != nil {
		log.Fatal(err)
	}
	for i := 0; i < 23*200; i++ {
		last = new(Hole)
		if uintptr(unsafe.Pointer(last))%8192 == 0 {
			kept = append(kept, last)
		}
	}
	last = nil
	runtime.GC()
	runtime.GC()
	trace.Stop()
	if err := file.Close(); err != nil {
		log.Fatal(err)
	}
	if err := json.NewEncoder(os.Stdout).Encode(map[string]int{"kept": len(kept)}); err != nil {
		log.Fatal(err)
	}
	runtime.KeepAlive(kept)
}
