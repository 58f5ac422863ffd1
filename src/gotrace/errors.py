"""What can go wrong with a trace: the classes, the kernels' status codes and all wording.

Kernels fill one FAULT row and return; :func:`from_fault` is the one place where it becomes an exception.
Never here: imports of kernels.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Any

import numpy as np
import numpy.typing as npt

from gotrace.dtypes import aligned
from gotrace.spec.enums import GoStatus, ProcStatus


class TraceError(ValueError):
    """A trace, or a part of one, cannot be read.

    Attributes
    ----------
    path : str
        Name of the input, ``"<buffer>"`` or ``"<stream>"`` if it has none.
    offset : int
        Absolute byte in the (uncompressed) input where the fault stands; -1 if no byte is at fault.
    generation, m : int or None
        Generation number and thread concerned, if known.
    event : str or None
        Name of the event concerned, if there is one.
    detail : str
        What is wrong, without the place.
    partial : object or None
        What a report had when the fault came, such as a :class:`Heap`.
    """

    def __init__(
        self,
        detail: str,
        *,
        path: str = "",
        offset: int = -1,
        generation: int | None = None,
        m: int | None = None,
        event: str | None = None,
        around: bytes = b"",
        around_offset: int = 0,
    ) -> None:
        super().__init__(detail)
        self.path = path
        self.offset = offset
        self.generation = generation
        self.m = m
        self.event = event
        self.detail = detail
        self.partial: Any = None
        self._around = around
        self._around_offset = around_offset

    def __str__(self) -> str:
        places = []
        if self.offset >= 0:
            places.append(f"byte {self.offset}")
        if self.generation is not None:
            places.append(f"generation {self.generation}")
        if self.m is not None:
            places.append(f"M {self.m}")
        if self.event is not None:
            places.append(self.event)
        head = f"{self.path}: " if self.path else ""
        return f"{head}{self.detail}" + (f" ({', '.join(places)})" if places else "")

    def excerpt(self) -> str:
        """Hex dump of the bytes around ``offset``; the byte at fault in brackets. Empty if none are known."""
        lines = []
        for row in range(0, len(self._around), 16):
            at = self._around_offset + row
            cells = [
                f"[{byte:02x}]" if at + i == self.offset else f" {byte:02x} "
                for i, byte in enumerate(self._around[row : row + 16])
            ]
            lines.append(f"{at:>12}  {''.join(cells).rstrip()}")
        return "\n".join(lines)


class HeaderError(TraceError):
    """The input does not begin with the header of a Go execution trace."""


class UnsupportedVersionError(HeaderError):
    """A Go execution trace of a format version that gotrace does not read."""


class TruncatedError(TraceError):
    """The input ends inside something."""


class MalformedError(TraceError):
    """Bytes that no Go runtime writes."""


class TableError(TraceError):
    """A fault in strings, stacks, CPU samples or clocks of a generation."""


class GenerationError(TraceError):
    """Batches do not form whole generations."""


class OrderingError(TraceError):
    """The events cannot have happened in any order.

    Attributes
    ----------
    frontier : list of str
        What each waiting thread would do next, earliest first.
    state : list of str
        What was known of the goroutines, procs and threads concerned.
    """

    frontier: list[str]
    state: list[str]

    def __init__(self, detail: str, **where: Any) -> None:
        super().__init__(detail, **where)
        self.frontier = []
        self.state = []


class ExperimentError(TraceError):
    """An experiment's own bytes make no sense."""


class InternalError(AssertionError):
    """An invariant of gotrace itself broke: a bug of ours."""

    def __str__(self) -> str:
        return f"{super().__str__()}\nThis is a bug in gotrace. Please report it with the trace, if you may share it."


