"""A decoder that shares nothing with gotrace: plain Python, slow, written from the format alone.

It reads well-formed traces only; anything unexpected is an AssertionError. Never here: imports of gotrace or numpy,
optimizations.
"""

from __future__ import annotations

import bisect
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

# Arguments of each timed event, the time included.
N_ARGS = {
    9: 3,
    10: 3,
    11: 1,
    12: 4,
    13: 3,
    14: 4,
    15: 2,
    16: 3,
    17: 1,
    18: 1,
    19: 3,
    20: 3,
    21: 4,
    22: 3,
    23: 1,
    24: 1,
    25: 4,
    26: 3,
    27: 1,
    28: 2,
    29: 3,
    30: 2,
    31: 2,
    32: 2,
    33: 3,
    34: 2,
    35: 2,
    36: 1,
    37: 2,
    38: 2,
    39: 2,
    40: 5,
    41: 3,
    42: 4,
    43: 4,
    44: 5,
    45: 3,
    46: 3,
    47: 4,
    48: 5,
    128: 4,
    129: 4,
    130: 2,
    131: 3,
    132: 3,
    133: 2,
    134: 3,
    135: 3,
    136: 2,
}
NAMES = {
    128: "Span",
    129: "SpanAlloc",
    130: "SpanFree",
    131: "HeapObject",
    132: "HeapObjectAlloc",
    133: "HeapObjectFree",
    134: "GoroutineStack",
    135: "GoroutineStackAlloc",
    136: "GoroutineStackFree",
}
EXISTS = (128, 131, 134)
CLASSES = [
    *(0, 8, 16, 24, 32, 48, 64, 80, 96, 112, 128, 144, 160, 176, 192, 208, 224, 240, 256, 288, 320, 352, 384, 416),
    *(448, 480, 512, 576, 640, 704, 768, 896, 1024, 1152, 1280, 1408, 1536, 1792, 2048, 2304, 2688, 3072, 3200),
    *(3456, 4096, 4864, 5376, 6144, 6528, 6784, 6912, 8192, 9472, 9728, 10240, 10880, 12288, 13568, 14336, 16384),
    *(18432, 19072, 20480, 21760, 24576, 27264, 28672, 32768),
]
MASK = 2**64 - 1


@dataclass
class Cursor:
    data: bytes
    at: int

    def byte(self) -> int:
        self.at += 1
        return self.data[self.at - 1]

    def number(self) -> int:
        value = shift = 0
        while True:
            byte = self.byte()
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                assert value <= MASK
                return value

    def take(self, n: int) -> bytes:
        self.at += n
        assert self.at <= len(self.data)
        return self.data[self.at - n : self.at]


@dataclass
class Event:
    time: int
    type: int
    args: tuple[int, ...]
    offset: int
    m: int
    ahead: int  # bytes of its batch before it
    g: int = -1
    p: int = -1


@dataclass
class Generation:
    number: int
    factor: float = 0.0
    frequency: int = 0
    snapshot: tuple[int, int, int, int] | None = None  # clock units, mono, sec, nsec
    strings: dict[int, bytes] = field(default_factory=dict)
    stacks: dict[int, list[tuple[int, int, int, int]]] = field(default_factory=dict)
    frames: dict[int, tuple[int, int, int]] = field(default_factory=dict)
    samples: list[tuple[int, ...]] = field(default_factory=list)
    experiments: dict[int, list[tuple[int, bytes]]] = field(default_factory=dict)
    batches: dict[int, list[tuple[int, int, bytes]]] = field(default_factory=dict)
    n_batches: int = 0
    threads: dict[int, list[Event]] = field(default_factory=dict)

    def ns(self, units: int) -> int:
        product = float(units) * self.factor
        return int(product) if product < 2.0**63 else -(2**63)


def signed(value: int) -> int:
    return value - 2**64 if value >> 63 else value


@lru_cache(maxsize=64)  # all fixtures
def read(data: bytes) -> list[Generation]:
    """Return all generations, with the events of each thread."""
    assert data[:5] == b"go 1."
    assert data[7:16] == b" trace\0\0\0"
    version = int(data[5:7])
    cursor = Cursor(data, 16)
    generations: list[Generation] = []
    current: Generation | None = None
    while cursor.at < len(data):
        kind = cursor.byte()
        if kind == 52:
            assert version >= 26
            assert current is not None
            current = None
            continue
        assert kind in (1, 49)
        experiment = cursor.byte() if kind == 49 else 0
        number, m, time, size = (cursor.number() for _ in range(4))
        assert size <= 65536
        if current is None or (version < 26 and number == current.number + 1):
            current = Generation(number)
            generations.append(current)
        assert number == current.number
        current.n_batches += 1
        start = cursor.at
        content = cursor.take(size)
        if experiment:
            current.experiments.setdefault(experiment, []).append((signed(m), content))
        elif content[:1] in (b"\4", b"\2", b"\6") or content[:1] == (b"\x32" if version >= 25 else b"\x08"):
            structure(current, Cursor(content, 0), time)
        else:
            current.batches.setdefault(signed(m), []).append((start, time, content))
    for generation in generations:
        decode(generation)
    return generations


