"""Make large traces for benchmarks: recorded ones with Go, and a simulated one.

Their content depends on the machine, so compare times on the same files only. Never here: timing, or an input that a
test needs.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))
from bench import build_walk
from support import reference

import gotrace

PROGRAMS = Path(__file__).parent / "programs"
ALLOC_FREE = {"GODEBUG": "traceallocfree=1"}
TINY_GENERATIONS = {"GODEBUG": "traceadvanceperiod=0"}
BOTH = {"GODEBUG": f"{ALLOC_FREE['GODEBUG']},{TINY_GENERATIONS['GODEBUG']}"}
TRIES = 8  # Go 1.27.3's tracer crashes or writes invalid data in about 1 of 20 short runs with alloc/free

Run = tuple[Sequence[str | Path], Path]  # a command, and its working directory


def compiler(goroot: Path, trace: Path) -> Run:
    """Compile go/types."""
    tracing = f"-gcflags=go/types=-traceprofile={trace}"
    return (goroot / "bin" / "go", "build", "-trimpath", "-a", tracing, "go/types"), goroot / "src"


def benchmarks(package: str, benchtime: str, skip: str = "NONE") -> Callable[[Path, Path], Run]:
    """Run the benchmarks of a package of Go's library."""

    def plan(goroot: Path, trace: Path) -> Run:
        binary = trace.with_name("benchmarks")
        build = (goroot / "bin" / "go", "test", "-trimpath", "-c", "-o", binary, package)
        subprocess.run(build, check=True, cwd=goroot / "src", env=reference.go_env(goroot))
        which = ("-test.run=NONE", "-test.bench=.", f"-test.skip={skip}", f"-test.benchtime={benchtime}")
        return (binary, *which, f"-test.trace={trace}"), goroot / "src" / package

    return plan


def program(name: str) -> Callable[[Path, Path], Run]:
    """Run a program of this folder that traces itself."""
    return lambda goroot, trace: (
        (reference.build(PROGRAMS / name, goroot, trace.parent), trace),
        trace.parent,
    )


PLANS: dict[str, tuple[dict[str, str], Callable[[Path, Path], Run]]] = {
    # the environment, and the command
    "gotypes": (ALLOC_FREE, compiler),
    "gotypes-1p": ({**ALLOC_FREE, "GOMAXPROCS": "1"}, compiler),  # threads rarely take turns
    "json": (ALLOC_FREE, benchmarks("encoding/json", "155ms")),
    "gc": ({}, program("gc.go")),
    "tiny": (TINY_GENERATIONS, program("tiny.go")),
    "tiny-allocfree": (BOTH, program("tiny.go")),
    "http": ({}, benchmarks("net/http", "5s", skip="ServerMatch")),  # a benchmark that fails in Go 1.27.3
}


NAMES = (*PLANS, "simulated")
SIMULATED = 50_000_000  # events of the simulated input


def make(name: str, target: Path) -> None:
    """Make an input that Go's own reader accepts; the target must not exist."""
    if name == "simulated":
        gotrace.simulate(target, "compiler", events=SIMULATED, anomalies=["frees outside a proc"])
        return
    goroot = reference.toolchain()
    if goroot is None:
        raise SystemExit("no Go toolchain: run pip install '.[test]'")
    special, plan = PLANS[name]
    with tempfile.TemporaryDirectory(dir=target.parent) as folder:
        trace = Path(folder, target.name)
        command, place = plan(goroot, trace)
        env = {**reference.go_env(goroot), "GODEBUG": "", **special}
        for _ in range(TRIES):
            run = subprocess.run(command, cwd=place, env=env, capture_output=True, text=True, errors="replace")
            failure = f"exit code {run.returncode}: {run.stderr[:2000] or run.stdout[-2000:]}"
            reason = failure if run.returncode else rejection(trace)
            if not reason:
                trace.replace(target)
                return
    raise SystemExit(f"{name}: no valid trace in {TRIES} runs; last one: {reason}")


def rejection(trace: Path) -> str:
    """Return the reason why Go's reader rejects a trace, or "". Wire text would not show mixed generations."""
    run = subprocess.run((build_walk(), trace, "bare", "1"), capture_output=True, text=True)
    return f"Go's reader: {run.stderr[:2000]}" if run.returncode else ""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"inputs to make: {', '.join(NAMES)} (default: all)")
    parser.add_argument("-o", "--output", type=Path, default=reference.CACHE / "corpus", metavar="FOLDER")
    args = parser.parse_args()
    for name in args.names:
        if name not in NAMES:
            parser.error(f"unknown input {name!r}; choose from {', '.join(NAMES)}")
    args.output.mkdir(parents=True, exist_ok=True)
    for name in args.names or NAMES:
        target = args.output.resolve() / f"{name}.trace"
        if not target.exists():
            make(name, target)
        with gotrace.open(target) as trace:
            events = trace.generations["events"]
        print(f"{name:15} {events.sum():>12,} events {target.stat().st_size:>12,} bytes {len(events):>6,} generations")


if __name__ == "__main__":
    main()
