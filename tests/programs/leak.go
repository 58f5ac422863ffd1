// A chat server in small: clients join a room, get messages, and leave. The room forgets to take their mailbox off
// its list when they leave; with "fixed" as second argument it does not forget. With "long" it runs for a second or two,
// with a CPU profile of ten times the usual rate. Says what the trace must show.
package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"runtime"
	"runtime/pprof"
	"runtime/trace"
)

// What a client is sent: garbage as soon as it was read.
type Message struct {
	From *Client
	Text string
	Seq  int
}

type Client struct {
	Name string
	Box  *Mailbox
}

// 4096 bytes and a header: a slot of 4864 bytes. A forgotten one keeps a client and a message alive.
type Mailbox struct {
	Owner *Client
	Last  *Message
	Slots [510]int
}

type truth struct {
	Alloc int `json:"alloc"`
	Inuse int `json:"inuse"`
	Size  int `json:"size"`
}

type Room struct {
	Members map[string]*Client
	Boxes   []*Mailbox
}

func (r *Room) Join(name string) *Client {
	c := &Client{Name: name}
	c.Box = &Mailbox{Owner: c}
	r.Members[name] = c
	r.Boxes = append(r.Boxes, c.Box)
	return c
}

func (r *Room) Leave(c *Client, fixed bool) {
	delete(r.Members, c.Name)
	if !fixed {
		return
	}
	for i, box := range r.Boxes {
		if box == c.Box {
			r.Boxes[i] = r.Boxes[len(r.Boxes)-1]
			r.Boxes[len(r.Boxes)-1] = nil
			r.Boxes = r.Boxes[:len(r.Boxes)-1]
			return
		}
	}
}

func (r *Room) Say(from *Client, seq int) {
	for _, c := range r.Members {
		c.Box.Last = &Message{from, fmt.Sprintf("message %d to %s", seq, c.Name), seq}
	}
}

func main() {
	out, err := os.Create(os.Args[1])
	if err != nil {
		panic(err)
	}
	fixed := len(os.Args) > 2 && os.Args[2] == "fixed"
	room := &Room{Members: map[string]*Client{}, Boxes: make([]*Mailbox, 0, 1024)}
	if err := trace.Start(out); err != nil {
		panic(err)
	}
	rounds, guests, messages := 8, 60, 10
	if len(os.Args) > 2 && os.Args[2] == "long" {
		rounds, guests = 40, 600
		runtime.SetCPUProfileRate(1000)
		if err := pprof.StartCPUProfile(io.Discard); err != nil {
			panic(err)
		}
		defer pprof.StopCPUProfile()
	}
	for round := 0; round < rounds; round++ {
		var here []*Client
		for i := 0; i < guests; i++ {
			here = append(here, room.Join(fmt.Sprintf("guest %d of round %d", i, round)))
		}
		for seq := 0; seq < messages; seq++ {
			room.Say(here[seq%guests], seq)
		}
		for _, c := range here {
			room.Leave(c, fixed)
		}
		runtime.GC()
	}
	runtime.GC()
	runtime.GC()
	trace.Stop()
	left := len(room.Boxes)
	json.NewEncoder(os.Stdout).Encode(map[string]truth{
		"main.Mailbox": {rounds * guests, left, 4864},
		"main.Client":  {rounds * guests, left, 24},
		"main.Message": {rounds * guests * messages, left, 32},
	})
	runtime.KeepAlive(room)
}
