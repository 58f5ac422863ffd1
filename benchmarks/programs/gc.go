// A heap under stress: goroutines that link, drop and drag along objects while collections follow one another, so
// that ranges (collections, stops of the world, sweeps, mark assists) stand close together.
package main

import (
	"os"
	"runtime/debug"
	"runtime/trace"
	"sync"
)

type node struct {
	left, right *node
	load        []byte
}

func grow(depth int) *node {
	n := &node{load: make([]byte, 16+depth*24)}
	if depth > 0 {
		n.left, n.right = grow(depth-1), grow(depth-1)
	}
	return n
}

func work(rounds int) {
	var kept [32]*node
	for i := 0; i < rounds; i++ {
		tree := grow(6)
		tree.load = make([]byte, i%7<<12)
		if old := kept[i%len(kept)]; old != nil {
			tree.left.left = old.right.right
		}
		kept[i%len(kept)] = tree
	}
}

func main() {
	out, err := os.Create(os.Args[1])
	if err != nil {
		panic(err)
	}
	debug.SetGCPercent(5)
	if err := trace.Start(out); err != nil {
		panic(err)
	}
	var all sync.WaitGroup
	for i := 0; i < 8; i++ {
		all.Add(1)
		go func() {
			defer all.Done()
			work(20_000)
		}()
	}
	all.Wait()
	trace.Stop()
}
