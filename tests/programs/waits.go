// Goroutines that wait for a known reason, one scene a run: reader, mutex, stubborn, chain or server.
package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"runtime"
	"runtime/trace"
	"sync"
	"time"
)

const (
	held     = 20 * time.Millisecond
	attempts = 5
)

func spin(d time.Duration) {
	for start := time.Now(); time.Since(start) < d; {
	}
}

// The reader waits for a byte that comes after a while.
func reader() {
	r, w, err := os.Pipe()
	if err != nil {
		panic(err)
	}
	go func() {
		time.Sleep(held)
		w.Write([]byte("x"))
	}()
	_, task := trace.NewTask(context.Background(), "read")
	r.Read(make([]byte, 1))
	task.End()
}

func holder(mu *sync.Mutex, locked chan<- bool) {
	mu.Lock()
	locked <- true
	spin(held)
	mu.Unlock()
}

// The lock is held by a goroutine that is busy. On a loaded machine this one may run too late to wait: several attempts.
func mutex() {
	for range attempts {
		var mu sync.Mutex
		locked := make(chan bool)
		go holder(&mu, locked)
		<-locked
		_, task := trace.NewTask(context.Background(), "lock")
		mu.Lock()
		task.End()
		mu.Unlock()
	}
}

//go:noinline
func loop(n int) (sum int) {
	for i := 0; i < n; i++ {
		sum += i ^ sum
	}
	return sum
}

func busy(started chan<- bool, n int) {
	started <- true
	fmt.Fprint(io.Discard, loop(n))
}

// A loop without calls cannot be preempted (GODEBUG=asyncpreemptoff=1), so the world has to wait for it.
func stubborn() {
	n := 1 << 20
	for begin := time.Now(); time.Since(begin) < 2*held; n *= 2 {
		begin = time.Now()
		loop(n)
	}
	for range attempts {
		started := make(chan bool)
		go busy(started, n)
		<-started
		runtime.GC()
	}
}

func producer(out chan<- int) {
	spin(held / 4)
	out <- 1
}

func stage(in <-chan int, out chan<- int) {
	n := <-in
	spin(held / 4)
	out <- n
}

// Each stage waits for the one before.
func chain() {
	first, second, third := make(chan int), make(chan int), make(chan int)
	go stage(second, third)
	go stage(first, second)
	_, task := trace.NewTask(context.Background(), "chain")
	go producer(first)
	<-third
	task.End()
}

type job struct {
	n    int
	done chan int
}

func worker(jobs <-chan job) {
	for j := range jobs {
		spin(time.Duration(j.n%5) * 20 * time.Microsecond)
		j.done <- j.n
	}
}

// Requests that a few workers serve.
func server() {
	jobs := make(chan job)
	for range 3 {
		go worker(jobs)
	}
	handler := func(w http.ResponseWriter, r *http.Request) {
		ctx, task := trace.NewTask(r.Context(), "request")
		defer task.End()
		n := len(r.URL.Path)
		trace.Logf(ctx, "path", "%d bytes", n)
		done := make(chan int)
		trace.WithRegion(ctx, "work", func() {
			jobs <- job{n, done}
			n = <-done
		})
		defer trace.StartRegion(ctx, "answer").End()
		garbage := make([][]byte, 60)
		for i := range garbage {
			garbage[i] = make([]byte, 1024)
		}
		fmt.Fprintln(w, n, len(garbage))
	}
	s := httptest.NewServer(http.HandlerFunc(handler))
	defer s.Close()
	var clients sync.WaitGroup
	for c := range 8 {
		clients.Add(1)
		go func() {
			defer clients.Done()
			for i := range 25 {
				answer, err := http.Get(fmt.Sprintf("%s/%0*d", s.URL, i, c))
				if err != nil {
					panic(err)
				}
				io.Copy(io.Discard, answer.Body)
				answer.Body.Close()
			}
		}()
	}
	clients.Wait()
}

func main() {
	out, err := os.Create(os.Args[1])
	if err != nil {
		panic(err)
	}
	runtime.GOMAXPROCS(2)
	if err := trace.Start(out); err != nil {
		panic(err)
	}
	scenes := map[string]func(){"reader": reader, "mutex": mutex, "stubborn": stubborn, "chain": chain, "server": server}
	scene := "server"
	if len(os.Args) > 2 {
		scene = os.Args[2]
	}
	scenes[scene]()
	trace.Stop()
}
