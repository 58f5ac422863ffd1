"""Target ``api``: every public interface of gotrace on a path, a buffer and a stream. Never here: inputs."""

from __future__ import annotations

import io
import json
import os
import random
import re
import resource
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import redirect_stderr, redirect_stdout, suppress
from functools import partial
from pathlib import Path
from typing import Any, get_args

import numpy as np
from support.streams import Stream

import gotrace
from fuzzing.checks import Problem, problem_of
from gotrace.cli import main
from gotrace.raw import Reader
from gotrace.raw.batches import END_MARK
from gotrace.tables.catalog import TABLES
from gotrace.tables.instants import GROUPS, ExactGroup, Group
from gotrace.wire.header import SIZE

CALLS_OF_INPUT = 8
N_SOURCES = 6
MOST_MEMORY = 64 << 20  # bytes beside 16 times the input
MOST_DATA = 4 << 30  # bytes of this process: more than that ends in a MemoryError, which is a finding
STATUS = Path("/proc/self/status")
PEAK = Path("/proc/self/clear_refs")
COMMANDS: tuple[tuple[str, ...], ...] = (
    *(("info",), ("stats",), ("spans",), ("validate",), ("lifetimes",)),
    *(("info", "--json"), ("stats", "--json"), ("spans", "--json"), ("validate", "--json"), ("lifetimes", "--json")),
    *(("heap", "--by", by, "--json") for by in GROUPS),
    *(("heap", "--at", at, "--json") for at in ("start", "peak", "1us", "gc:1")),
    *(("heap", "--leaks"), ("heap", "--temporary", "--json"), ("heap", "--salvage", "--by", "task")),
    *(("heap", "--from", first, "--json") for first in ("start", "peak", "1us", "gc:1")),
    ("check", "--max-heap", "1MB", "--max-growth", "5%", "--max-alloc", "1MB/s", "--forbid-leak", "*"),
    *(("dump",), ("dump", "--mode", "wire"), ("dump", "--salvage"), ("info", "--salvage"), ("report", "-o", "-")),
    *(("export", "-o", "-", "--format", form) for form in ("csv", "npy", "pprof", "collapsed", "speedscope")),
    *(("export", "-o", "-", "--format", "csv", "--table", table) for table in TABLES),
)
CODES = {"validate": (0, 1, 2, 3), "check": (0, 1, 2, 3)}


def _sources(data: bytes, path: Path) -> Iterator[tuple[str, Any, dict[str, Any]]]:
    yield "buffer", data, {}
    yield "path", path, {}
    yield "path without a map", path, {"mmap": False}
    yield "path with two threads", path, {"jobs": 2}
    yield "file", io.BytesIO(data), {}
    yield "stream", Stream(data), {}


def _table(data: bytes, path: Path, name: str, step: int) -> str | None:
    """Read a table from every kind of source: rows and error must be the same."""
    found = []
    for kind, source, options in _sources(data, path):
        rows: list[np.ndarray[Any, Any]] = []
        error = None
        try:
            with gotrace.open(source, **options) as trace:
                rows += trace.iterate(name, step_size=step)
        except gotrace.TraceError as fault:
            error = type(fault), fault.offset, fault.generation, fault.m, fault.event, fault.detail
            fault.excerpt()
        parts = [row.tolist() for row in rows] if TABLES[name].dtype.hasobject else [row.tobytes() for row in rows]
        found.append((kind, sum(map(len, rows)), parts, error))
    for kind, *rest in found[1:]:
        if rest != list(found[0][1:]):
            return f"another result from a {kind} than from a buffer\n{found}"
    return None


def _copy(data: bytes) -> str | None:
    """Copy a trace batch by batch: the bytes are the same up to a fault."""
    copy = data[:SIZE]
    with suppress(gotrace.TraceError), Reader(data) as reader:
        for batch in reader:
            copy += END_MARK if batch is None else batch.encode()
    return None if data.startswith(copy) else "a copy has other bytes"


def _command(path: Path, args: Sequence[str]) -> str | None:
    """Run a command in this process: its exit code is a documented one, and JSON is JSON."""
    out, err = io.TextIOWrapper(io.BytesIO(), "utf-8"), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        try:
            code = main([*args, str(path)])
        except SystemExit as end:
            code = int(end.code or 0)
        out.flush()
    said = out.buffer.getvalue()
    if code not in CODES.get(args[0], (0, 2, 3)):
        places = re.findall(r'File ".*?gotrace/(.*?)", line (\d+)', err.getvalue())
        return f"exit code {code} at {':'.join(places[-1]) if places else '?'}\n{err.getvalue()}"
    if "--json" in args and code != 2:
        lines = said.decode().splitlines()
        if not lines:
            return f"no JSON\n{err.getvalue()}"
        for line in lines:
            json.loads(line, parse_constant=_refuse)
    return None