class Status(IntEnum):
    """Why a kernel stopped: 0 done, below zero a fault of the input, above zero a wish."""

    OK = 0
    FULL = 1  # the output has no room for another row
    MORE = 2  # the window ends here, the input does not
    GROW_SPANS = 3  # a table of the heap has no room
    GROW_PAGES = 4
    GROW_STACKS = 5
    GROW_LOOSE = 6
    GROW_CELLS = 7
    GROW_KEYS = 8
    GROW_STATE = 9  # a table of the ordering has no room
    WAIT = 10  # the event must wait for another thread
    CUT_VARINT = -1
    VARINT_OVERFLOW = -2
    CUT_BATCH = -3
    CUT_HEADER = -4
    NOT_A_BATCH = -5
    BATCH_TOO_BIG = -6
    GENERATION_ZERO = -7
    END_MARK_IN_BATCH = -8
    UNKNOWN_EVENT = -9
    UNTIMED_EVENT = -10
    WRONG_RECORD = -11
    STRING_TOO_LONG = -12
    STRING_CUT = -13
    DUPLICATE_STRING = -14
    STACK_TOO_DEEP = -15
    DUPLICATE_STACK = -16
    SECOND_FREQUENCY = -17
    ZERO_FREQUENCY = -18
    SECOND_CLOCK = -19
    UNKNOWN_STRING = -20
    UNKNOWN_STACK = -21
    WIDE_PROC = -22
    SPAN_TOO_BIG = -23
    BAD_KINDCLASS = -24
    STACK_ORDER_TOO_BIG = -25
    TYPE_CUT = -26
    TYPE_ID_ZERO = -27
    CUT_MARK = -28
    GENERATION_ORDER = -29
    GENERATION_MIXED = -30
    NO_END_MARK = -31
    NO_FREQUENCY = -32
    NO_CLOCK = -33
    NO_BATCHES = -34
    BAD_INFO = -35
    TYPE_NUMBER = -38
    NEEDS_THREAD = -40
    NEEDS_PROC = -41
    NEEDS_GOROUTINE = -42
    HAS_THREAD = -43
    HAS_PROC = -44
    HAS_GOROUTINE = -45
    GO_STATUS_NUMBER = -46
    PROC_STATUS_NUMBER = -47
    GO_STATUS_DIFFERS = -48
    PROC_STATUS_DIFFERS = -49
    PROC_WITHOUT_THREAD = -50
    UNKNOWN_PROC = -51
    UNKNOWN_GOROUTINE = -52
    LATE_GOROUTINE = -53
    WRONG_PROC_STATUS = -54
    WRONG_GO_STATUS = -55
    GOROUTINE_EXISTS = -56
    UNKNOWN_THREAD = -57
    OTHER_PROC = -58
    SYSCALL_WITHOUT_THREAD = -59
    OTHER_GOROUTINE = -60
    PROC_SEQ = -61
    RANGE_OPEN = -62
    RANGE_NOT_OPEN = -63
    MARK_RUNS = -64
    MARK_RUNS_NOT = -65
    MARK_KNOWN = -66
    TASK_ACTIVE = -67
    UNKNOWN_NAME = -68
    OTHER_REGION = -69
    NO_RULE = -70
    STUCK = -71
    UNKNOWN_STRING_ARG = -72
    UNKNOWN_STACK_ARG = -73


