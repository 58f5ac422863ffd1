// A small order service: the README's example. Orders come and go, some customers and sessions stay.
package main

import (
	"fmt"
	"os"
	"runtime"
	"runtime/trace"
	"sync"
)

type Customer struct {
	Name   string
	Orders []*Order
}

type LineItem struct {
	Product  string
	Quantity int
	Cents    int64
}

type Order struct {
	ID    int
	Owner *Customer
	Items []LineItem
	Note  [512]byte
}

type Session struct {
	User  *Customer
	Token [16]byte
	Data  map[string]string
}

type Store struct {
	mu        sync.Mutex
	customers map[string]*Customer
	sessions  []*Session
}

func (s *Store) customer(name string) *Customer {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.customers[name]
	if c == nil {
		c = &Customer{Name: name}
		s.customers[name] = c
		s.sessions = append(s.sessions, &Session{User: c, Data: map[string]string{"cart": name}})
	}
	return c
}

func (s *Store) order(id int) {
	c := s.customer(fmt.Sprintf("customer-%d", id%97))
	o := &Order{ID: id, Owner: c}
	for i := 0; i < 1+id%4; i++ {
		o.Items = append(o.Items, LineItem{Product: fmt.Sprint("product-", i), Quantity: i, Cents: int64(id)})
	}
	if id%8 == 0 {
		s.mu.Lock()
		c.Orders = append(c.Orders, o)
		s.mu.Unlock()
	}
}

func main() {
	out, err := os.Create(os.Args[1])
	if err != nil {
		panic(err)
	}
	if err := trace.Start(out); err != nil {
		panic(err)
	}
	store := &Store{customers: map[string]*Customer{}}
	for round := 0; round < 3; round++ {
		var workers sync.WaitGroup
		for w := 0; w < 4; w++ {
			workers.Add(1)
			go func(round, w int) {
				defer workers.Done()
				for i := 0; i < 250; i++ {
					store.order(round*1000 + w*250 + i)
				}
			}(round, w)
		}
		workers.Wait()
		runtime.GC()
	}
	runtime.GC()
	trace.Stop()
	runtime.KeepAlive(store)
}
