// A chat server in small: clients join a room, get messages, and leave. The room forgets to take their mailbox off
// its list when they leave; with "fixed" as second argument it does not forget. Traces itself into the first argument.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"runtime"
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

// 1024 bytes, and what a forgotten one keeps alive.
type Mailbox struct {
	Owner *Client
	Last  *Message
	Slots [126]int
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
	room := &Room{Members: map[string]*Client{}, Boxes: make([]*Mailbox, 0, 4096)}
	if err := trace.Start(out); err != nil {
		panic(err)
	}
	const rounds, guests, messages = 40, 50, 20
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
	json.NewEncoder(os.Stdout).Encode(map[string]int{
		"mailboxes": rounds * guests, "left": len(room.Boxes), "messages": rounds * guests * messages,
	})
	runtime.KeepAlive(room)
}