def well_formed(data: bytes) -> bool:
    """Whether all records of a trace can be read."""
    try:
        read(data)
    except (AssertionError, IndexError, KeyError):
        return False
    return True


def structure(generation: Generation, cursor: Cursor, time: int) -> None:
    if cursor.data[0] != 8:
        cursor.byte()
    while cursor.at < len(cursor.data):
        kind = cursor.byte()
        if kind == 5:
            number, size = cursor.number(), cursor.number()
            assert number
            assert number not in generation.strings
            generation.strings[number] = cursor.take(size)
        elif kind == 3:
            number, n = cursor.number(), cursor.number()
            assert number
            assert number not in generation.stacks
            stack = []
            for _ in range(n):
                pc, *rest = (cursor.number() for _ in range(4))
                first = generation.frames.setdefault(pc, (rest[0], rest[1], rest[2]))
                stack.append((pc, *first))
            generation.stacks[number] = stack
        elif kind == 7:
            generation.samples.append(tuple(cursor.number() for _ in range(5)))
        elif kind == 8:
            generation.frequency = cursor.number()
            generation.factor = 1.0 / (float(generation.frequency) / 1e9)
        else:
            assert kind == 51
            dt, mono, sec, nsec = (cursor.number() for _ in range(4))
            time += dt
            generation.snapshot = (time, mono, signed(sec), signed(nsec))


def decode(generation: Generation) -> None:
    for m, batches in generation.batches.items():
        events = generation.threads.setdefault(m, [])
        for start, base, content in batches:
            cursor = Cursor(content, 0)
            time = generation.ns(base)
            while cursor.at < len(content):
                at = cursor.at
                kind = cursor.byte()
                dt, *args = (cursor.number() for _ in range(N_ARGS[kind]))
                time += generation.ns(dt)
                events.append(Event(time, kind, tuple(args), start + at, m, at))


class Context:
    """Goroutine and proc of a thread, from its own events."""

    def __init__(self) -> None:
        self.g = self.p = -1
        self.in_syscall = False

    def follow(self, event: Event) -> None:
        kind, args = event.type, event.args
        if kind == 10:
            self.p, self.in_syscall = args[0], False
        elif kind == 13 and args[1] & 255 in (1, 3):
            self.p, self.in_syscall = args[0], args[1] & 255 == 3
        elif kind == 11 or (kind == 12 and signed(args[2]) == event.m):
            self.p, self.in_syscall = -1, False
        elif kind in (15, 16, 45, 46):
            self.g = args[0]
        elif kind in (17, 19, 20):
            self.g = -1
        elif kind in (22, 23):
            self.in_syscall = kind == 22
        elif kind == 24:
            self.g, self.p, self.in_syscall = -1, -1 if self.in_syscall else self.p, False
        elif kind == 18:
            self.g, self.p, self.in_syscall = -1, -1, False
        elif kind in (25, 48):
            if args[2] & 255 == 2:
                self.g = args[0]
            elif args[2] & 255 == 3 and signed(args[1]) == event.m:
                self.g, self.in_syscall = args[0], True


@lru_cache(maxsize=64)
def merged(data: bytes) -> list[tuple[int, Event]]:
    """Return (index of the generation, event): the earliest next event of any thread, ties by first appearance."""
    contexts: dict[int, Context] = defaultdict(Context)
    order: list[tuple[int, Event]] = []
    for index, generation in enumerate(read(data)):
        threads = [events for events in generation.threads.values() if events]
        places = [0] * len(threads)
        while True:
            waiting = [(threads[i][at].time, i) for i, at in enumerate(places) if at < len(threads[i])]
            if not waiting:
                break
            _, i = min(waiting)
            event = threads[i][places[i]]
            places[i] += 1
            if event.m != -1:
                event.g, event.p = contexts[event.m].g, contexts[event.m].p
                contexts[event.m].follow(event)
            order.append((index, event))
    return order


Type = tuple[int, int, int, int, bytes]  # id, address, size, ptrbytes, name