_WORDS: dict[Status, tuple[type[TraceError], str]] = {
    Status.CUT_VARINT: (TruncatedError, "a number is cut off by the end of its batch"),
    Status.VARINT_OVERFLOW: (MalformedError, "a number has more than 64 bits"),
    Status.CUT_BATCH: (TruncatedError, "the input ends {detail} bytes into a batch of {limit}"),
    Status.CUT_HEADER: (TruncatedError, "the input ends inside the header of a batch"),
    Status.NOT_A_BATCH: (MalformedError, "expected a batch, found byte {detail}"),
    Status.BATCH_TOO_BIG: (MalformedError, "batch of {detail} bytes, at most {limit} are allowed"),
    Status.GENERATION_ZERO: (GenerationError, "generation number 0"),
    Status.END_MARK_IN_BATCH: (GenerationError, "an end-of-generation mark inside a batch"),
    Status.UNKNOWN_EVENT: (MalformedError, "unknown event type {detail}"),
    Status.UNTIMED_EVENT: (MalformedError, "event type {detail} has no time and cannot stand here"),
    Status.WRONG_RECORD: (TableError, "record type {detail} in a batch of another kind"),
    Status.STRING_TOO_LONG: (TableError, "string of {detail} bytes, at most {limit} are allowed"),
    Status.STRING_CUT: (TableError, "string of {detail} bytes, but only {limit} are left in its batch"),
    Status.DUPLICATE_STRING: (TableError, "string id {detail} stands twice in its generation"),
    Status.STACK_TOO_DEEP: (TableError, "stack of {detail} frames, at most {limit} are allowed"),
    Status.DUPLICATE_STACK: (TableError, "stack id {detail} stands twice in its generation"),
    Status.SECOND_FREQUENCY: (TableError, "a second frequency in one generation"),
    Status.ZERO_FREQUENCY: (TableError, "a clock frequency of 0"),
    Status.SECOND_CLOCK: (TableError, "a second clock snapshot in one generation"),
    Status.UNKNOWN_STRING: (TableError, "unknown string id {detail} in a stack frame"),
    Status.UNKNOWN_STACK: (TableError, "unknown stack id {detail} in a CPU sample"),
    Status.WIDE_PROC: (MalformedError, "proc id {detail} does not fit into 32 bits"),
    Status.SPAN_TOO_BIG: (ExperimentError, "span of {detail} pages, no address space holds it"),
    Status.BAD_KINDCLASS: (ExperimentError, "span of kind and class {detail}, no such class"),
    Status.STACK_ORDER_TOO_BIG: (ExperimentError, "stack of order {detail}, no address space holds it"),
    Status.TYPE_CUT: (ExperimentError, "a type record is cut off by the end of its batch"),
    Status.TYPE_ID_ZERO: (ExperimentError, "a type with id 0"),
    Status.CUT_MARK: (TruncatedError, "the input ends after the first byte of an experimental batch"),
    Status.GENERATION_ORDER: (GenerationError, "generation {detail} follows generation {limit}"),
    Status.GENERATION_MIXED: (
        GenerationError,
        "batch of generation {detail} inside generation {limit}: an end mark is missing or generations are mixed",
    ),
    Status.NO_END_MARK: (TruncatedError, "the input ends inside generation {detail}, before its end mark"),
    Status.NO_FREQUENCY: (TableError, "the generation has no clock frequency"),
    Status.NO_CLOCK: (TableError, "the generation has no clock snapshot"),
    Status.NO_BATCHES: (TruncatedError, "the trace ends after its header"),
    Status.BAD_INFO: (ExperimentError, "alloc/free info batch with impossible value {detail}"),
    Status.TYPE_NUMBER: (ExperimentError, "a type's size {detail} is impossible"),
    Status.NEEDS_THREAD: (OrderingError, "expected a thread but didn't have one"),
    Status.NEEDS_PROC: (OrderingError, "expected a proc but didn't have one"),
    Status.NEEDS_GOROUTINE: (OrderingError, "expected a goroutine but didn't have one"),
    Status.HAS_THREAD: (OrderingError, "expected no thread but had M {detail}"),
    Status.HAS_PROC: (OrderingError, "expected no proc but had P {detail}"),
    Status.HAS_GOROUTINE: (OrderingError, "expected no goroutine but had G {detail}"),
    Status.GO_STATUS_NUMBER: (OrderingError, "G {detail} has status {limit}, there is none such"),
    Status.PROC_STATUS_NUMBER: (OrderingError, "P {detail} has status {limit}, there is none such"),
    Status.GO_STATUS_DIFFERS: (OrderingError, "a status of G {detail} that contradicts its events: it says {go}"),
    Status.PROC_STATUS_DIFFERS: (OrderingError, "a status of P {detail} that contradicts its events: it says {proc}"),
    Status.PROC_WITHOUT_THREAD: (OrderingError, "P {detail} is in a syscall, but no thread has it"),
    Status.UNKNOWN_PROC: (OrderingError, "P {detail} is unknown here"),
    Status.UNKNOWN_GOROUTINE: (OrderingError, "G {detail} is unknown here"),
    Status.LATE_GOROUTINE: (OrderingError, "G {detail} appears with a status, but nothing created it"),
    Status.WRONG_PROC_STATUS: (OrderingError, "P {detail} is {proc} here"),
    Status.WRONG_GO_STATUS: (OrderingError, "G {detail} is {go} here"),
    Status.GOROUTINE_EXISTS: (OrderingError, "G {detail} is created, but it exists"),
    Status.UNKNOWN_THREAD: (OrderingError, "a P is stolen from M {detail}, which is unknown here"),
    Status.OTHER_PROC: (OrderingError, "P {detail} is stolen from a thread that has P {signed}"),
    Status.SYSCALL_WITHOUT_THREAD: (OrderingError, "G {detail} is in a syscall, but on no thread"),
    Status.OTHER_GOROUTINE: (OrderingError, "G {detail} is in a syscall on a thread that has G {signed}"),
    Status.PROC_SEQ: (OrderingError, "a syscall begins with sequence number {detail} of its P behind {limit}"),
    Status.RANGE_OPEN: (OrderingError, "the range is open already"),
    Status.RANGE_NOT_OPEN: (OrderingError, "the range is not open"),
    Status.MARK_RUNS: (OrderingError, "the mark phase runs already"),
    Status.MARK_RUNS_NOT: (OrderingError, "the mark phase does not run"),
    Status.MARK_KNOWN: (OrderingError, "the mark phase is active in the first generation, after its begin or end"),
    Status.TASK_ACTIVE: (OrderingError, "task {detail} begins, but it is active"),
    Status.UNKNOWN_NAME: (OrderingError, "unknown string id {detail} as a name"),
    Status.OTHER_REGION: (OrderingError, "the region that ends is not the innermost one"),
    Status.NO_RULE: (OrderingError, "events of this type cannot stand among others"),
    Status.STUCK: (OrderingError, "broken trace: no thread's next event can come next"),
    Status.UNKNOWN_STRING_ARG: (TableError, "unknown string id {detail}"),
    Status.UNKNOWN_STACK_ARG: (TableError, "unknown stack id {detail}"),
}


