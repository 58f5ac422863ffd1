"""Well-formed traces of random schedules: goroutines on procs and threads, over several generations.

A step happens to the whole program at once, as in a runtime; the thread then writes it with a clock of its own that is
ahead or late, so that a reader must recover the order. Never here: assertions, reading.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field

from gotrace.raw import Writer, event, uvarint

RUNNABLE, RUNNING, SYSCALL, WAITING = 1, 2, 3, 4
PROC_RUNNING, PROC_IDLE = 1, 2
NO_THREAD = (1 << 64) - 1
STRINGS = {1: b"chan receive", 2: b"preempted", 3: b"GC mark termination", 4: b"GC sweep termination", 5: b"task"}


@dataclass
class Goroutine:
    state: int = RUNNABLE
    seq: int = 0
    reported: int = 0  # generation in which its status was last written
    regions: int = 0
    assists: bool = False


@dataclass
class Proc:
    running: bool = False
    seq: int = 0
    reported: int = 0


@dataclass
class Thread:
    g: int = 0
    p: int = -1
    seq: int = -1  # of the P at its syscall, while it may be stolen
    clock: int = 0
    sweeps: bool = False
    events: list[tuple[int, bytes]] = field(default_factory=list)  # time; type and arguments without dt


class Schedule:
    """A running program; ``trace`` is the trace that it wrote."""

    def __init__(self, seed: object, *, version: int = 26, steps: int = 120, generations: int = 3) -> None:
        self.dice = random.Random(str(seed))
        self.gs = {i: Goroutine() for i in range(1, self.dice.randrange(3, 9))}
        self.ps = [Proc() for _ in range(self.dice.randrange(1, 5))]
        self.ms = {100 + i: Thread() for i in range(self.dice.randrange(2, 7))}
        self.jitter = self.dice.choice((1, 5, 200))
        self.collects = self.dice.random() < 0.7
        self.tasks: list[int] = []
        self.next_g, self.next_task, self.gc_seq, self.in_gc, self.stopped = 20, 1, 0, False, 0
        self.gen, self.now = 1, 100
        writer = Writer(version)
        for self.gen in range(1, generations + 1):
            writer.frequency(self.gen, self.now, 1_000_000_000)
            start = self.now
            self.gc_reported = False
            if self.gen == 1 and self.collects:  # only its number orders the first one
                self.collect(next(iter(self.ms)))
                self.now += self.jitter
            for _ in range(steps):
                self.step()
            for g, goroutine in self.gs.items():
                if self.gen == 1 and goroutine.state in (RUNNABLE, WAITING):
                    self.write_g_status(next(iter(self.ms)), g)
            self.write(writer, start)
        self.trace = writer.getvalue()

    def write(self, writer: Writer, start: int) -> None:
        """Close the generation: batches of random length, in random order except within a thread."""
        writer.strings(self.gen, STRINGS)
        queues = []
        for m, thread in self.ms.items():
            queue, at = [], 0
            while at < len(thread.events):
                end = at + self.dice.choice((1, 3, 10, 1000))
                base = last = thread.events[at][0]
                body = b""
                for time, encoded in thread.events[at:end]:
                    body += encoded[:1] + uvarint(time - last) + encoded[1:]
                    last = time
                queue.append((m, base, body))
                at = end
            queues.append(queue)
            thread.events = []
        while any(queues):
            writer.batch(self.gen, *self.dice.choice([queue for queue in queues if queue]).pop(0))
        writer.end_of_generation()

    def emit(self, m: int, name: str, *args: int) -> None:
        thread = self.ms[m]
        self.now += 1
        thread.clock = max(thread.clock, self.now + self.dice.randrange(self.jitter))
        encoded = event(name, 0, *args)
        thread.events.append((thread.clock, encoded[:1] + encoded[2:]))

    # Statuses, before the first mention in a generation.

    def write_g_status(self, m: int, g: int, on: int = NO_THREAD) -> None:
        goroutine = self.gs[g]
        if goroutine.reported != self.gen:
            goroutine.reported, goroutine.seq = self.gen, 0
            self.emit(m, "GoStatus", g, on, goroutine.state)
            if goroutine.assists:
                self.emit(m, "GCMarkAssistActive", g)

    def write_p_status(self, m: int, p: int) -> None:
        proc = self.ps[p]
        if proc.reported != self.gen:
            proc.reported, proc.seq = self.gen, 0
            self.emit(m, "ProcStatus", p, PROC_RUNNING if proc.running else PROC_IDLE)
            if self.ms[m].sweeps and self.ms[m].p == p:
                self.emit(m, "GCSweepActive", p)

    def write_own_status(self, m: int) -> None:
        thread = self.ms[m]
        if thread.p >= 0:
            self.write_p_status(m, thread.p)
        if thread.g:
            self.write_g_status(m, thread.g, m)

    def next_seq(self, m: int, g: int) -> int:
        self.write_g_status(m, g)
        self.gs[g].seq += 1
        return self.gs[g].seq

    # Steps.

    def step(self) -> None:
        m = self.dice.choice(list(self.ms))
        thread = self.ms[m]
        if thread.g and self.gs[thread.g].state == SYSCALL:
            self.leave_syscall(m, thread)
        elif thread.p < 0:
            self.take_proc(m, thread)
        elif not thread.g:
            self.write_own_status(m)
            self.take_goroutine(m, thread)
        else:
            self.write_own_status(m)
            self.run(m, thread)

    def take_proc(self, m: int, thread: Thread) -> None:
        victims = [v for v, other in self.ms.items() if other.seq >= 0 and other.p >= 0]
        free = [i for i, proc in enumerate(self.ps) if not proc.running]
        if victims and self.dice.random() < 0.5:
            victim = self.dice.choice(victims)
            p = self.ms[victim].p
            if self.ps[p].reported != self.gen or self.ps[p].seq != self.ms[victim].seq:
                return
            self.ps[p].seq += 1
            self.emit(m, "ProcSteal", p, self.ps[p].seq, victim)
            self.ps[p].running, self.ms[victim].p, self.ms[victim].seq = False, -1, -1
            free = [p]
        if free:
            p = self.dice.choice(free)
            self.write_p_status(m, p)
            self.ps[p].seq += 1
            self.ps[p].running, thread.p = True, p
            self.emit(m, "ProcStart", p, self.ps[p].seq)

    def take_goroutine(self, m: int, thread: Thread) -> None:
        ready = [g for g, goroutine in self.gs.items() if goroutine.state == RUNNABLE]
        if thread.sweeps:
            self.sweep(m, thread)
        elif ready and self.dice.random() < 0.8:
            g = self.dice.choice(ready)
            self.emit(m, "GoStart", g, self.next_seq(m, g))
            self.gs[g].state, thread.g = RUNNING, g
        elif self.dice.random() < 0.3:
            self.emit(m, "ProcStop")
            self.ps[thread.p].running, thread.p = False, -1
        else:
            self.sweep(m, thread)

    def sweep(self, m: int, thread: Thread) -> None:
        if thread.sweeps:
            self.emit(m, "GCSweepEnd", 8192, 4096)
        else:
            self.emit(m, "GCSweepBegin", 0)
        thread.sweeps = not thread.sweeps

    def leave_syscall(self, m: int, thread: Thread) -> None:
        if self.gs[thread.g].reported != self.gen or (thread.p >= 0 and self.ps[thread.p].reported != self.gen):
            return  # a runtime's tracer would write the status here; skip the step instead
        if thread.p >= 0:
            self.emit(m, "GoSyscallEnd")
            self.gs[thread.g].state = RUNNING
        else:
            self.emit(m, "GoSyscallEndBlocked")
            self.gs[thread.g].state, thread.g = RUNNABLE, 0
        thread.seq = -1

    def run(self, m: int, thread: Thread) -> None:
        me = self.gs[thread.g]
        waiting = [g for g, goroutine in self.gs.items() if goroutine.state == WAITING]
        what = self.dice.randrange(20)
        busy = me.assists or me.regions or self.stopped == thread.g
        if what <= 1 and not busy:
            self.emit(m, "GoStop", 2, 0)
            me.state, thread.g = RUNNABLE, 0
        elif what <= 4 and not busy:
            self.emit(m, "GoBlock", 1, 0)
            me.state, thread.g = WAITING, 0
        elif what == 5 and len(self.gs) > 2 and self.stopped != thread.g:
            self.emit(m, "GoDestroy")
            del self.gs[thread.g]
            thread.g = 0
        elif what == 6:
            self.next_g += 1
            blocked = self.dice.random() < 0.5
            self.gs[self.next_g] = Goroutine(WAITING if blocked else RUNNABLE, reported=self.gen)
            self.emit(m, "GoCreateBlocked" if blocked else "GoCreate", self.next_g, 0, 0)
        elif what <= 9 and waiting:
            g = self.dice.choice(waiting)
            self.emit(m, "GoUnblock", g, self.next_seq(m, g), 0)
            self.gs[g].state = RUNNABLE
        elif what == 10 and waiting and not busy:
            g = self.dice.choice(waiting)
            self.emit(m, "GoSwitch", g, self.next_seq(m, g))
            me.state, self.gs[g].state, thread.g = WAITING, RUNNING, g
        elif what <= 12 and not busy and not thread.sweeps:
            self.ps[thread.p].seq += 1
            thread.seq = self.ps[thread.p].seq
            self.emit(m, "GoSyscallBegin", thread.seq, 0)
            me.state = SYSCALL
        elif what == 13:
            self.emit(m, "HeapAlloc", self.now)
        elif what == 14:
            self.emit(m, "HeapObjectAlloc", self.now, 0)
        elif what == 15:
            self.emit(m, "GCMarkAssistEnd" if me.assists else "GCMarkAssistBegin", *([] if me.assists else [0]))
            me.assists = not me.assists
        elif what == 16 and self.stopped in (0, thread.g):
            if self.stopped:
                self.emit(m, "STWEnd")
            else:
                self.emit(m, "STWBegin", self.dice.choice((3, 4)), 0)
            self.stopped = thread.g - self.stopped
        elif what == 17:
            self.annotate(m, me)
        elif what == 18:
            self.emit(m, "GoLabel", 5)
        elif self.collects:
            self.collect(m)

    def annotate(self, m: int, me: Goroutine) -> None:
        if self.tasks and self.dice.random() < 0.4:
            self.emit(m, "UserTaskEnd", self.tasks.pop(), 0)
        elif me.regions:
            me.regions -= 1
            self.emit(m, "UserRegionEnd", 0, 5, 0)
        elif self.dice.random() < 0.5:
            me.regions += 1
            self.emit(m, "UserRegionBegin", 0, 5, 0)
        else:
            self.emit(m, "UserTaskBegin", self.next_task, 0, 5, 0)
            self.tasks.append(self.next_task)
            self.next_task += 1
        self.emit(m, "UserLog", 0, 1, 2, 0)

    def collect(self, m: int) -> None:
        self.gc_seq += 1
        if self.in_gc and not self.gc_reported:
            self.emit(m, "GCActive", self.gc_seq)
        elif self.in_gc:
            self.emit(m, "GCEnd", self.gc_seq)
            self.in_gc = False
        else:
            self.emit(m, "GCBegin", self.gc_seq, 0)
            self.in_gc = True
        self.gc_reported = True
