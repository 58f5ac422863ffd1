// A web server with net/http/pprof that allocates all the time; with an argument, without pprof. Prints its address.
package main

import (
	"fmt"
	"net"
	"net/http"
	"net/http/pprof"
	"os"
	"time"
)

type Order struct {
	Number int
	Lines  [14]int
}

var last *Order

func main() {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	mux := http.NewServeMux()
	if len(os.Args) < 2 {
		mux.HandleFunc("/debug/pprof/trace", pprof.Trace)
	}
	fmt.Println(listener.Addr())
	go func() {
		for i := 0; ; i++ {
			last = &Order{Number: i}
			if i%1000 == 0 {
				time.Sleep(time.Millisecond)
			}
		}
	}()
	go func() { // end with the parent, which holds the other end of standard input
		os.Stdin.Read(make([]byte, 1))
		os.Exit(0)
	}()
	panic(http.Serve(listener, mux))
}
