"""Make the committed traces: every program of ``tests/programs`` by six Go releases.

Toolchains are downloaded, or taken from a folder with VERSION/go below. A program whose trace is too large or
will not do, which is partly chance, runs again. Never here: checks of gotrace.
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
    """Go's reader takes it."""
    return not error


def interleaved(parsed: bytes, error: str) -> bool:
    """Go's reader takes it, and an allocation comes before the end of the snapshot."""
    return not error and b"Name=HeapObjectAlloc " in parsed[: parsed.rfind(b"Name=HeapObject ")]


def idle_proc(parsed: bytes, error: str) -> bool:
    """Go's reader refuses it: a proc that it knows to be idle is said to be running."""
    return "inconsistent status for proc" in error


def sampled(parsed: bytes, error: str) -> bool:
    """Go's reader takes it, and it has CPU samples enough for statistics."""
    return not error and parsed.count(b" StackSample ") >= 180


PLANS: tuple[tuple[str, int, int, str, Callable[[bytes, str], bool]], ...] = (
    # name, first and last minor release, what GODEBUG holds, which traces will do
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
    """Compress a trace so that the same bytes give the same file."""
    return gzip.compress(trace.read_bytes(), 9, mtime=0)


def record(binary: Path, traces: list[Path], debug: str, will_do: Callable[[bytes, str], bool]) -> str:
    """Run the program until its traces are small and will do; what it says."""
    for _ in range(TRIES):
        said = reference.record(binary, *traces, debug=debug)
        small = all(len(pack(trace)) <= LARGEST for trace in traces)
        if small and all(will_do(*reference.text("parsed", trace)[:2]) for trace in traces):
            return said
    raise SystemExit(f"{traces[0].stem}: no trace will do in {TRIES} runs")


def make(only: str, output: Path) -> None:
    for version in reference.SIX:
        minor = int(version.split(".")[1])
        for template, first, last, debug, will_do in PLANS:
            name = template.format(minor)
            if not first <= minor <= last or only not in name:
                continue
            program = name.partition("-")[0]
            with tempfile.TemporaryDirectory() as folder:
                binary = reference.build(reference.PROGRAMS / f"{program}.go", reference.older(version), Path(folder))
                traces = [Path(folder, f"{name}.trace")]
                if program == "joined":
                    traces.append(Path(folder, f"{name.replace('joined', 'recorder')}.trace"))
                said = record(binary, traces, debug, will_do)
                for trace in traces:
                    target = output / f"{trace.name}.gz"
                    target.write_bytes(pack(trace))
                    print(f"{target.name}  {target.stat().st_size:,} of {trace.stat().st_size:,} bytes")
                if said:
                    (output / f"{name}.json").write_text(said)
                if name == EXAMPLE:
                    shutil.copyfile(traces[0], output.parent.parent / "examples" / "heap.trace")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", help="make those whose name holds this")
    parser.add_argument("-o", "--output", type=Path, default=reference.DATA)
    parser.add_argument("--toolchains", type=Path, help="a folder VERSION/go, instead of a download")
    args = parser.parse_args()
    if args.toolchains:
        os.environ["GOTRACE_TOOLCHAINS"] = str(args.toolchains.resolve())
    make(args.only, args.output)


if __name__ == "__main__":
    main()
