// Reads the traces named on standard input with Go's own reader; prints a line for each: how many bytes of text its
// events make, their SHA-256, "ok", "refused" or "crashed", and why. Built inside the toolchain's tree, since the
// reader is internal to it.
package main

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"fmt"
	"internal/trace"
	"io"
	"os"
)

func verdict(path string) {
	digest := sha256.New()
	size := 0
	said, why := "ok", ""
	defer func() {
		if panicked := recover(); panicked != nil {
			said, why = "crashed", fmt.Sprint(panicked)
		}
		fmt.Printf("%d %x %s %q\n", size, digest.Sum(nil), said, why)
	}()
	data, err := os.ReadFile(path)
	if err != nil {
		panic(err)
	}
	r, err := trace.NewReader(bytes.NewReader(data))
	for err == nil {
		var ev trace.Event
		ev, err = r.ReadEvent()
		if err == nil {
			n, _ := fmt.Fprintln(digest, ev.String())
			size += n
		}
	}
	if err != io.EOF {
		said, why = "refused", err.Error()
	}
}

func main() {
	paths := bufio.NewScanner(os.Stdin)
	for paths.Scan() {
		verdict(paths.Text())
	}
}
