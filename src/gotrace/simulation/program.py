"""A simulated program that runs, is traced for a while and runs on: the kernel fed with memory, batches around it.

Never here: what the runtime does, what a program is like.
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
"""Clock units a second, as on most systems."""

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
    """The kernel's memory."""

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
        self.told: npt.NDArray[Any] = np.zeros((len(program.types) + SPAN_CLASSES, 6), np.int64)
        self.readings: npt.NDArray[Any] = np.zeros(len(Reading), np.int64)

    def attach(self, runtime: Runtime) -> None:
        """Hand all of them to the kernel."""
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
            told=self.told,
        )

    def grow(self, status: Status) -> None:
        """Double what the kernel found short."""
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
        """Rows of spans in use or free again."""
        return int(self.readings[Reading.N_SPANS])


def _doubled(old: npt.NDArray[Any]) -> npt.NDArray[Any]:
    return np.concatenate((old, np.zeros_like(old)))


class _Nowhere:
    """An output that keeps nothing."""

    def write(self, data: Any) -> int:
        return len(data)


def _types(names: list[str], sizes: npt.NDArray[np.int64], first: int) -> Rows:
    """Rows of TYPE; row 0 is none, descriptors lie one behind the other from ``first`` on."""
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
        What the program does; a name of ``SHAPES``.
    seed : int
        Of all chance.
    version : str
        The Go release, ``"1.22"`` to ``"1.27"``: header, statuses, tiny objects and the heap's base go by it.
    procs : int, optional
        GOMAXPROCS, 1 to 256, instead of the shape's.
    layout : {"current", "original"}
        Batches of the alloc/free experiment as the releases write them, or as the change that introduced it did: no
        kind byte, no info batch.
    generation : float
        Seconds of a generation.
    generation_events : int, optional
        And its most events.
    anomalies : iterable of str
        Names of ``ANOMALIES``.
    type_names : sequence of str, optional
        What the types are called.

    Attributes
    ----------
    allocfree : bool
        The setting ``GODEBUG=traceallocfree``. It counts when a session starts, and not before the next one after a
        change.

    Raises
    ------
    ValueError
        An argument out of its range.
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
                raise ValueError(f"no shape is called {shape!r}: {', '.join(SHAPES)}")
            shape = SHAPES[shape]
        names = [f"1.{release}" for release in _HEADERS]
        if version not in names:
            raise ValueError(f"version={version!r}: {', '.join(names)}")
        if layout not in ("current", "original"):
            raise ValueError(f"layout={layout!r}: current or original")
        procs = shape.procs if procs is None else procs
        if not 1 <= procs <= _MOST_PROCS:
            raise ValueError(f"procs={procs}: 1 to {_MOST_PROCS}")
        if not 0 <= seed < 1 << 62:
            raise ValueError(f"seed={seed}: 0 to 2**62 - 1")
        if generation <= 0 or (generation_events is not None and generation_events < 1):
            raise ValueError("a generation has a length")
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
        given = _type_names(shape.types) if type_names is None else list(type_names)
        if len(set(given)) != shape.types or not all(given):
            raise ValueError(f"{shape.types} types need as many names, all different, none empty")
        self.types = _types(given, 8 * random.integers(1, 64, len(given)), _TYPES_AT)
        self._names = [name.encode("utf-8", "surrogateescape") for name in given]
        self.allocfree = self.release > 22
        self._unit_ns = UNIT_NS
        self._sessions = 0
        self._stack_rows = _stacks(random)
        self._tables = _Tables(self)
        knobs = np.zeros(len(Param), np.int64)
        knobs[Param.SEED], knobs[Param.PROCS] = seed, procs
        knobs[Param.GOROUTINES] = shape.goroutines + 2
        knobs[Param.LIVE_BYTES], knobs[Param.LEAST_HEAP], knobs[Param.GOGC] = (
            shape.live_bytes,
            shape.least_heap,
            shape.gogc,
        )
        knobs[Param.BUSY] = int(shape.busy * 65536)
        knobs[Param.SHORT_RUN], knobs[Param.LONG_RUN] = shape.short_run, shape.long_run
        knobs[Param.LONG_SHARE] = int(shape.long_share * 65536)
        knobs[Param.PACE], knobs[Param.MARK_EVENTS] = shape.pace, shape.mark_events
        knobs[Param.CLUSTERED] = int(shape.clustered * 65536)
        knobs[Param.OLD_SURVIVE] = int(shape.survive * 65536)
        knobs[Param.RELEASE], knobs[Param.QUIRKS] = self.release, quirks(anomalies, self.release)
        knobs[Param.N_STACKS], knobs[Param.HEAP_BASE], knobs[Param.FIRST_PAGE] = (
            _N_STACKS,
            self.heap_base,
            self._first_page,
        )
        knobs[Param.GENERATION_UNITS] = max(1, min(_FOREVER, int(generation * FREQUENCY)))
        knobs[Param.GENERATION_EVENTS] = generation_events or _FOREVER
        self._runtime = Runtime(
            knobs, np.array(CLASS_BYTES, np.int32), np.array(CLASS_PAGES, np.int32), shape.act_ends()
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
        """Close the file that a session writes to; the trace in it ends there."""
        self._files.close()

    # --- what a user does ----------------------------------------------------------------------------------------

    def run(self, events: int | None = None, *, seconds: float | None = None) -> None:
        """Run until so many events happened, or so much time passed, whichever comes first; traced or not.

        Parameters
        ----------
        events : int, optional
            Without a session, what a traced program would tell counts.
        seconds : float, optional
            On the trace's clock.

        Raises
        ------
        ValueError
            Neither is given, or one is negative.
        """
        if (events is None and seconds is None) or (events or 0) < 0 or (seconds or 0) < 0:
            raise ValueError("say how many events or seconds, not below 0")
        self._log.append(("run", (events, seconds)))
        self._run(events, seconds)

    def start(self, output: str | os.PathLike[str] | BinaryIO | None, *, joined: bool = False) -> None:
        """Start a session.

        Parameters
        ----------
        output : path, binary file object or None
            Where the trace goes as it comes about; None for nowhere.
        joined : bool
            The session goes on that somebody else started: the trace begins in its middle, with neither info batch
            nor snapshot.

        Raises
        ------
        ValueError
            A session goes on, or the release has no alloc/free experiment and the setting asks for it.
        """
        if self._writer is not None:
            raise ValueError("a session goes on")
        if self.allocfree and self.release < 23:
            raise ValueError("Go 1.22 has no alloc/free experiment: set allocfree to False")
        self._log.append(("start", (joined, self.allocfree)))
        self._start(output, joined, self.allocfree)

    def stop(self) -> Truth:
        """End the session.

        Returns
        -------
        Truth
            What happened in it.

        Raises
        ------
        ValueError
            No session goes on.
        """
        if self._writer is None:
            raise ValueError("no session goes on")
        log = tuple(self._log)
        self._log.append(("stop", ()))
        self._stop()
        return Truth(
            events=self._reading(Reading.TOLD_EVENTS),
            generations=self._reading(Reading.GEN) - self._first_gen + 1,
            cycles=self._reading(Reading.CYCLES),
            least=self._least,
            start=self._started * UNIT_NS,
            end=self._reading(Reading.NOW) * UNIT_NS,
            types=self.types,
            told=self._tables.told.copy(),
            _live=self.live(),
            _rows_until=lambda time: self._lived_until(log, time),
        )

    # --- how it goes -----------------------------------------------------------------------------------------------

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
                self._fulfil(status)
            elif self._reading(Reading.EVENTS) >= last or self._reading(Reading.NOW) >= until:
                return
            else:
                self._end_generation()
                self._runtime.open_generation()
                self._begin_generation()

    def _fulfil(self, status: int) -> None:
        """Do what the kernel wishes: take its output, or give it memory."""
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
            self._fulfil(status)

    def _clock(self, gen: int) -> None:
        """Say how time is counted, where it comes first: from Go 1.25 on, with what the clocks show."""
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
        """Events of all threads, then stacks, types, strings; then the types' table is empty."""
        assert self._writer is not None
        while (status := self._runtime.close_generation()) != Status.OK:
            self._fulfil(status)
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
            said = self.types[row]
            numbers = (number, int(said["address"]), int(said["size"]), int(said["ptr_bytes"]))
            yield allocfree_types([(*numbers, self._names[row - 1])], layout="original")

    def _stop(self) -> None:
        self._end_generation()
        self._runtime.stop()
        self._writer = None
        self._files.close()

    def _lived_until(self, log: tuple[tuple[str, Any], ...], time: int) -> Rows:
        """Rows of LIVE of what lived at a time: the same program runs again."""
        again = Program(**self._arguments)._replay(log, time)
        return np.concatenate((again.live(), again.freed_late()))

    def _replay(self, log: Sequence[tuple[str, Any]], time: int) -> Program:
        """Do again what was done, up to a time in ns, into nothing."""
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
        """Rows of LIVE of what lives now."""
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
        """Rows of LIVE of what a replay freed after the time that it was asked for, and that lived then."""
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
    """Stacks by id, frames as (pc, function, file, line); a frame's address says all else."""
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
    """Write the trace of a simulated Go program, and return the truth beside it.

    Parameters
    ----------
    output : path, binary file object or None
        Where the trace goes as it comes about; None for nowhere.
    shape : Shape or str
        What the program does; a name of ``SHAPES``.
    events : int, optional
        Timed events of the trace, at least; 100 000 if neither these nor seconds are given.
    seconds : float, optional
        Length on the trace's clock, at most.
    warmup : int
        Events before the session: what the snapshot finds comes of them.
    session : int
        Which of the process's sessions it is; those before are as long as the warm-up, and nobody keeps them.
    joined : bool
        Join a session that somebody else started: neither info batch nor snapshot.
    allocfree : bool
        The setting ``GODEBUG=traceallocfree``.
    **program
        As :class:`Program` takes them: seed, version, procs, layout, generation, generation_events, anomalies,
        type_names.

    Returns
    -------
    Truth

    Raises
    ------
    ValueError
        An argument out of its range.
    """
    if session < 1 or warmup < 0:
        raise ValueError("sessions count from 1, and a warm-up is not below 0")
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
