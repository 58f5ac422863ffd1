"""A process of a simulated program: a shape and calls to run and trace it come in, a trace and its truth go out.

Provides the kernel's memory and writes all batches other than events. Never here: the runtime's mechanisms, shapes.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Literal

import numpy as np
import numpy.typing as npt

from gotrace.dtypes import TYPE, Rows
from gotrace.errors import Status
from gotrace.raw import Writer, allocfree_info, allocfree_types, event
from gotrace.raw.writer import NO_THREAD
from gotrace.simulation._runtime import Runtime
from gotrace.simulation.anomalies import quirks
from gotrace.simulation.rows import SIM_G, SIM_M, SIM_P, SIM_SPAN, Param, Reading, Reason
from gotrace.simulation.shape import SHAPES, Shape
from gotrace.simulation.truth import LIVE, SPAN_CLASSES, Truth
from gotrace.spec.events import ALLOC_FREE
from gotrace.spec.sizeclasses import CLASS_BYTES, HEADER_FROM, MANUAL, PAGE_BYTES

FREQUENCY = 15_625_000
"""Clock units per second, as on most systems."""

UNIT_NS = 1_000_000_000 // FREQUENCY

CLASS_PAGES: tuple[int, ...] = (
    *(0, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1),
    *(2, 1, 2, 1, 2, 1, 3, 2, 3, 1, 3, 2, 3, 4, 5, 6, 1, 7, 6, 5, 4, 3, 5, 7, 2, 9, 7, 5, 8, 3, 10, 7, 4),
)
"""Pages of a span by size class (FORMAT 9.3)."""

_HEADERS = {22: 22, 23: 23, 24: 23, 25: 25, 26: 26, 27: 26}
"""Header version by minor release of Go."""

_WORDS = {
    Reason.PREEMPTED: "preempted",
    Reason.GOSCHED: "runtime.Gosched",
    Reason.CHAN_RECEIVE: "chan receive",
    Reason.SELECT: "select",
    Reason.SYNC: "sync",
    Reason.SLEEP: "sleep",
    Reason.WORKER_IDLE: "system goroutine wait",
    Reason.START_TRACE: "start trace",
    Reason.SWEEP_TERMINATION: "GC sweep termination",
    Reason.MARK_TERMINATION: "GC mark termination",
    Reason.DEDICATED: "GC (dedicated)",
}
_N_STACKS = 64
_DEEPEST = 8
_ARENA = 64 << 20
_USUAL_BASE = 0xC000000000
_ARENAS = 1 << 20
_TYPES_AT = 0x500000
_WALL = 1_700_000_000  # seconds since 1970 at the clock's zero
_OUT = 4 << 20
_BUFFER = 1 << 16
_BLOCK_OF_CELLS = 1 << 13
_PAGES_AHEAD = 1 << 14
_STACKS_IN_A_SPAN = 16
_MOST_PROCS = 256
_MOST_LATE = 1 << 18
_FOREVER = (1 << 62) - 1


class _Tables:
    """The kernel's tables."""

    def __init__(self, program: Program) -> None:
        threads = 2 * program.procs + 16
        goroutines = program.shape.goroutines + 64
        pages = program._first_page + 4 * goroutines + _PAGES_AHEAD
        self.ms: npt.NDArray[Any] = np.zeros(threads, SIM_M)
        self.ps: npt.NDArray[Any] = np.zeros(program.procs, SIM_P)
        self.gs: npt.NDArray[Any] = np.zeros(goroutines, SIM_G)
        self.spans: npt.NDArray[Any] = np.zeros(goroutines // _STACKS_IN_A_SPAN + 256, SIM_SPAN)
        self.pages = np.zeros((3, pages), np.int32)
        self.borders: npt.NDArray[Any] = np.zeros(pages, np.uint8)
        self.births: npt.NDArray[Any] = np.zeros(_BLOCK_OF_CELLS, np.uint64)
        self.types: npt.NDArray[Any] = np.zeros(_BLOCK_OF_CELLS, np.int32)
        self.buffers: npt.NDArray[Any] = np.zeros(threads * _BUFFER, np.uint8)
        self.out: npt.NDArray[Any] = np.zeros(_OUT + threads * _BUFFER, np.uint8)
        self.caches = np.full((program.procs, SPAN_CLASSES), -1, np.int32)
        self.sites = program.shape.sites(np.random.default_rng(program.seed))
        self.ids: npt.NDArray[Any] = np.zeros((2, len(program.types)), np.int32)
        self.id_order: npt.NDArray[Any] = np.zeros((2, len(program.types) + 1), np.int32)
        self.counts: npt.NDArray[Any] = np.zeros((len(program.types) + SPAN_CLASSES, 6), np.int64)
        self.readings: npt.NDArray[Any] = np.zeros(len(Reading), np.int64)

    def attach(self, runtime: Runtime) -> None:
        """Pass all tables to the kernel."""
        runtime.attach_scheduler(
            ms=self.ms,
            ps=self.ps,
            gs=self.gs,
            buffers=self.buffers,
            out=self.out,
            caches=self.caches,
            readings=self.readings,
        )
        runtime.attach_heap(
            spans=self.spans,
            pages=self.pages,
            borders=self.borders,
            births=self.births,
            types=self.types,
            sites=self.sites,
            ids=self.ids,
            id_order=self.id_order,
            counts=self.counts,
        )

    def grow(self, status: Status) -> None:
        """Double the table that the kernel's status names."""
        if status == Status.GROW_SPANS:
            self.spans = _doubled(self.spans)
        elif status == Status.GROW_PAGES:
            self.pages = np.ascontiguousarray(np.concatenate((self.pages, np.zeros_like(self.pages)), axis=1))
            self.borders = _doubled(self.borders)
        elif status == Status.GROW_CELLS:
            self.births, self.types = _doubled(self.births), _doubled(self.types)
        else:
            self.gs = _doubled(self.gs)

    @property
    def n_spans(self) -> int:
        """Rows of spans in use or on the free list."""
        return int(self.readings[Reading.N_SPANS])


def _doubled(old: npt.NDArray[Any]) -> npt.NDArray[Any]:
    return np.concatenate((old, np.zeros_like(old)))


class _Nowhere:
    """An output that discards its input."""

    def write(self, data: Any) -> int:
        return len(data)


def _types(names: list[str], sizes: npt.NDArray[np.int64], first: int) -> Rows:
    """Return rows of TYPE; row 0 is none, and the descriptors' addresses are contiguous from ``first`` on."""
    rows = np.zeros(len(names) + 1, TYPE)
    rows["name"] = ["(untyped)", *names]
    rows["address"][1:] = first + 64 * np.arange(len(names), dtype=np.uint64)
    rows["size"][1:] = sizes
    rows["ptr_bytes"][1:] = sizes // 2
    return rows


class Program:
    """A process of a simulated Go program; the same arguments and calls write the same bytes.

    Parameters
    ----------
    shape : Shape or str
        The program's behaviour, or a name of ``SHAPES``.
    seed : int
        Seed of all randomness, 0 to 2**62 - 1.
    version : str
        The Go release, ``"1.22"`` to ``"1.27"``: it determines header, statuses, tiny objects and the heap's base.
    procs : int, optional
        GOMAXPROCS, 1 to 256. Default is the shape's.
    layout : {"current", "original"}
        Batches of the alloc/free experiment as in releases, or as in the Go change that introduced it: without kind
        bytes and without an info batch.
    generation : float
        Length of a generation in seconds.
    generation_events : int, optional
        Maximum number of events of a generation. Default is no limit.
    anomalies : iterable of str
        Names of ``ANOMALIES``.
    type_names : sequence of str, optional
        Names of the types, unique and not empty. Default is generated names.

    Attributes
    ----------
    allocfree : bool
        The setting ``GODEBUG=traceallocfree``. It takes effect when a session starts.

    Raises
    ------
    ValueError
        An argument is out of range.
    """

    def __init__(
        self,
        shape: Shape | str = "plain",
        *,
        seed: int = 0,
        version: str = "1.26",
        procs: int | None = None,
        layout: Literal["current", "original"] = "current",
        generation: float = 1.0,
        generation_events: int | None = None,
        anomalies: Iterable[str] = (),
        type_names: Sequence[str] | None = None,
    ) -> None:
        if isinstance(shape, str):
            if shape not in SHAPES:
                raise ValueError(f"unknown shape {shape!r}: expected one of {', '.join(SHAPES)}")
            shape = SHAPES[shape]
        names = [f"1.{release}" for release in _HEADERS]
        if version not in names:
            raise ValueError(f"version={version!r}: expected one of {', '.join(names)}")
        if layout not in ("current", "original"):
            raise ValueError(f"layout={layout!r}: expected current or original")
        procs = shape.procs if procs is None else procs
        if not 1 <= procs <= _MOST_PROCS:
            raise ValueError(f"procs={procs}: must be 1 to {_MOST_PROCS}")
        if not 0 <= seed < 1 << 62:
            raise ValueError(f"seed={seed}: must be 0 to 2**62 - 1")
        if generation <= 0 or (generation_events is not None and generation_events < 1):
            raise ValueError("generation must be above 0, and generation_events at least 1")
        self.shape, self.seed, self.procs = shape, seed, procs
        self.release = int(version.partition(".")[2])
        self.layout = layout
        anomalies = tuple(anomalies)
        self._arguments: dict[str, Any] = {
            "shape": shape,
            "seed": seed,
            "version": version,
            "procs": procs,
            "layout": layout,
            "generation": generation,
            "generation_events": generation_events,
            "anomalies": anomalies,
            "type_names": type_names,
        }
        self._log: list[tuple[str, Any]] = []
        random = np.random.default_rng(seed)
        self.heap_base, self._first_page = _USUAL_BASE, 0
        if self.release >= 26:
            self.heap_base = _ARENA * int(random.integers(_ARENAS // 256, _ARENAS))
            self._first_page = int(random.integers(1, 4096))
        type_list = _type_names(shape.types) if type_names is None else list(type_names)
        if len(set(type_list)) != shape.types or not all(type_list):
            raise ValueError(f"type_names: expected {shape.types} names, unique and not empty")
        self.types = _types(type_list, 8 * random.integers(1, 64, len(type_list)), _TYPES_AT)
        self._names = [name.encode("utf-8", "surrogateescape") for name in type_list]
        self.allocfree = self.release > 22
        self._unit_ns = UNIT_NS
        self._sessions = 0
        self._stack_rows = _stacks(random)
        self._tables = _Tables(self)
        params = np.zeros(len(Param), np.int64)
        params[Param.SEED], params[Param.PROCS] = seed, procs
        params[Param.GOROUTINES] = shape.goroutines + 2
        params[Param.LIVE_BYTES], params[Param.LEAST_HEAP], params[Param.GOGC] = (
            shape.live_bytes,
            shape.least_heap,
            shape.gogc,
        )
        params[Param.BUSY] = int(shape.busy * 65536)
        params[Param.SHORT_RUN], params[Param.LONG_RUN] = shape.short_run, shape.long_run
        params[Param.LONG_SHARE] = int(shape.long_share * 65536)
        params[Param.PACE], params[Param.MARK_EVENTS] = shape.pace, shape.mark_events
        params[Param.CLUSTERED] = int(shape.clustered * 65536)
        params[Param.OLD_SURVIVE] = int(shape.survive * 65536)
        params[Param.RELEASE], params[Param.QUIRKS] = self.release, quirks(anomalies, self.release)
        params[Param.N_STACKS], params[Param.HEAP_BASE], params[Param.FIRST_PAGE] = (
            _N_STACKS,
            self.heap_base,
            self._first_page,
        )
        params[Param.GENERATION_UNITS] = max(1, min(_FOREVER, int(generation * FREQUENCY)))
        params[Param.GENERATION_EVENTS] = generation_events or _FOREVER
        self._runtime = Runtime(
            params, np.array(CLASS_BYTES, np.int32), np.array(CLASS_PAGES, np.int32), shape.act_ends()
        )
        self._tables.attach(self._runtime)
        self._runtime.boot()
        self._writer: Writer | None = None
        self._files = ExitStack()
        self._until = _FOREVER

    def __enter__(self) -> Program:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the file of the current session, which truncates its trace."""
        self._files.close()

    # --- public methods --------------------------------------------------------------------------------------------

    def run(self, events: int | None = None, *, seconds: float | None = None) -> None:
        """Run, traced or not, for a number of events or a time, whichever ends first.

        Parameters
        ----------
        events : int, optional
            Number of events. Without a session, events that a trace would have count.
        seconds : float, optional
            Time on the trace's clock.

        Raises
        ------
        ValueError
            Neither is given, or one is negative.
        """
        if (events is None and seconds is None) or (events or 0) < 0 or (seconds or 0) < 0:
            raise ValueError("specify events or seconds, at least 0")
        self._log.append(("run", (events, seconds)))
        self._run(events, seconds)

    def start(self, output: str | os.PathLike[str] | BinaryIO | None, *, joined: bool = False) -> None:
        """Start a session.

        Parameters
        ----------
        output : path, binary file object or None
            Output of the trace, written as the program runs; None to discard it.
        joined : bool
            Join a running session: the trace has neither info batch nor snapshot.

        Raises
        ------
        ValueError
            A session is already running, or ``allocfree`` is set but the release has no alloc/free experiment.
        """
        if self._writer is not None:
            raise ValueError("a session is already running: stop it first")
        if self.allocfree and self.release < 23:
            raise ValueError("Go 1.22 has no alloc/free experiment: set allocfree to False")
        self._log.append(("start", (joined, self.allocfree)))
        self._start(output, joined, self.allocfree)

    def stop(self) -> Truth:
        """End the session.

        Returns
        -------
        Truth
            The truth about the session's trace.

        Raises
        ------
        ValueError
            No session is running.
        """
        if self._writer is None:
            raise ValueError("no session is running: start one first")
        log = tuple(self._log)
        self._log.append(("stop", ()))
        self._stop()
        return Truth(
            events=self._reading(Reading.TRACED_EVENTS),
            generations=self._reading(Reading.GEN) - self._first_gen + 1,
            cycles=self._reading(Reading.CYCLES),
            least=self._least,
            start=self._started * UNIT_NS,
            end=self._reading(Reading.NOW) * UNIT_NS,
            types=self.types,
            counts=self._tables.counts.copy(),
            _live=self.live(),
            _rows_until=lambda time: self._lived_until(log, time),
        )

    # --- the kernel's loop and the batches around events -----------------------------------------------------------

    def _reading(self, place: Reading) -> int:
        return int(self._tables.readings[place])

    @property
    def _started(self) -> int:
        return self._reading(Reading.STARTED)

    def _run(self, events: int | None, seconds: float | None) -> None:
        last = _FOREVER if events is None else self._reading(Reading.EVENTS) + events
        until = _FOREVER if seconds is None else self._reading(Reading.NOW) + int(seconds * FREQUENCY)
        until = min(until, self._until)
        while True:
            status = self._runtime.run(last, until)
            if status != Status.OK:
                self._serve(status)
            elif self._reading(Reading.EVENTS) >= last or self._reading(Reading.NOW) >= until:
                return
            else:
                self._end_generation()
                self._runtime.open_generation()
                self._begin_generation()

    def _serve(self, status: int) -> None:
        """Serve the kernel's request: take its output, or grow a table."""
        if status == Status.FULL:
            self._drain()
        else:
            self._tables.grow(Status(status))
            self._tables.attach(self._runtime)

    def _drain(self) -> None:
        n = self._reading(Reading.OUT)
        if n and self._writer is not None:
            self._writer.raw(self._tables.out[:n].tobytes())
        self._runtime.drained()

    def _start(self, output: str | os.PathLike[str] | BinaryIO | None, joined: bool, allocfree: bool) -> None:
        self._sessions += 1
        out: Any = _Nowhere() if output is None else output
        if isinstance(output, str | os.PathLike):
            out = self._files.enter_context(Path(output).open("wb"))  # noqa: SIM115 - closed with the session
        self._writer = Writer(_HEADERS[self.release], out)
        self._least = least = self.heap_base - _ARENA * (self._sessions - 1)
        gen = self._reading(Reading.GEN) + 1
        self._first_gen = gen
        self._time = self._reading(Reading.NOW)
        self._clock(gen)
        if allocfree and not joined and self.layout == "current":
            self._writer.batch(gen, NO_THREAD, self._time, allocfree_info(least), experiment=ALLOC_FREE)
        while (status := self._runtime.start(allocfree, joined, least)) != Status.OK:
            self._serve(status)

    def _clock(self, gen: int) -> None:
        """Write frequency and clock snapshot at a generation's start, where Go has them from 1.25 on."""
        assert self._writer is not None
        if self._writer.version < 25:
            return
        ns = self._time * UNIT_NS
        wall, rest = divmod(ns, 1_000_000_000)
        data = [event("Sync"), event("Frequency", FREQUENCY), event("ClockSnapshot", 0, ns, _WALL + wall, rest)]
        self._writer.batch(gen, NO_THREAD, self._time, data)

    def _begin_generation(self) -> None:
        self._clock(self._reading(Reading.GEN))

    def _end_generation(self) -> None:
        """Write the events of all threads, then stacks, types and strings; empty the table of types."""
        assert self._writer is not None
        while (status := self._runtime.close_generation()) != Status.OK:
            self._serve(status)
        self._drain()
        gen = self._reading(Reading.GEN)
        self._time = self._reading(Reading.NOW)
        if self._writer.version < 25:
            self._writer.batch(gen, NO_THREAD, self._time, event("Frequency", FREQUENCY))
        self._writer.stacks(gen, self._stack_rows)
        if self._reading(Reading.N_TYPE_IDS):
            head = b"\0" if self.layout == "current" else b""
            self._writer.records(gen, head, self._type_records(gen), experiment=ALLOC_FREE)
        self._runtime.forget_types()
        self._writer.strings(gen, _strings())
        self._writer.end_of_generation()

    def _type_records(self, gen: int) -> Iterator[bytes]:
        order = self._tables.id_order[gen & 1]
        for number, row in enumerate(order[1 : 1 + order[0]].tolist(), 1):
            type_row = self.types[row]
            numbers = (number, int(type_row["address"]), int(type_row["size"]), int(type_row["ptr_bytes"]))
            yield allocfree_types([(*numbers, self._names[row - 1])], layout="original")

    def _stop(self) -> None:
        self._end_generation()
        self._runtime.stop()
        self._writer = None
        self._files.close()

    def _lived_until(self, log: tuple[tuple[str, Any], ...], time: int) -> Rows:
        """Run the same program again; return rows of LIVE of the objects that were live at a time."""
        rerun = Program(**self._arguments)._replay(log, time)
        return np.concatenate((rerun.live(), rerun.freed_late()))

    def _replay(self, log: Sequence[tuple[str, Any]], time: int) -> Program:
        """Repeat the logged calls up to a time in ns, without output."""
        horizon = time // UNIT_NS
        self._late = np.zeros((_MOST_LATE, 5), np.int64)
        self._runtime.remember(max(0, horizon), self._late)
        for what, how in log:
            if what == "start":
                self._start(None, *how)
            elif what == "stop":
                self._stop()
            else:
                self._until = horizon + 1
                self._run(*how)
            if self._reading(Reading.NOW) > horizon:
                break
        return self

    def live(self) -> Rows:
        """Return rows of LIVE of the objects that are live now."""
        tables = self._tables
        spans = tables.spans[: tables.n_spans]
        spans = spans[(spans["spanclass"] >= 0) & (spans["spanclass"] != MANUAL)]
        words = np.ascontiguousarray(spans["live"], "<u8")
        bits = np.unpackbits(words.view(np.uint8), axis=1, bitorder="little")
        place, slot = np.nonzero(bits)
        del bits
        elem, spanclass = spans["elem"][place], spans["spanclass"][place]
        cells = spans["cells"][place] + slot
        rows = np.empty(len(place), LIVE)
        rows["address"] = np.uint64(self.heap_base) + (spans["page"][place] * PAGE_BYTES + slot * elem).astype(
            np.uint64
        )
        rows["size"], rows["spanclass"] = elem, spanclass
        births = tables.births[cells].astype(np.int64)
        inside = births >= self._started
        rows["time"] = np.where(inside, births * self._unit_ns, -1)
        headed = (spanclass & 1 == 0) & ((spanclass <= 1) | (elem > HEADER_FROM))
        rows["type"] = np.where(inside | headed, tables.types[cells], 0)
        return rows[np.argsort(rows["address"])]

    def freed_late(self) -> Rows:
        """Return rows of LIVE of the objects that were live at the replay's time and freed after it."""
        late = self._late[: self._reading(Reading.LATE)]
        rows = np.zeros(len(late), LIVE)
        rows["address"], rows["size"], rows["type"] = late[:, 0], late[:, 1], late[:, 3]
        rows["spanclass"] = late[:, 4]
        rows["time"] = np.where(late[:, 2] >= self._started, late[:, 2] * UNIT_NS, -1)
        return rows


def _type_names(n: int) -> list[str]:
    forms = ("main.T{}", "*main.T{}", "[]main.T{}", "map[string]main.T{}", "struct {{ F{} uintptr; x *int }}")
    return [forms[i % len(forms)].format(i) for i in range(n)]


def _stacks(random: np.random.Generator) -> dict[int, list[tuple[int, int, int, int]]]:
    """Return stacks by id with frames (pc, function, file, line); the address determines the other three."""
    stacks = {}
    file = int(Reason.OTHERS)
    for number in range(1, _N_STACKS + 1):
        places = random.integers(0, _N_STACKS, int(random.integers(1, _DEEPEST + 1))).tolist()
        stacks[number] = [(0x480000 + 32 * at, file + 1 + at, file, 10 + at) for at in places]
    return stacks


def _strings() -> dict[int, bytes]:
    words = {int(reason): word.encode() for reason, word in _WORDS.items()}
    words[int(Reason.OTHERS)] = b"/src/main.go"
    return words | {Reason.OTHERS + 1 + i: b"main.f%d" % i for i in range(_N_STACKS)}


def simulate(
    output: str | os.PathLike[str] | BinaryIO | None,
    shape: Shape | str = "plain",
    *,
    events: int | None = None,
    seconds: float | None = None,
    warmup: int = 10_000,
    session: int = 1,
    joined: bool = False,
    allocfree: bool = True,
    **program: Any,
) -> Truth:
    """Write the trace of a simulated Go program and return the truth about it.

    Parameters
    ----------
    output : path, binary file object or None
        Output of the trace, written as the program runs; None to discard it.
    shape : Shape or str
        The program's behaviour, or a name of ``SHAPES``.
    events : int, optional
        Minimum number of timed events of the trace. Default is 100 000, unless ``seconds`` is given.
    seconds : float, optional
        Maximum length on the trace's clock.
    warmup : int
        Number of events before the session, which create the heap of the snapshot.
    session : int
        Number of the session in the process, from 1. Earlier sessions are as long as the warm-up, and their traces are
        discarded.
    joined : bool
        Join a running session: the trace has neither info batch nor snapshot.
    allocfree : bool
        The setting ``GODEBUG=traceallocfree``.
    **program
        Arguments of :class:`Program`: seed, version, procs, layout, generation, generation_events, anomalies,
        type_names.

    Returns
    -------
    Truth

    Raises
    ------
    ValueError
        An argument is out of range.
    """
    if session < 1 or warmup < 0:
        raise ValueError("session must be at least 1, and warmup at least 0")
    process = Program(shape, **program)
    process.allocfree = allocfree
    process.run(warmup)
    for _ in range(session - 1):
        process.start(None)
        process.run(warmup)
        process.stop()
        process.run(warmup)
    with process:
        process.start(output, joined=joined)
        process.run(100_000 if events is None and seconds is None else events, seconds=seconds)
        return process.stop()
