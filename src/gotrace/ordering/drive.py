"""From a part of a trace to its events in order: feeds the state machine, fulfils its wishes, words its refusals.

Never here: a rule of the order.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from gotrace import _pool, clock
from gotrace.dtypes import FRONT, LEAST_AHEAD, ORDERED, SAMPLE, Layout
from gotrace.errors import InternalError, OrderingError, Status, TraceError, new_fault
from gotrace.experiments import Registry
from gotrace.ordering.machine import Machine
from gotrace.ordering.state import SchedState, rows
from gotrace.second import Second, is_worth, may_help
from gotrace.slabs import Rows, decoded_rows
from gotrace.spec import tables as spec_tables
from gotrace.spec.enums import EventKind, EventType, GoStatus, Oddity, ProcStatus
from gotrace.tables import MULTIPLIER, Index, Tables, min_times, sample_times

if TYPE_CHECKING:
    from gotrace.parts import Part

_ODD = {
    Oddity.PROC_TOLD_AGAIN: "the status of P {} is told again",
    Oddity.GO_TOLD_AGAIN: "the status of G {} is told again",
    Oddity.PROC_TWICE: "P {} is on two threads",
    Oddity.GO_TWICE: "G {} is on two threads",
    Oddity.PROC_MENDED: "P {} is told to run, but is idle: mended",
    Oddity.UNKNOWN_STACK: "unknown stack id {}: left out",
    Oddity.UNKNOWN_STRING: "unknown string id {}: left out",
}
_ROOM = 8192  # rows handed on at a time: few enough for the cache, enough to be worth a call
_DECODED = 8192  # events decoded ahead, over all threads


@dataclass(eq=False, repr=False)
class SlabInput:
    """What the machine reads of a slab; arrays are in the order of its generations."""

    pool: Any
    ahead: _pool.NamesAhead | None
    runs: Any
    events: Any  # decoded ones, see ``Machine.place``
    base: int
    faults: Any
    data: npt.NDArray[np.uint8]
    spec: Any
    blanks: Any  # ORDERED: a row of each type that says nothing yet
    numbers: npt.NDArray[np.int64]
    factors: npt.NDArray[np.float64]
    starts: npt.NDArray[np.int64]  # ns
    first_run: npt.NDArray[np.int32]
    samples: Any
    first_sample: npt.NDArray[np.int32]
    rows_of: npt.NDArray[np.int32]  # row of M_STATE by run
    front: Any  # FRONT: the frontier; behind as many rows as there are runs, the samples
    string_at: npt.NDArray[np.int64]
    string_bits: npt.NDArray[np.int64]
    string_keys: npt.NDArray[np.int64]
    string_vals: npt.NDArray[np.int32]
    string_rows: Any
    string_base: int  # row of the trace's strings that the slab's first one has
    named: npt.NDArray[np.int32]  # number of the name by row of strings; 0 not known yet
    stack_at: npt.NDArray[np.int64]
    stack_bits: npt.NDArray[np.int64]
    stack_keys: npt.NDArray[np.int64]
    stack_vals: npt.NDArray[np.int32]
    stack_base: int


class Order:
    """The order of a trace's events, part by part."""

    def __init__(
        self,
        registry: Registry,
        warn: Callable[[str], None],
        machine: type[Machine] = Machine,
        *,
        mends: bool = False,
        jobs: int = 1,
    ) -> None:
        self._registry = registry
        self._warn = warn
        self._told: set[tuple[int, Oddity]] = set()
        self._delivered = 0
        self._n_args = spec_tables.timed_args(registry.events)
        self._spec = spec_tables.specs(registry.events, {e.id: e.needs for e in registry.values()}).view(np.recarray)
        self._blanks = rows(len(self._spec), ORDERED)
        self._blanks.kind, self._blanks.type = self._spec.kind, np.arange(len(self._spec))
        self.state = SchedState()
        self._two = may_help(jobs) and not mends  # what mends wants to look ahead itself
        self._machine = machine(MULTIPLIER, mends)
        self._machine.bind(self.state)
        self._rows: Rows = np.zeros(_ROOM, ORDERED)
        self._ahead = decoded_rows(_DECODED).view(np.recarray)
        self._threads: Any = ()
        self._generation = 0
        self.string_base = self.stack_base = 1

    def run(self, part: Part, into: Callable[[], Rows | None] | None = None) -> Iterator[Rows]:
        """Yield the events of a part as rows of ORDERED, valid until the next ones are asked for.

        ``into`` says where the next ones shall stand, see ``Machine.fill``; None, and they stand in rows of our own.

        Raises
        ------
        TraceError
            After the events before the fault.
        """
        if part.torn:
            self._forget()
        slab = self._input(part)
        self._generation = int(part.slab.numbers[-1])
        self._machine.open(slab)
        self._threads = slab.runs
        self._delivered = 0
        with Second(slab.ahead, part) as second:
            yield from self._ordered(part, slab, second, into)
        self.string_base += len(part.tables.strings)
        self.stack_base += len(part.tables.stacks)

    def _ordered(
        self, part: Part, slab: SlabInput, second: Second, into: Callable[[], Rows | None] | None
    ) -> Iterator[Rows]:
        fault = slab.faults.view(np.ndarray)
        while True:
            place = into() if into else None
            written = self._rows if place is None else place
            self._machine.fill(written)
            second.wake()
            n = self._machine.order()
            status = int(fault["status"][0])
            if n:
                rows = written[:n]
                if part.losses is not None:
                    made = np.isin(rows["type"], (EventType.CPU_SAMPLE, EventType.SYNC)) | (rows["part"] > 0)
                    self._delivered += n - int(np.count_nonzero(made))
                yield rows
            if self._machine.n_odd:
                self._tell_odd(part)
            if status == Status.OK:
                break
            if status == Status.GROW_STATE:
                self.state.grow(self._machine, int(fault["detail"][0]))
            elif status < 0:
                raise self._refusal(part, slab)
            elif status != Status.FULL:
                raise InternalError(f"the state machine stopped with {Status(status)!r}")

    def lose(self, part: Part) -> str:
        """Pass over the rest of a part whose order is broken, and forget the scheduler; say how much is lost."""
        self.string_base += len(part.tables.strings)
        self.stack_base += len(part.tables.stacks)
        nbytes = self._rest(part)
        self._forget()
        total = part.n_events(self._registry)
        return f"{total - self._delivered:,} of {total:,} events ({nbytes:,} bytes) are lost"

    def _rest(self, part: Part) -> int:
        """How many bytes of events the machine did not come to, each thread's current event included."""
        batches = part.slab.batches[part.runs().order]
        starts = batches["offset"] + batches["head"]
        ends = starts + batches["size"]
        rest = np.zeros(len(batches), np.int64)
        first = 0
        for run, last in enumerate(part.runs().runs["last_batch"].tolist()):
            if self._threads[run].n:
                at = part.slab.base + int(self._ahead[self._machine.place(run)].start)
                rest[first:last] = np.maximum(ends[first:last] - np.maximum(starts[first:last], at), 0)
            first = last
        return int(rest.sum())

    def _forget(self) -> None:
        self.state.forget(self._machine)

    def _tell_odd(self, part: Part) -> None:
        """Put what the machine tolerated into words: the first of each kind in a generation."""
        for row in self.state.odd[: self._machine.n_odd]:
            batch = int(np.searchsorted(part.slab.batches["offset"], int(row.offset), side="right")) - 1
            number = int(part.slab.numbers[part.slab.batches["gen"][batch]])
            what = Oddity(int(row.what))
            if (number, what) not in self._told:
                self._told.add((number, what))
                lost = what in (Oddity.UNKNOWN_STACK, Oddity.UNKNOWN_STRING)
                tell = part.losses.note if lost and part.losses is not None else self._warn
                tell(f"generation {number} (byte {int(row.offset)}): {_ODD[what].format(int(row.id))}")
        self._machine.n_odd = 0

    def finish(self) -> Rows:
        """Return the Sync that ends the trace, or stands before a fault in what comes next."""
        sched = self.state.sched[0]
        sched.last += 1
        sched.syncs += 1
        row = np.zeros(1, ORDERED)
        row["time"], row["args"][0, 0] = sched.last, sched.syncs
        row["kind"], row["type"] = EventKind.SYNC, EventType.SYNC
        row["offset"] = row["g"] = row["m"] = row["p"] = -1
        row["generation"] = self._generation & 0xFFFFFFFF
        return row

    def _input(self, part: Part) -> SlabInput:
        slab, tables = part.slab, part.tables
        runs = part.runs()
        n_runs, n_samples = len(runs.runs), len(tables.samples)
        factors = clock.factor(tables.clocks["frequency"])
        faults = new_fault().view(np.recarray)
        front = np.zeros(n_runs + n_samples + 1, FRONT)
        samples = _samples(part, self.stack_base)
        front["time"][n_runs:-1] = samples["time"]
        front["run"][n_runs:-1] = np.arange(n_samples)
        threads = _some(runs.runs)
        most = int(np.diff(runs.first).max())
        two = self._two and is_worth(slab)
        room = max(_DECODED, most * LEAST_AHEAD) * (Layout.PARTS if two else 1)
        if len(self._ahead) < room:
            self._ahead = decoded_rows(room).view(np.recarray)
        read = (slab.data, slab.base, slab.batches, _some(runs.order), self._n_args, self._spec, threads, self._ahead)
        ids = (*_ids(tables.string_index), self.string_base, *_ids(tables.stack_index), self.stack_base)
        ahead = None
        if two:
            ahead = _pool.NamesAhead(most, read, self._spec, MULTIPLIER, *ids)
        return SlabInput(
            pool=_pool.Pool(*read, faults, ahead),
            ahead=ahead,
            runs=threads.view(np.recarray),
            events=self._ahead,
            base=slab.base,
            faults=faults,
            data=slab.data,
            spec=self._spec,
            blanks=self._blanks,
            numbers=slab.numbers.astype(np.int64),
            factors=factors,
            starts=clock.to_ns(min_times(slab), factors),
            first_run=runs.first,
            samples=_some(samples).view(np.recarray),
            first_sample=np.searchsorted(tables.samples["gen"], np.arange(slab.n_gens + 1)).astype(np.int32),
            rows_of=np.zeros(max(n_runs, 1), np.int32),
            front=front.view(np.recarray),
            string_at=tables.string_index.at,
            string_bits=tables.string_index.bits.astype(np.int64),
            string_keys=_some(tables.string_index.keys).view(np.int64),
            string_vals=_some(tables.string_index.vals),
            string_rows=_some(tables.strings).view(np.recarray),
            string_base=self.string_base,
            named=np.zeros(len(tables.strings) + 1, np.int32),
            stack_at=tables.stack_index.at,
            stack_bits=tables.stack_index.bits.astype(np.int64),
            stack_keys=_some(tables.stack_index.keys).view(np.int64),
            stack_vals=_some(tables.stack_index.vals),
            stack_base=self.stack_base,
        )

    def _refusal(self, part: Part, slab: SlabInput) -> TraceError:
        """Make the exception of the machine's fault; an OrderingError gets what the machine knew."""
        fault = slab.faults.view(np.ndarray)[0]
        batches = part.slab.batches["offset"]
        fault["batch"] = np.searchsorted(batches, fault["offset"], side="right") - 1
        error = part.error(fault)
        if isinstance(error, OrderingError):
            self._tell(error, slab)
        return error

    def _tell(self, error: OrderingError, slab: SlabInput) -> None:
        ids: dict[str, set[int]] = {"g": set(), "p": set(), "m": set()}
        specs = {event.id: event for event in self._registry.events}
        front = np.sort(slab.front[: self._machine.n_front], order="time", kind="stable")
        for run in front["run"].tolist():
            place = self._machine.place(run)
            event = slab.events[place]
            spec = specs[int(event.type)]
            m = int(slab.runs[run].m)
            ids["m"].add(m)
            said = []
            for name, value in zip(spec.arg_names, slab.pool.args(place), strict=False):
                said.append(f"{name}={value}")
                if name in ("g", "new_g", "p", "m"):
                    ids[name[-1]].add(value)
            error.frontier.append(" ".join([f"M {m}: {spec.name} at {int(event.time)} ns", *said]))
        state = self.state
        for m in state.ms[1 : int(state.sched[0].n_ms)]:
            if int(m.id) in ids["m"]:
                ids["g"].add(int(m.g))
                ids["p"].add(int(m.p))
                error.state.append(f"M {int(m.id)}: G {int(m.g)}, P {int(m.p)}" if m.known else f"M {int(m.id)}: new")
        for p in state.ps[1 : int(state.sched[0].n_ps)]:
            if int(p.id) in ids["p"]:
                error.state.append(f"P {int(p.id)}: {_told(ProcStatus, p)}")
        for g in state.gs[1:]:
            if int(g.id) in ids["g"] and g.status != GoStatus.FREE:
                error.state.append(f"G {int(g.id)}: {_told(GoStatus, g)}")