def _refuse(constant: str) -> None:
    raise AssertionError(f"{constant} is not JSON")


def _drain(items: Any) -> None:
    for _ in items:
        pass


def _generations(trace: gotrace.Trace) -> None:
    for generation in trace.generations:
        list(generation.strings.values())
        list(generation.stacks.values())
        list(generation.samples)
        for number in (1, 2):
            if number in generation.experiments:
                generation.experiments[number].batches  # noqa: B018
    trace.wall([trace.start, trace.end])
    str(trace)


READS: dict[str, Callable[[gotrace.Trace], Any]] = {
    "parsed text": lambda trace: _drain(trace.text()),
    "wire text": lambda trace: _drain(trace.text("wire")),
    "events": lambda trace: _drain(str(event) for event in trace),
    "all tables": lambda trace: _drain(trace.iterate(list(TABLES), step_size=4096)),
    "generations": _generations,
    "sites": lambda trace: str(gotrace.sites(trace)),
    **{f"stats by {by}": partial(gotrace.Trace.stats, by=by) for by in get_args(Group)},
    **{f"ages by {by}": partial(gotrace.Trace.lifespans, by=by) for by in get_args(ExactGroup)},
    **{f"spans by {by}": partial(gotrace.Trace.spans, by=by) for by in get_args(ExactGroup)},
    "history": gotrace.Trace.history,
    "info": gotrace.Trace.info,
    "validate": gotrace.Trace.validate,
    **{f"heap by {by}": partial(gotrace.Trace.heap, by=by) for by in get_args(Group)},
    "heap at the peak": lambda trace: str(trace.heap(at="peak", max_age=2)),
    "heap by region at a time": lambda trace: str(trace.heap(by="region", at="1us")),
}


def _read(data: bytes, read: Callable[[gotrace.Trace], Any], errors: Any) -> None:
    with gotrace.open(data, errors=errors) as trace:
        read(trace)
        str(trace.losses + trace.warnings)


def _memory() -> int:
    """Return the most bytes that this process held since the peak was reset."""
    return int(STATUS.read_text().split("VmHWM:")[1].split()[0]) * 1024


class Api:
    """Each input goes through a few of all interfaces, chosen by its number."""

    lot = 1
    largest = 40_000
    changed = 0

    def __init__(self, folder: Path) -> None:
        warnings.simplefilter("error")
        self._bounded = "asan" not in os.environ.get("LD_PRELOAD", "")  # the sanitizer holds back what is freed
        if self._bounded:
            resource.setrlimit(resource.RLIMIT_DATA, (MOST_DATA, MOST_DATA))
        self.runs = 0
        self.documented = Counter[str]()
        self._path = folder / "input.trace"

    def check(self, inputs: Sequence[bytes], number: int, only: str | None = None) -> list[Problem | None]:
        """Test one input."""
        (data,) = inputs
        self._path.write_bytes(data)
        calls = self._calls(data)
        names = [only] if only in calls else random.Random(number).sample(list(calls), CALLS_OF_INPUT)
        for name in names:
            PEAK.write_text("5")
            before = _memory()
            found = problem_of(name, calls[name])
            grown = _memory() - before
            if found is None and self._bounded and grown > MOST_MEMORY + 16 * len(data):
                found = Problem(name, "too much memory", f"{grown:,} bytes for {len(data):,}")
            self.runs += N_SOURCES if name.startswith("table") else 1
            if found is not None:
                return [found]
        return [None]

    def _calls(self, data: bytes) -> dict[str, Callable[[], Any]]:
        calls: dict[str, Callable[[], Any]] = {}
        for name in TABLES:
            step = 64 if name in ("allocs", "events", "lifetimes") else 1 << 20
            calls[f"table {name}"] = partial(_table, data, self._path, name, step)
        for name, read in READS.items():
            for errors in ("raise", "salvage"):
                calls[f"{name}, {errors}"] = partial(_read, data, read, errors)
        for command in COMMANDS:
            calls[" ".join(command)] = partial(_command, self._path, command)
        calls["raw batches"] = partial(_copy, data)
        calls["diff, raise"] = partial(gotrace.diff, self._path, self._path)
        calls["diff, salvage"] = partial(gotrace.diff, self._path, self._path, errors="salvage")
        return calls