def types_of(generation: Generation) -> tuple[tuple[int, ...] | None, list[Type]]:
    """Return the info batch and the types of a generation, in both layouts."""
    info = None
    types: list[Type] = []
    for _, batch in generation.experiments.get(1, []):
        cursor = Cursor(batch, 0)
        if batch[0] == 1:
            try:
                cursor.byte()
                numbers = tuple(cursor.number() for _ in range(4))
            except IndexError:
                numbers = ()
            if len(numbers) == 4 and cursor.at == len(batch):
                info = numbers
                continue
            cursor.at = 0
        elif batch[0] == 0:
            cursor.byte()
        while cursor.at < len(batch):
            number, address, size, ptrbytes, length = (cursor.number() for _ in range(5))
            types.append((number, address, size, ptrbytes, cursor.take(length)))
    return info, types


@dataclass
class Span:
    page: int
    bytes: int
    spanclass: int
    base: int = 0
    over: tuple[int, int, int, int] | None = None  # time, thread, bytes and class of the span that it replaced
    pending: int = 0  # objects of the span that it replaced whose free is pending
    live: dict[int, Any] = field(default_factory=dict)  # slot address -> type key
    owed: dict[int, bool] = field(default_factory=dict)
    late: tuple[int, int] = (-(2**63), 0)  # time and thread

    @property
    def elem(self) -> int:
        return CLASSES[self.spanclass >> 1] or self.bytes


def slot_of_type(size: int, ptrbytes: int) -> int:
    """Bytes of the slot of one object of a type."""
    if size > 512 and ptrbytes and size <= 32760:
        size += 8
    for elem in CLASSES:
        if size <= elem:
            return elem
    return (size + 8191) // 8192 * 8192


