"""Drive the state machine: segments come in; ordered events, warnings and exceptions go out.

Grows the machine's tables on request. Never here: a rule of the order.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from gotrace.dtypes import SAMPLE, Rows
from gotrace.errors import InternalError, OrderingError, Status, TraceError, new_fault
from gotrace.experiments import Registry
from gotrace.hashing import MULTIPLIER
from gotrace.order import _gosort, _lookahead, _waits
from gotrace.order.machine import Machine
from gotrace.order.rows import FRONTIER, ORDERED, WAITER, Key, WaitLayout
from gotrace.order.specs import specs
from gotrace.order.state import SchedState, SlabInput, rows
from gotrace.spec.enums import EventKind, EventType, GoStatus, OrderAnomaly, ProcStatus
from gotrace.units import human_count
from gotrace.wire import clock
from gotrace.wire.helper import Background, Prefetch, large_enough
from gotrace.wire.rows import LEAST_DECODED, Layout
from gotrace.wire.segments import Segment
from gotrace.wire.slabs import decoded_rows
from gotrace.wire.structure import Tables, min_times, sample_times

_ANOMALIES = {
    OrderAnomaly.PROC_STATUS_REPEATED: "P {} reports its status twice",
    OrderAnomaly.GO_STATUS_REPEATED: "G {} reports its status twice",
    OrderAnomaly.PROC_TWICE: "P {} is on two threads",
    OrderAnomaly.GO_TWICE: "G {} is on two threads",
    OrderAnomaly.PROC_CORRECTED: "P {} is reported running but is idle; corrected",
    OrderAnomaly.UNKNOWN_STACK: "unknown stack id {}; ignored",
    OrderAnomaly.UNKNOWN_STRING: "unknown string id {}; ignored",
    OrderAnomaly.REGION_NOT_INNERMOST: "G {} ends a region that is not its innermost one; corrected",
    OrderAnomaly.REGION_NOT_OPEN: "G {} ends a region that is not open; ignored",
    OrderAnomaly.TASK_STARTS_TWICE: "task {} starts twice; the second start is ignored",
}
_ROOM = 8192  # rows per call: few enough for the cache, enough to amortize the call
_DECODED = 8192  # events decoded ahead, over all threads


class Order:
    """The order of a trace's events, segment by segment."""

    def __init__(
        self,
        registry: Registry,
        warn: Callable[[str], None],
        machine: type[Machine] = Machine,
        *,
        mends: bool = False,
        background: Background | None = None,
    ) -> None:
        self._registry = registry
        self._warn = warn
        self._reported: set[tuple[int, OrderAnomaly]] = set()
        self._forgotten = False
        self.breaks = 0
        """Number of generations so far whose rest was skipped."""
        self._spec = specs(registry.events, {e.id: e.needs for e in registry.values()}).view(np.recarray)
        self._blanks = rows(len(self._spec), ORDERED)
        self._blanks.kind, self._blanks.type = self._spec.kind, np.arange(len(self._spec))
        self.state = SchedState()
        self._background = background or Background()
        self._threaded = background is not None and not mends  # to correct a trace, the machine itself looks ahead
        self.machine = machine(MULTIPLIER, mends)
        """Interns names, while it is at the segment that they are from."""
        self.machine.bind(self.state)
        self._rows: Rows = np.zeros(_ROOM, ORDERED)
        self._ahead = decoded_rows(_DECODED).view(np.recarray)
        self._threads: Any = ()
        self._generation = 0
        self.string_base = self.stack_base = 1

    def run(self, segment: Segment, into: Callable[[], Rows | None] | None = None) -> Iterator[Rows]:
        """Yield the events of a segment as rows of ORDERED, valid until the next iteration.

        When salvaging, a break in the order costs the rest of its generation, and the scheduler's state starts empty.

        Parameters
        ----------
        segment : Segment
        into : callable, optional
            Returns the rows to fill next, see ``Machine.fill``. Default, and if it returns None: internal rows.

        Raises
        ------
        TraceError
            After the events before the fault were yielded.
        """
        if segment.torn:
            self._forget()
        slab = self._input(segment)
        self._generation = int(segment.slab.numbers[-1])
        self.machine.open(slab)
        self._threads = slab.cursors
        with self._background.run(slab.ahead) as prefetch:
            yield from self._ordered(segment, slab, prefetch, into)
        self.string_base += len(segment.tables.strings)
        self.stack_base += len(segment.tables.stacks)

    def _ordered(
        self, segment: Segment, slab: SlabInput, prefetch: Prefetch, into: Callable[[], Rows | None] | None
    ) -> Iterator[Rows]:
        fault = slab.faults.view(np.ndarray)
        delivered, gen = 0, 0
        while True:
            place = into() if into else None
            written = self._rows if place is None else place
            self.machine.fill(written)
            prefetch.wake()
            self._forgotten = False
            n = self.machine.order()
            if gen != self.machine.gen:
                gen, delivered = self.machine.gen, 0
            status = int(fault["status"][0])
            if n:
                rows = written[:n]
                if segment.losses is not None and gen < len(slab.numbers):
                    delivered += _read_events(rows, slab.numbers[gen])
                yield rows
            if self.machine.n_odd:
                self._warn_anomalies(segment)
            if status == Status.OK:
                break
            if status == Status.GROW_STATE:
                self.grow(int(fault["detail"][0]))
            elif status < 0:
                fault["batch"] = np.searchsorted(segment.slab.batches["offset"], fault["offset"], side="right") - 1
                if segment.losses is None:
                    raise self._error(segment, slab)
                segment.losses.add(segment.error(fault[0]), self._skip_generation(segment, delivered))
            elif status != Status.FULL:
                raise InternalError(f"the state machine stopped with {Status(status)!r}")

    def _skip_generation(self, segment: Segment, delivered: int) -> str:
        """Skip the rest of a generation whose order is broken, after ``delivered`` events; describe the loss."""
        gen = self.machine.gen
        total = segment.n_events(gen)
        rest = human_count(self._rest(segment, gen), "byte")
        lost = f"{total - delivered:,} of {human_count(total, 'event')} ({rest}) are lost"
        self._forget()
        self.machine.go_to(gen + 1)
        self.breaks += 1
        return lost

    def _rest(self, segment: Segment, gen: int) -> int:
        """Return the number of bytes of a generation's events that were not ordered, current ones included."""
        by_thread = segment.by_thread()
        rest = 0
        for cursor in range(*by_thread.first[gen : gen + 2].tolist()):
            if self._threads[cursor].n:
                last = int(by_thread.cursors["last_batch"][cursor])
                first = int(by_thread.cursors["batch"][cursor]) + 1
                batches = segment.slab.batches[by_thread.order[first:last]]
                starts = batches["offset"] + batches["head"]
                at = segment.slab.base + int(self._ahead[self.machine.place(cursor)].start)
                rest += int(np.maximum(starts + batches["size"] - np.maximum(starts, at), 0).sum())
        return rest

    def _forget(self) -> None:
        """Reset the scheduler's state, unless no event was ordered since the last time."""
        if not self._forgotten:
            self._forgotten = True
            self.state.forget()
            self.state.empty_id_table()
            self._enter_keys([self.state.used_names()])

    def grow(self, need: int = 1) -> None:
        """Make room for ``need`` threads, and for one more row of any other table of the state."""
        if self.state.make_room(need):
            self.state.empty_id_table(need)
            self._enter_keys(self.state.used_keys())
        self.machine.bind(self.state)

    def _enter_keys(self, keys: list[tuple[Key, Any, Any]]) -> None:
        """Enter keys into an empty hash table."""
        self.machine.bind(self.state)
        for kind, ids, used in keys:
            self.machine.enter_all(kind, np.ascontiguousarray(ids), np.ascontiguousarray(used, np.int32))

    def _warn_anomalies(self, segment: Segment) -> None:
        """Warn of the first anomaly of each kind that the machine tolerated in a generation."""
        for row in self.state.odd[: self.machine.n_odd]:
            batch = int(np.searchsorted(segment.slab.batches["offset"], int(row.offset), side="right")) - 1
            number = int(segment.slab.numbers[segment.slab.batches["gen"][batch]])
            what = OrderAnomaly(int(row.what))
            if (number, what) not in self._reported:
                self._reported.add((number, what))
                lost = what >= OrderAnomaly.UNKNOWN_STACK
                report = segment.losses.note if lost and segment.losses is not None else self._warn
                report(f"generation {number} (byte {int(row.offset)}): {_ANOMALIES[what].format(int(row.id))}")
        self.machine.n_odd = 0

    def finish(self) -> Rows:
        """Return the Sync that ends the trace, or precedes a fault in the next generation."""
        sched = self.state.sched[0]
        sched.last += 1
        sched.syncs += 1
        row = np.zeros(1, ORDERED)
        row["time"], row["args"][0, 0] = sched.last, sched.syncs
        row["kind"], row["type"] = EventKind.SYNC, EventType.SYNC
        row["offset"] = row["g"] = row["m"] = row["p"] = -1
        row["generation"] = self._generation & 0xFFFFFFFF
        return row

    def _input(self, segment: Segment) -> SlabInput:
        slab, tables = segment.slab, segment.tables
        by_thread = segment.by_thread()
        n_cursors, n_samples = len(by_thread.cursors), len(tables.samples)
        factors = clock.factor(tables.clocks["frequency"])
        faults = new_fault().view(np.recarray)
        front = np.zeros(n_cursors + n_samples + 1, FRONTIER)
        samples = _samples(segment, self.stack_base)
        front["time"][n_cursors:-1] = samples["time"]
        front["cursor"][n_cursors:-1] = np.arange(n_samples)
        threads = _some(by_thread.cursors)
        most = int(np.diff(by_thread.first).max())
        n_slots = WaitLayout.SLOTS if most >= WaitLayout.MANY else 0
        two = self._threaded and large_enough(slab)
        room = max(_DECODED, most * LEAST_DECODED) * (Layout.RING if two else 1)
        if len(self._ahead) < room:
            self._ahead = decoded_rows(room).view(np.recarray)
        source = segment.event_batches()
        strings, stacks = tables.string_index, tables.stack_index
        ahead = None
        if two:
            ahead = _lookahead.NamePrefetcher(
                most, source, self._spec, strings.kernel, self.string_base, stacks.kernel, self.stack_base
            )
        return SlabInput(
            pool=_lookahead.Lookahead(source, self._spec, threads, self._ahead, faults, ahead),
            waits=_waits.Waits(np.zeros(n_cursors + 1, WAITER), np.zeros(n_slots, np.int64), MULTIPLIER),
            ahead=ahead,
            cursors=threads.view(np.recarray),
            events=self._ahead,
            base=slab.base,
            faults=faults,
            data=slab.data,
            spec=self._spec,
            blanks=self._blanks,
            numbers=slab.numbers.astype(np.int64),
            factors=factors,
            starts=clock.to_ns(min_times(slab), factors),
            first_cursor=by_thread.first,
            samples=_some(samples).view(np.recarray),
            first_sample=np.searchsorted(tables.samples["gen"], np.arange(slab.n_gens + 1)).astype(np.int32),
            rows_of=np.zeros(max(n_cursors, 1), np.int32),
            front=front.view(np.recarray),
            string_at=tables.string_index.at,
            string_bits=tables.string_index.bits.astype(np.int64),
            string_keys=_some(tables.string_index.keys).view(np.int64),
            string_vals=_some(tables.string_index.vals),
            string_rows=_some(tables.strings).view(np.recarray),
            string_base=self.string_base,
            name_of_row=np.zeros(len(tables.strings) + 1, np.int32),
            stack_at=tables.stack_index.at,
            stack_bits=tables.stack_index.bits.astype(np.int64),
            stack_keys=_some(tables.stack_index.keys).view(np.int64),
            stack_vals=_some(tables.stack_index.vals),
            stack_base=self.stack_base,
        )

    def _error(self, segment: Segment, slab: SlabInput) -> TraceError:
        """Return the exception of the machine's fault; an OrderingError gets the frontier and the state."""
        error = segment.error(slab.faults.view(np.ndarray)[0])
        if isinstance(error, OrderingError):
            self._describe(error, slab)
        return error

    def _describe(self, error: OrderingError, slab: SlabInput) -> None:
        """Fill in the frontier, and the state of the threads, procs and goroutines that it names."""
        ids: dict[str, set[int]] = {"g": set(), "p": set(), "m": set()}
        specs = {event.id: event for event in self._registry.events}
        front = np.sort(slab.front[: self.machine.n_front], order="time", kind="stable")
        for cursor in front["cursor"].tolist():
            place = self.machine.place(cursor)
            event = slab.events[place]
            spec = specs[int(event.type)]
            m = int(slab.cursors[cursor].m)
            ids["m"].add(m)
            args = []
            for name, value in zip(spec.arg_names, slab.pool.args(place), strict=False):
                args.append(f"{name}={value}")
                if name in ("g", "new_g", "p", "m"):
                    ids[name[-1]].add(value)
            error.frontier.append(" ".join([f"M {m}: {spec.name} at {int(event.time)} ns", *args]))
        state = self.state
        for m in state.ms[1 : int(state.sched[0].n_ms)]:
            if int(m.id) in ids["m"]:
                ids["g"].add(int(m.g))
                ids["p"].add(int(m.p))
                error.state.append(f"M {int(m.id)}: G {int(m.g)}, P {int(m.p)}" if m.known else f"M {int(m.id)}: new")
        for p in state.ps[1 : int(state.sched[0].n_ps)]:
            if int(p.id) in ids["p"]:
                error.state.append(f"P {int(p.id)}: {_status(ProcStatus, p)}")
        for g in state.gs[1:]:
            if int(g.id) in ids["g"] and g.status != GoStatus.FREE:
                error.state.append(f"G {int(g.id)}: {_status(GoStatus, g)}")


