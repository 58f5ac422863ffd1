"""Make the committed traces: every program of ``tests/programs`` by six Go releases.

Toolchains are downloaded, or taken from a folder ``$GOTRACE_TOOLCHAINS`` with VERSION/go below. Never here: checks
of gotrace.
"""

from __future__ import annotations

import argparse
import gzip
import shutil
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))
import reference

ALLOC_FREE = "traceallocfree=1"
TINY_GENERATIONS = f"{ALLOC_FREE},traceadvanceperiod=1"
PLANS: tuple[tuple[str, int, int, str, str], ...] = (
    # program, first and last minor release, what GODEBUG holds, what the name adds
    ("sched", 22, 27, "", ""),
    ("sched", 25, 27, TINY_GENERATIONS, "-tiny"),
    ("coro", 23, 27, "", ""),
    ("heap", 22, 22, "", ""),
    ("heap", 23, 27, ALLOC_FREE, "-allocfree"),
    ("known", 23, 27, ALLOC_FREE, "-allocfree"),
    ("frees", 23, 27, ALLOC_FREE, "-allocfree"),
    ("session", 23, 27, ALLOC_FREE, "-allocfree"),
    ("joined", 25, 27, ALLOC_FREE, "-allocfree"),
)
EXAMPLE = "heap-go1.27-allocfree"


def pack(trace: Path, target: Path) -> None:
    """Compress a trace so that the same bytes give the same file."""
    target.write_bytes(gzip.compress(trace.read_bytes(), 9, mtime=0))
    print(f"{target.name}  {target.stat().st_size:,} of {trace.stat().st_size:,} bytes")


def make(only: str, output: Path) -> None:
    for version in reference.SIX:
        minor = int(version.split(".")[1])
        goroot = reference.older(version)
        for program, first, last, debug, suffix in PLANS:
            name = f"{program}-go1.{minor}{suffix}"
            if not first <= minor <= last or only not in name:
                continue
            with tempfile.TemporaryDirectory() as folder:
                binary = reference.build(reference.PROGRAMS / f"{program}.go", goroot, Path(folder))
                traces = [Path(folder, f"{name}.trace")]
                if program == "joined":
                    traces.append(Path(folder, f"{name.replace('joined', 'recorder')}.trace"))
                said = reference.record(binary, *traces, debug=debug)
                for trace in traces:
                    pack(trace, output / f"{trace.name}.gz")
                if said:
                    (output / f"{name}.json").write_text(said)
                if name == EXAMPLE:
                    shutil.copyfile(traces[0], output.parent.parent / "examples" / "heap.trace")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", help="make those whose name holds this")
    parser.add_argument("-o", "--output", type=Path, default=reference.DATA)
    args = parser.parse_args()
    make(args.only, args.output)


if __name__ == "__main__":
    main()