def new_fault() -> npt.NDArray[np.void]:
    """Return a FAULT array of one row that blames nothing."""
    fault = np.zeros(1, FAULT)
    fault["batch"] = fault["type"] = -1
    return fault


def words(fault: np.void) -> tuple[type[TraceError], str]:
    """Class and sentence of a FAULT row."""
    status = Status(int(fault["status"]))
    if status not in _WORDS:
        raise InternalError(f"kernel stopped with status {status!r} where no wish is allowed")
    kind, sentence = _WORDS[status]
    detail, limit = int(fault["detail"]), int(fault["limit"])
    return kind, sentence.format(
        detail=detail,
        limit=limit,
        signed=limit - (limit >> 63 << 64),
        go=_name(GoStatus, limit),
        proc=_name(ProcStatus, limit),
    )


def _name(statuses: type[IntEnum], number: int) -> str:
    return statuses(number).name.lower().replace("_", " ") if number in list(statuses) else str(number)


def from_fault(fault: np.void, **where: Any) -> TraceError:
    """Make the exception of a FAULT row; ``where`` are the keyword arguments of :class:`TraceError`."""
    kind, sentence = words(fault)
    return kind(sentence, offset=int(fault["offset"]), **where)


FAULT = aligned(
    ("offset", "i8"),  # absolute byte
    ("detail", "u8"),  # the number at fault
    ("limit", "u8"),  # the bound it broke
    ("status", "i4"),  # Status of errors.py; 0 none
    ("batch", "i4"),  # row of BATCH; -1 none
    ("type", "i4"),  # event type; -1 none
)
