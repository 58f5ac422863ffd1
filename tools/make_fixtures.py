"""Make the committed traces: every program of ``tests/programs`` by six Go releases.

Toolchains are downloaded, or taken from a folder with VERSION/go below. A run whose trace is too large, or which Go's
own reader does not take as planned, is repeated. Never here: checks of gotrace.
"""

from __future__ import annotations

import argparse
import gzip
import os
import shutil
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))
import reference

ALLOC_FREE = "traceallocfree=1"
TINY_GENERATIONS = f"{ALLOC_FREE},traceadvanceperiod=1"
SHORT_GENERATIONS = f"{ALLOC_FREE},traceadvanceperiod=300000"
PLANS: tuple[tuple[str, int, int, str, str], ...] = (
    # name, first and last minor release, what GODEBUG holds, what Go's reader says against it
    ("sched-go1.{}", 22, 27, "", ""),
    ("sched-go1.{}-tiny", 25, 27, TINY_GENERATIONS, ""),
    ("coro-go1.{}", 23, 27, "", ""),
    ("heap-go1.{}", 22, 22, "", ""),
    ("heap-go1.{}-allocfree", 23, 27, ALLOC_FREE, ""),
    ("known-go1.{}-allocfree", 23, 27, ALLOC_FREE, ""),
    ("frees-go1.{}-allocfree", 23, 27, ALLOC_FREE, ""),
    ("frees-idle-proc-go1.{}-allocfree", 26, 26, SHORT_GENERATIONS, "inconsistent status for proc"),
    ("session-go1.{}-allocfree", 23, 27, ALLOC_FREE, ""),
    ("joined-go1.{}-allocfree", 25, 27, ALLOC_FREE, ""),
)
LARGEST = 110_000
TRIES = 100
EXAMPLE = "heap-go1.27-allocfree"


def pack(trace: Path) -> bytes:
    """Compress a trace so that the same bytes give the same file."""
    return gzip.compress(trace.read_bytes(), 9, mtime=0)


def suits(trace: Path, refusal: str) -> bool:
    """Whether Go's reader takes the trace, or refuses it as wanted, and it is small. Both are partly chance."""
    _, error, code = reference.text("parsed", trace)
    return bool(code) == bool(refusal) and refusal in error and len(pack(trace)) <= LARGEST


def record(binary: Path, traces: list[Path], debug: str, refusal: str) -> str:
    """Run the program until its traces suit; what it says."""
    for _ in range(TRIES):
        said = reference.record(binary, *traces, debug=debug)
        if all(suits(trace, refusal) for trace in traces):
            return said
    raise SystemExit(f"{traces[0].stem}: nothing suits in {TRIES} runs")


def make(only: str, output: Path) -> None:
    for version in reference.SIX:
        minor = int(version.split(".")[1])
        for template, first, last, debug, refusal in PLANS:
            name = template.format(minor)
            if not first <= minor <= last or only not in name:
                continue
            program = name.partition("-")[0]
            with tempfile.TemporaryDirectory() as folder:
                binary = reference.build(reference.PROGRAMS / f"{program}.go", reference.older(version), Path(folder))
                traces = [Path(folder, f"{name}.trace")]
                if program == "joined":
                    traces.append(Path(folder, f"{name.replace('joined', 'recorder')}.trace"))
                said = record(binary, traces, debug, refusal)
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