class Replay:
    """Replay of the alloc/free events of a trace, one by one.

    With ``stop``, only the snapshot and the events before that time.
    """

    def __init__(self, data: bytes, stop: int = 2**63 - 1) -> None:
        self.data = data
        self.generations = read(data)
        self.stop = stop
        self.stopped = False
        self.inuse: dict[tuple[int, int], tuple[int, int]] = {}  # objects and bytes by type and span class
        self.inuse_bytes = self.peak_bytes = 0
        self.peak_time = -1
        self.peak: dict[tuple[int, int], tuple[int, int]] = {}
        self.odd: Counter[str] = Counter()
        self.counts: dict[tuple[Any, int], Counter[str]] = defaultdict(Counter)
        self.spans: dict[int, Span] = {}  # by page
        self.loose: dict[int, Any] = {}
        self.slots = [0, 0]  # by row of the type table
        self.stacks: dict[int, tuple[int, bool]] = {}
        self.late_stack = (-(2**63), 0)
        self.rows: list[dict[str, Any]] = []
        self.info = (0, 8192, 8, 2048)
        self.known_info = False
        self.types: dict[int, Any] = {}
        self.descriptors: dict[int, int] = {}
        self.names: list[str] = ["(untyped)", "(unresolved)"]
        self.begins = sorted(e.time for g in self.generations for t in g.threads.values() for e in t if e.type == 29)
        self.cycle = 0  # mark phases that have begun
        self.living: dict[tuple[int, bool], dict[str, int]] = {}  # by slot address, and whether it is in a span
        self.lifetimes: list[dict[str, int]] = []
        self.run()
        self.cycle = len([time for time in self.begins if time < stop])
        rest = sorted(self.living.values(), key=lambda life: (life["born"], life["offset"]))
        self.lifetimes += [self.aged(life) for life in rest]

    def aged(self, life: dict[str, int]) -> dict[str, int]:
        known = life["born_cycle"] >= 0
        return {**life, "age": self.cycle - life["born_cycle"] if known else -1}

    def ended(self, slot: int, inside: bool, how: int) -> None:
        life = self.aged(self.living.pop((slot, inside)))
        self.weigh((life["type"], life["spanclass"]), -1, -life["size"])
        self.lifetimes.append({**life, "died": self.now.time, "died_cycle": self.cycle, "end": how})

    def weigh(self, key: tuple[int, int], objects: int, size: int) -> None:
        before = self.inuse.get(key, (0, 0))
        self.inuse[key] = (before[0] + objects, before[1] + size)
        self.inuse_bytes += size
        if self.inuse_bytes > self.peak_bytes:
            self.peak_bytes, self.peak_time, self.peak = self.inuse_bytes, self.now.time, dict(self.inuse)

    def entered(self, slot: int, key: tuple[int, int], size: int, new: bool) -> None:
        self.weigh(key, 1, size)
        self.living[slot, key[1] != 255] = {
            "born": self.now.time if new else -1,
            "died": -1,
            "address": slot,
            "size": size,
            "offset": self.now.offset,
            "g": self.now.g,
            "type": key[0],
            "spanclass": key[1],
            "born_cycle": self.cycle if new else -1,
            "died_cycle": -1,
            "end": 0,
        }

    def run(self) -> None:
        last = -1
        applied: dict[int, int] = {}
        for index, event in merged(self.data):
            if index != last:
                last = index
                applied = {}
                self.enter(self.generations[index])
            if event.type not in NAMES:
                continue
            if event.type in EXISTS and event.offset > applied.get(event.m, -1):
                events = self.generations[index].threads[event.m]
                at = bisect.bisect_left([e.offset for e in events], event.offset)
                while at < len(events) and events[at].type in EXISTS:
                    self.now = events[at]
                    self.exists(events[at], (event.time, event.m))
                    applied[event.m] = events[at].offset
                    at += 1
            self.now = event
            self.stopped |= event.type not in EXISTS and event.time >= self.stop
            if self.stopped and event.type not in EXISTS:
                continue
            while event.type not in EXISTS and self.cycle < len(self.begins) and self.begins[self.cycle] <= event.time:
                self.cycle += 1
            self.apply(self.generations[index], event)

    def enter(self, generation: Generation) -> None:
        self.generation = generation
        info, types = types_of(generation)
        if info is not None:
            self.info, self.known_info = (info[0], info[1], info[2], info[3]), True
        self.types = {}
        for number, address, size, ptrbytes, name in types:
            if address not in self.descriptors:
                self.descriptors[address] = len(self.names)
                self.slots.append(slot_of_type(size, ptrbytes))
                self.names.append(name.decode())
            self.types.setdefault(number, self.descriptors[address])

    def type_of(self, number: int) -> int:
        return self.types.get(number, 1) if number else 0

    def slot(self, number: int) -> tuple[int, Span | None, int]:
        named = (self.info[0] + number * self.info[2]) & MASK
        span = self.spans.get(named // self.info[1])
        if span is None or span.spanclass == 254:
            return named, None, named
        index = (named - span.base) // span.elem
        if span.spanclass > 1 and index >= span.bytes // span.elem:
            return named, None, named
        return named, span, span.base + index * span.elem

    def recent(self, event: Event, time: int, m: int) -> bool:
        return m != event.m and event.time - time <= self.generation.ns(event.ahead // 3 + 1)

    def pages(self, span: Span) -> range:
        n = span.bytes // self.info[1] if span.spanclass not in (0, 1, 254) else 1
        return range(span.page, span.page + min(n, 10))

    def drop(self, span: Span) -> None:
        for page in self.pages(span):
            if self.spans.get(page) is span:
                del self.spans[page]
        for slot, key in sorted(span.live.items()):
            self.free(key, span.elem)
            self.ended(slot, True, 3)
            self.odd["objects in a freed span"] += 1

    def free(self, key: tuple[Any, int], size: int) -> None:
        self.counts[key]["free_objects"] += 1
        self.counts[key]["free_bytes"] += size

    def make_span(self, args: tuple[int, ...], now: tuple[int, int], new: bool) -> None:
        page = ((self.info[0] + args[0] * self.info[1]) & MASK) // self.info[1]
        spanclass = 254 if args[2] & 1 else args[2] >> 1
        old = self.spans.get(page)
        if not new and old is not None and old.page == page and old.spanclass == spanclass:
            return
        span = Span(page, args[1] * self.info[1], spanclass, page * self.info[1])
        for number in self.pages(span):
            old = self.spans.get(number)
            if old is not None:
                self.odd["overlapping spans"] += 1
                if new:
                    span.over = (*now, old.bytes, old.spanclass)
                span.pending += len(old.live)
                self.drop(old)
            self.spans[number] = span

    def born(self, number: int, kind: int, now: tuple[int, int], new: bool) -> None:
        _named, span, slot = self.slot(number)
        key = (kind, span.spanclass if span else 255)
        live = span.live if span else self.loose
        size = span.elem if span else self.slots[kind]
        if slot in live:
            if not new:
                return
            if span and span.spanclass == 5:
                self.odd["tiny objects in a shared slot"] += 1
                return
            self.odd["allocations in a live slot"] += 1
            self.free(live[slot], size if span else self.slots[live[slot][0]])
            self.ended(slot, span is not None, 2)
            if span:
                span.late = now
                span.owed[slot] = True
        elif span:
            span.owed.pop(slot, None)
        live[slot] = key
        self.entered(slot, key, size, new)
        what = "alloc" if new else "start"
        self.counts[key][f"{what}_objects"] += 1
        self.counts[key][f"{what}_bytes"] += size

    def died(self, event: Event) -> None:
        named, span, slot = self.slot(event.args[0])
        if span and span.over and span.pending and self.recent(event, *span.over[:2]):
            span.pending -= 1
            self.odd["frees after the slot's next allocation"] += 1
            return
        if span and slot in span.live:
            if span.owed.pop(slot, False) and self.recent(event, *span.late):
                self.odd["frees after the slot's next allocation"] += 1
                return
            self.free(span.live.pop(slot), span.elem)
            self.ended(slot, True, 1)
            return
        for address in (named, named + 8):
            if address in self.loose:
                key = self.loose.pop(address)
                self.free(key, self.slots[key[0]])
                self.ended(address, False, 1)
                return
        self.odd["frees of an unknown object"] += 1

    def make_stack(self, args: tuple[int, ...], now: tuple[int, int], new: bool) -> None:
        address = (self.info[0] + args[0] * self.info[3]) & MASK
        if args[1] == 0:
            return
        owed = False
        if address in self.stacks:
            if not new:
                return
            self.odd["allocations of a live stack"] += 1
            self.late_stack = now
            owed = True
        self.stacks[address] = (args[1], owed)

    def exists(self, event: Event, now: tuple[int, int]) -> None:
        if event.type == 128:
            self.make_span(event.args, now, new=False)
        elif event.type == 131:
            self.born(event.args[0], self.type_of(event.args[1]), now, new=False)
        else:
            self.make_stack(event.args, now, new=False)

    def apply(self, generation: Generation, event: Event) -> None:
        what, op = divmod(event.type - 128, 3)
        row: dict[str, Any] = {
            "time": event.time,
            "offset": event.offset,
            "g": event.g,
            "m": event.m,
            "type": 0,
            "p": event.p,
            "generation": generation.number,
            "what": what,
            "op": op,
            "spanclass": 255,
            "inset": 0,
            "size": 0,
        }
        self.odd["relative addresses"] += not self.known_info
        if what == 0:
            page = ((self.info[0] + event.args[0] * self.info[1]) & MASK) // self.info[1]
            row["address"] = page * self.info[1]
            if op == 2:
                self.free_span(event, page, row)
            else:
                if op == 1:
                    self.make_span(event.args, (event.time, event.m), new=True)
                row["size"] = event.args[1] * self.info[1]
                row["spanclass"] = 254 if event.args[2] & 1 else event.args[2] >> 1
        elif what == 1:
            named, span, slot = self.slot(event.args[0])
            row["address"] = slot
            if span:
                row["size"], row["spanclass"], row["inset"] = span.elem, span.spanclass, min(named - slot, 255)
            else:
                self.odd["objects outside any span"] += op != 2
            if op != 2:
                row["type"] = self.type_of(event.args[1])
                row["size"] = row["size"] if span else self.slots[row["type"]]
                self.odd["unresolved types"] += row["type"] == 1
            if op == 1:
                self.born(event.args[0], row["type"], (event.time, event.m), new=True)
            elif op == 2:
                self.died(event)
        else:
            row["address"] = (self.info[0] + event.args[0] * self.info[3]) & MASK
            if op == 2:
                self.free_stack(event, row)
            else:
                if op == 1:
                    self.make_stack(event.args, (event.time, event.m), new=True)
                row["size"] = 1 << event.args[1] >> 1
                self.odd["stacks of order 0"] += event.args[1] == 0
        self.rows.append(row)

    def free_span(self, event: Event, page: int, row: dict[str, Any]) -> None:
        span = self.spans.get(page)
        if span is None or span.page != page:
            self.odd["frees of an unknown span"] += 1
            return
        if span.over:
            when, m, size, spanclass = span.over
            span.over = None
            if self.recent(event, when, m):
                self.odd["frees after the slot's next allocation"] += 1
                row["size"], row["spanclass"] = size, spanclass
                return
        row["size"], row["spanclass"] = span.bytes, span.spanclass
        self.drop(span)

    def free_stack(self, event: Event, row: dict[str, Any]) -> None:
        if row["address"] not in self.stacks:
            self.odd["frees of an unknown stack"] += 1
            return
        order, owed = self.stacks.pop(row["address"])
        row["size"] = 1 << order >> 1
        if owed and self.recent(event, *self.late_stack):
            self.odd["frees after the slot's next allocation"] += 1
            self.stacks[row["address"]] = (order, False)
