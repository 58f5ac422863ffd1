"""Make the committed traces: every program of ``tests/programs`` with six Go releases.

Toolchains are downloaded, or taken from a folder that contains VERSION/go. A program runs again if its trace is too
large or not suitable, which is partly random. Never here: checks of gotrace.
"""

from __future__ import annotations

import argparse
import gzip
import os
import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))
from support import reference

ALLOC_FREE = "traceallocfree=1"
TINY_GENERATIONS = f"{ALLOC_FREE},traceadvanceperiod=1"
SHORT_GENERATIONS = f"{ALLOC_FREE},traceadvanceperiod=300000"


def accepted(parsed: bytes, error: str) -> bool:
    """True if Go's reader accepts the trace."""
    return not error


def interleaved(parsed: bytes, error: str) -> bool:
    """True if Go's reader accepts the trace and an allocation comes before the end of the snapshot."""
    return not error and b"Name=HeapObjectAlloc " in parsed[: parsed.rfind(b"Name=HeapObject ")]


def idle_proc(parsed: bytes, error: str) -> bool:
    """True if Go's reader rejects the trace because an idle proc is reported running."""
    return "inconsistent status for proc" in error


def sampled(parsed: bytes, error: str) -> bool:
    """True if Go's reader accepts the trace and it has enough CPU samples for statistics."""
    return not error and parsed.count(b" StackSample ") >= 180


PLANS: tuple[tuple[str, int, int, str, Callable[[bytes, str], bool]], ...] = (
    # name, first and last minor release, GODEBUG, condition
    ("sched-go1.{}", 22, 27, "", accepted),
    ("sched-go1.{}-tiny", 25, 27, TINY_GENERATIONS, accepted),
    ("coro-go1.{}", 23, 27, "", accepted),
    ("heap-go1.{}", 22, 22, "", accepted),
    ("heap-go1.{}-allocfree", 23, 27, ALLOC_FREE, accepted),
    ("known-go1.{}-allocfree", 23, 27, ALLOC_FREE, accepted),
    ("frees-go1.{}-allocfree", 23, 25, ALLOC_FREE, accepted),
    ("frees-go1.{}-allocfree", 26, 27, ALLOC_FREE, interleaved),
    ("frees-idle-proc-go1.{}-allocfree", 26, 26, SHORT_GENERATIONS, idle_proc),
    ("session-go1.{}-allocfree", 23, 27, ALLOC_FREE, accepted),
    ("joined-go1.{}-allocfree", 25, 27, ALLOC_FREE, accepted),
    ("sites-go1.{}-allocfree", 27, 27, ALLOC_FREE, sampled),
)
LARGEST = 110_000
TRIES = 100
EXAMPLE = "heap-go1.27-allocfree"


def pack(trace: Path) -> bytes:
    """Compress a trace reproducibly."""
    return gzip.compress(trace.read_bytes(), 9, mtime=0)


def record(binary: Path, traces: list[Path], debug: str, suitable: Callable[[bytes, str], bool]) -> str:
    """Run the program until its traces are small and suitable; return its output."""
    for _ in range(TRIES):
        output = reference.record(binary, *traces, debug=debug)
        small = all(len(pack(trace)) <= LARGEST for trace in traces)
        if small and all(suitable(*reference.text("parsed", trace)[:2]) for trace in traces):
            return output
    raise SystemExit(f"{traces[0].stem}: no suitable trace in {TRIES} runs")


def make(only: str, folder: Path) -> None:
    """Make the traces whose name contains ``only``."""
    for version in reference.SIX:
        minor = int(version.split(".")[1])
        for template, first, last, debug, suitable in PLANS:
            name = template.format(minor)
            if not first <= minor <= last or only not in name:
                continue
            program = name.partition("-")[0]
            with tempfile.TemporaryDirectory() as work:
                binary = reference.build(reference.PROGRAMS / f"{program}.go", reference.older(version), Path(work))
                traces = [Path(work, f"{name}.trace")]
                if program == "joined":
                    traces.append(Path(work, f"{name.replace('joined', 'recorder')}.trace"))
                output = record(binary, traces, debug, suitable)
                for trace in traces:
                    target = folder / f"{trace.name}.gz"
                    target.write_bytes(pack(trace))
                    print(f"{target.name}  {target.stat().st_size:,} of {trace.stat().st_size:,} bytes")
                if output:
                    (folder / f"{name}.json").write_text(output)
                if name == EXAMPLE:
                    shutil.copyfile(traces[0], folder.parent.parent / "examples" / "heap.trace")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", help="make the traces whose name contains this")
    parser.add_argument("-o", "--output", type=Path, default=reference.DATA)
    parser.add_argument("--toolchains", type=Path, help="folder that contains VERSION/go, instead of a download")
    args = parser.parse_args()
    if args.toolchains:
        os.environ["GOTRACE_TOOLCHAINS"] = str(args.toolchains.resolve())
    make(args.only, args.output)


if __name__ == "__main__":
    main()
