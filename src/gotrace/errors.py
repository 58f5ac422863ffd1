"""Exception classes, the status codes of the kernels, and the message of each code.

A kernel fills a FAULT row and returns; :func:`from_fault` alone turns that row into an exception.
Never here: imports of kernels.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from enum import IntEnum
from typing import Any

import numpy as np
import numpy.typing as npt

from gotrace.dtypes import aligned
from gotrace.spec.enums import GoStatus, ProcStatus


class TraceError(ValueError):
    """A trace, or part of one, cannot be read.

    Attributes
    ----------
    path : str
        Name of the input; ``"<buffer>"`` or ``"<stream>"`` if it has no name.
    offset : int
        Absolute byte of the fault in the (uncompressed) input; -1 if no byte is at fault.
    generation, m : int or None
        Number of the generation and id of the thread at fault, if known.
    event : str or None
        Name of the event at fault, if any.
    detail : str
        The message without the location.
    partial : object or None
        Result of an analysis up to the fault, such as a :class:`Heap`.
    salvageable : bool
        False if ``errors="salvage"`` cannot read more of the input either.
    """

    salvageable = True

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
        location = []
        if self.offset >= 0:
            location.append(f"byte {self.offset}")
        if self.generation is not None:
            location.append(f"generation {self.generation}")
        if self.m is not None:
            location.append(f"M {self.m}")
        if self.event is not None:
            location.append(self.event)
        head = f"{self.path}: " if self.path else ""
        return f"{head}{self.detail}" + (f" ({', '.join(location)})" if location else "")

    def excerpt(self) -> str:
        """Return a hex dump of the bytes around ``offset``, the byte at fault in brackets; empty if there are none."""
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
    """The input does not start with the header of a Go execution trace."""

    salvageable = False


class UnsupportedVersionError(HeaderError):
    """The input is a Go execution trace of a version that gotrace does not support."""


class TruncatedError(TraceError):
    """The input ends inside a header, batch, record or generation."""


class ReadError(TruncatedError):
    """A device or a connection failed before the end of the input: try again."""

    salvageable = False


class MalformedError(TraceError):
    """The input has bytes that no Go runtime writes."""


class TableError(TraceError):
    """The strings, stacks, CPU samples or clock of a generation are invalid."""


class GenerationError(TraceError):
    """The batches do not form complete generations."""


class OrderingError(TraceError):
    """No order of the events is possible.

    Attributes
    ----------
    frontier : list of str
        The next event of each waiting thread, earliest first.
    state : list of str
        The state of the goroutines, procs and threads that those events name.
    """

    frontier: list[str]
    state: list[str]

    def __init__(self, detail: str, **location: Any) -> None:
        super().__init__(detail, **location)
        self.frontier = []
        self.state = []


class ExperimentError(TraceError):
    """The data of an experiment are invalid."""


class ChangedError(TraceError):
    """The input changed while it was read."""

    salvageable = False


class MissingDataError(ValueError):
    """A trace does not have the events that a report is about."""

    def __init__(self, path: str, what: str, advice: str, *, lost: bool = False) -> None:
        remedy = " in what could be read" if lost else f": {advice}"
        super().__init__(f"{path}: no {what}{remedy}")
        self.path = path


class NoHeapDataError(MissingDataError):
    """A trace without alloc/free events was to be read for its heap."""

    def __init__(self, path: str, *, lost: bool = False) -> None:
        super().__init__(path, "alloc/free events", HEAP_DATA_ADVICE, lost=lost)


HEAP_DATA_ADVICE = "start the program with GODEBUG=traceallocfree=1 (Go 1.23 or later), and trace it again"
"""How to take a trace with alloc/free events."""


class InternalError(AssertionError):
    """An invariant of gotrace is broken: a bug in gotrace."""

    def __str__(self) -> str:
        return f"{super().__str__()}\nThis is a bug in gotrace. Please report it, with the trace if you can share it."


class UnknownNameError(KeyError, ValueError):
    """A table or a column that does not exist; the message lists those that do."""

    def __str__(self) -> str:
        return str(self.args[0])


def unknown_name(problem: str, name: object, known: Iterable[str]) -> UnknownNameError:
    """Return the exception for a name that is not one of the known ones."""
    names = list(known)
    return UnknownNameError(f"{problem} {name!r}; it has {', '.join(names)}{suggestion(name, names)}")


def check_choice(argument: str, value: object, choices: Iterable[str]) -> None:
    """Check that the value of an argument is one of some strings.

    Raises
    ------
    TypeError
        It is no string.
    ValueError
        It is another string.
    """
    names = list(choices)
    if value in names:
        return
    kind = ValueError if isinstance(value, str) else TypeError
    raise kind(f"{argument}={value!r}: must be one of {', '.join(map(repr, names))}{suggestion(value, names)}")


def check_names(argument: str, names: object) -> None:
    """Check that the value of an argument is a sequence of strings, and not one string.

    Raises
    ------
    TypeError
        It is not.
    """
    if isinstance(names, str) or not isinstance(names, Sequence) or not all(isinstance(name, str) for name in names):
        raise TypeError(f"{argument}={names!r}: must be a list of names")


def suggestion(name: object, names: Sequence[str]) -> str:
    """Return a question that names the most similar of some names; empty if none is similar."""
    from difflib import get_close_matches  # slow to import

    close = get_close_matches(name, names, 1) if isinstance(name, str) else []
    return f" (did you mean {close[0]!r}?)" if close else ""


class Status(IntEnum):
    """Why a kernel returned: 0 done, negative a fault of the input, positive a request to the caller."""

    OK = 0
    FULL = 1  # the output has no room for another row
    MORE = 2  # the window ends before the input does
    GROW_SPANS = 3  # a table of the heap replay has no room
    GROW_PAGES = 4
    GROW_STACKS = 5
    GROW_LOOSE = 6
    GROW_CELLS = 7
    GROW_KEYS = 8
    GROW_STATE = 9  # a table of the ordering state has no room
    WAIT = 10  # the event must wait for another thread
    NEW_NAME = 11  # a name is used for the first time
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
    NEXT_TRACE = -74
    INPUT_CHANGED = -75


_MESSAGES: dict[Status, tuple[type[TraceError], str]] = {
    Status.CUT_VARINT: (TruncatedError, "a number is cut off by the end of its batch"),
    Status.VARINT_OVERFLOW: (MalformedError, "a number has more than 64 bits"),
    Status.CUT_BATCH: (TruncatedError, "the input ends {detail} bytes into a batch of {limit}"),
    Status.CUT_HEADER: (TruncatedError, "the input ends inside the header of a batch"),
    Status.NEXT_TRACE: (
        MalformedError,
        "another trace starts here: split the file, gotrace reads one trace at a time",
    ),
    Status.INPUT_CHANGED: (ChangedError, "the input changed while it was read"),
    Status.NOT_A_BATCH: (MalformedError, "expected a batch, found byte {detail}"),
    Status.BATCH_TOO_BIG: (MalformedError, "batch of {detail} bytes exceeds the limit of {limit}"),
    Status.GENERATION_ZERO: (GenerationError, "generation number 0"),
    Status.END_MARK_IN_BATCH: (GenerationError, "an end-of-generation mark inside a batch"),
    Status.UNKNOWN_EVENT: (MalformedError, "unknown event type {detail}"),
    Status.UNTIMED_EVENT: (
        MalformedError,
        "event type {detail} has no timestamp and cannot appear in an event batch",
    ),
    Status.WRONG_RECORD: (TableError, "record type {detail} does not belong in this kind of batch"),
    Status.STRING_TOO_LONG: (TableError, "string of {detail} bytes exceeds the limit of {limit}"),
    Status.STRING_CUT: (TableError, "string of {detail} bytes, but only {limit} are left in its batch"),
    Status.DUPLICATE_STRING: (TableError, "string id {detail} is defined twice in its generation"),
    Status.STACK_TOO_DEEP: (TableError, "stack of {detail} frames exceeds the limit of {limit}"),
    Status.DUPLICATE_STACK: (TableError, "stack id {detail} is defined twice in its generation"),
    Status.SECOND_FREQUENCY: (TableError, "a second clock frequency in one generation"),
    Status.ZERO_FREQUENCY: (TableError, "a clock frequency of 0"),
    Status.SECOND_CLOCK: (TableError, "a second clock snapshot in one generation"),
    Status.UNKNOWN_STRING: (TableError, "unknown string id {detail} in a stack frame"),
    Status.UNKNOWN_STACK: (TableError, "unknown stack id {detail} in a CPU sample"),
    Status.WIDE_PROC: (MalformedError, "proc id {detail} does not fit into 32 bits"),
    Status.SPAN_TOO_BIG: (ExperimentError, "span of {detail} pages exceeds the address space"),
    Status.BAD_KINDCLASS: (ExperimentError, "span has kind and class {detail}, which does not exist"),
    Status.STACK_ORDER_TOO_BIG: (ExperimentError, "stack of order {detail} exceeds the address space"),
    Status.TYPE_CUT: (ExperimentError, "a type record is cut off by the end of its batch"),
    Status.TYPE_ID_ZERO: (ExperimentError, "a type with id 0"),
    Status.CUT_MARK: (TruncatedError, "the input ends after the first byte of an experimental batch"),
    Status.GENERATION_ORDER: (GenerationError, "generation {detail} follows generation {limit}"),
    Status.GENERATION_MIXED: (
        GenerationError,
        "batch of generation {detail} inside generation {limit}: an end mark is missing, or generations are mixed",
    ),
    Status.NO_END_MARK: (TruncatedError, "the input ends inside generation {detail}, before its end mark"),
    Status.NO_FREQUENCY: (TableError, "the generation has no clock frequency"),
    Status.NO_CLOCK: (TableError, "the generation has no clock snapshot"),
    Status.NO_BATCHES: (TruncatedError, "the trace ends after its header"),
    Status.BAD_INFO: (ExperimentError, "alloc/free info batch has invalid value {detail}"),
    Status.TYPE_NUMBER: (ExperimentError, "a type's size {detail} is invalid"),
    Status.NEEDS_THREAD: (OrderingError, "expected a thread but didn't have one"),
    Status.NEEDS_PROC: (OrderingError, "expected a proc but didn't have one"),
    Status.NEEDS_GOROUTINE: (OrderingError, "expected a goroutine but didn't have one"),
    Status.HAS_THREAD: (OrderingError, "expected no thread but had M {detail}"),
    Status.HAS_PROC: (OrderingError, "expected no proc but had P {detail}"),
    Status.HAS_GOROUTINE: (OrderingError, "expected no goroutine but had G {detail}"),
    Status.GO_STATUS_NUMBER: (OrderingError, "G {detail} has status {limit}, which does not exist"),
    Status.PROC_STATUS_NUMBER: (OrderingError, "P {detail} has status {limit}, which does not exist"),
    Status.GO_STATUS_DIFFERS: (OrderingError, "status {go} of G {detail} contradicts its events"),
    Status.PROC_STATUS_DIFFERS: (OrderingError, "status {proc} of P {detail} contradicts its events"),
    Status.PROC_WITHOUT_THREAD: (OrderingError, "P {detail} is in a syscall, but no thread holds it"),
    Status.UNKNOWN_PROC: (OrderingError, "P {detail} is unknown at this point"),
    Status.UNKNOWN_GOROUTINE: (OrderingError, "G {detail} is unknown at this point"),
    Status.LATE_GOROUTINE: (OrderingError, "G {detail} has a status event, but was never created"),
    Status.WRONG_PROC_STATUS: (OrderingError, "P {detail} is {proc} at this point, which the event does not allow"),
    Status.WRONG_GO_STATUS: (OrderingError, "G {detail} is {go} at this point, which the event does not allow"),
    Status.GOROUTINE_EXISTS: (OrderingError, "G {detail} is created, but already exists"),
    Status.UNKNOWN_THREAD: (OrderingError, "a P is stolen from M {detail}, which is unknown at this point"),
    Status.OTHER_PROC: (OrderingError, "P {detail} is stolen from a thread that holds P {signed}"),
    Status.SYSCALL_WITHOUT_THREAD: (OrderingError, "G {detail} is in a syscall, but on no thread"),
    Status.OTHER_GOROUTINE: (OrderingError, "G {detail} is in a syscall on a thread that runs G {signed}"),
    Status.PROC_SEQ: (OrderingError, "a syscall starts with sequence number {detail} of its P after {limit}"),
    Status.RANGE_OPEN: (OrderingError, "the range is already open"),
    Status.RANGE_NOT_OPEN: (OrderingError, "the range is not open"),
    Status.MARK_RUNS: (OrderingError, "the mark phase is already running"),
    Status.MARK_RUNS_NOT: (OrderingError, "the mark phase is not running"),
    Status.MARK_KNOWN: (
        OrderingError,
        "the mark phase is reported active in the first generation, after its start or end",
    ),
    Status.TASK_ACTIVE: (OrderingError, "task {detail} starts, but is already active"),
    Status.UNKNOWN_NAME: (OrderingError, "unknown string id {detail} used as a name"),
    Status.OTHER_REGION: (OrderingError, "the ending region is not the innermost one"),
    Status.NO_RULE: (OrderingError, "events of this type cannot appear in an event batch"),
    Status.STUCK: (OrderingError, "broken trace: the next event of every thread must wait for another"),
    Status.UNKNOWN_STRING_ARG: (TableError, "unknown string id {detail}"),
    Status.UNKNOWN_STACK_ARG: (TableError, "unknown stack id {detail}"),
}


def new_fault() -> npt.NDArray[np.void]:
    """Return a FAULT array of one row that reports no fault."""
    fault = np.zeros(1, FAULT)
    fault["batch"] = fault["type"] = -1
    return fault


def message(fault: np.void) -> tuple[type[TraceError], str]:
    """Return the exception class and the message of a FAULT row.

    Raises
    ------
    InternalError
        The status is not a fault of the input.
    """
    status = Status(int(fault["status"]))
    if status not in _MESSAGES:
        raise InternalError(f"kernel returned status {status!r}, which is not a fault of the input")
    kind, template = _MESSAGES[status]
    detail, limit = int(fault["detail"]), int(fault["limit"])
    return kind, template.format(
        detail=detail,
        limit=limit,
        signed=limit - (limit >> 63 << 64),
        go=_name(GoStatus, limit),
        proc=_name(ProcStatus, limit),
    )


def _name(statuses: type[IntEnum], number: int) -> str:
    return statuses(number).name.lower().replace("_", " ") if number in list(statuses) else str(number)


def from_fault(fault: np.void, **location: Any) -> TraceError:
    """Return the exception for a FAULT row; ``location`` are keyword arguments of :class:`TraceError`."""
    kind, detail = message(fault)
    error = kind(detail, offset=int(fault["offset"]), **location)
    if fault["status"] == Status.NEXT_TRACE:
        error.salvageable = False
    return error


FAULT = aligned(
    ("offset", "i8"),  # absolute byte
    ("detail", "u8"),  # the number at fault
    ("limit", "u8"),  # the bound it exceeds, or a second number
    ("status", "i4"),  # Status; 0 none
    ("batch", "i4"),  # row of BATCH; -1 none
    ("type", "i4"),  # event type; -1 none
)