def time_order(times: npt.NDArray[np.int64], firsts: npt.NDArray[np.int64]) -> npt.NDArray[np.int32]:
    """Row numbers by time as Go's unstable sort leaves them; each part, from ``firsts[i]`` on, for itself."""
    front = np.zeros(len(times) + 1, FRONT)
    front["time"][:-1], front["run"][:-1] = times, np.arange(len(times))
    Machine(MULTIPLIER, False).sort_parts(front.view(np.recarray), firsts.astype(np.int32))
    return front["run"][:-1]


def _told(statuses: type[GoStatus] | type[ProcStatus], row: Any) -> str:
    status = statuses(int(row.status)).name.lower().replace("_", " ")
    return f"{status}, number {int(row.seq)} of generation {int(row.generation)}"


def _some(table: Any) -> Any:
    """Return the table, or one row of zeros for an empty one: kernels want something to point at."""
    return table if len(table) else np.zeros(1, table.dtype)


def _ids(index: Index) -> tuple[Any, ...]:
    return index.at, index.bits, _some(index.keys), _some(index.vals)


def _samples(part: Part, stack_base: int) -> Rows:
    tables: Tables = part.tables
    args = tables.samples["args"].astype(np.int64)
    table = np.zeros(len(args), SAMPLE)
    table["time"] = sample_times(tables)
    table["offset"] = tables.samples["offset"]
    table["m"] = args[:, 1]
    table["p"] = np.clip(args[:, 2], -(2**31), 2**31 - 1)
    table["g"] = np.where(args[:, 3] == 0, -1, args[:, 3])
    at = tables.stack_index.find(tables.samples["args"][:, 4], tables.samples["gen"])
    table["stack"] = np.where(at < 0, 0, at + stack_base)
    return table