def time_order(times: npt.NDArray[np.int64], firsts: npt.NDArray[np.int64]) -> npt.NDArray[np.int32]:
    """Sort row numbers by time as Go's unstable sort does, within each range ``firsts[i]:firsts[i + 1]``."""
    front = np.zeros(len(times) + 1, FRONTIER)
    front["time"][:-1], front["cursor"][:-1] = times, np.arange(len(times))
    _gosort.sort_parts(front, firsts.astype(np.int32))
    return front["cursor"][:-1]


def _read_events(rows: Rows, generation: np.int64) -> int:
    """Count the rows of ORDERED that are an event of the file in a generation."""
    made = np.isin(rows["type"], (EventType.CPU_SAMPLE, EventType.SYNC)) | (rows["part"] > 0)
    return int(np.count_nonzero(~made & (rows["generation"] == int(generation) & 0xFFFFFFFF)))


def _status(statuses: type[GoStatus] | type[ProcStatus], row: Any) -> str:
    status = statuses(int(row.status)).name.lower().replace("_", " ")
    return f"{status}, sequence number {int(row.seq)} of generation {int(row.generation)}"


def _some(table: Any) -> Any:
    """Return the table, or one row of zeros for an empty one: kernels take the address of row 0."""
    return table if len(table) else np.zeros(1, table.dtype)


def _samples(segment: Segment, stack_base: int) -> Rows:
    tables: Tables = segment.tables
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
