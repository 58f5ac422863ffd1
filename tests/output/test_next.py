"""The commands that a report suggests: each of them runs, and they lead to the function at fault."""

from __future__ import annotations

import gzip
import os
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import reference

from gotrace.cli import main
from gotrace.units import shell_flag, shell_path, shell_word

NEXT = re.compile(r"^next     gotrace (.*)$", re.MULTILINE)
SCHED = reference.DATA / "sched-go1.27.trace.gz"
HEAP = reference.DATA / "heap-go1.27-allocfree.trace.gz"
SITES = reference.DATA / "sites-go1.27-allocfree.trace.gz"

BASH = shutil.which("bash")

needs_bash = pytest.mark.skipif(BASH is None, reason="no bash")
needs_go = pytest.mark.skipif(reference.toolchain() is None, reason="no Go toolchain: install the test extra")


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder that is the current one, since some commands write files."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def walk(capsys: pytest.CaptureFixture[str], *names: str, code: int = 0, at_most: int = 5) -> tuple[list[str], str]:
    """Run ``info``, and then the first command that each output suggests; return the commands and the last output."""
    commands, line = [], shlex.join(["info", *names])
    while True:
        assert main(shlex.split(line)) == code, line
        commands.append(line)
        out = capsys.readouterr().out
        suggested = NEXT.findall(out)
        if not suggested or len(commands) == at_most:
            return commands, out
        line = suggested[0]


@pytest.mark.reference
@needs_go
@pytest.mark.parametrize("mode", ["long", ""])
def test_from_a_leak_to_its_function(mode: str, place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    goroot = reference.toolchain()
    assert goroot is not None
    binary = reference.build(reference.PROGRAMS / "leak.go", goroot, place)
    reference.record(binary, "leak.trace", *filter(None, [mode]), debug="traceallocfree=1")
    commands, out = walk(capsys, "leak.trace")
    by = "site" if mode else "goroutine"
    assert commands == ["info leak.trace", "heap --leaks leak.trace", f"heap --leaks --by {by} leak.trace"]
    assert ("main.(*Room).Join (leak.go:48)" in out) == bool(mode)
    assert ("CPU samples, which show the lines that allocate: run a CPU profile" in out) == (not mode)


def test_from_a_slow_task_to_its_function(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.copy(SCHED, place / "a b.trace.gz")
    commands, out = walk(capsys, "a b.trace.gz")
    assert commands == ["info 'a b.trace.gz'", "tasks 'a b.trace.gz'", "critical 'a b.trace.gz' --name whole"]
    assert "main.main.func1: waiting (sleep) at main.main.func1.1 < runtime/trace.WithRegion" in out
    assert main(["critical", "a b.trace.gz", "--name", "part 0"]) == 0
    (line,) = NEXT.findall(capsys.readouterr().out)
    assert main(shlex.split(line)) == 0
    assert capsys.readouterr().out.startswith('task 5 "part 0", 4.36 ms: ')


def words(line: str) -> list[str]:
    """Split a command line into words as a shell does."""
    assert BASH is not None
    out = subprocess.run([BASH, "-c", rf"printf '%s\0' {line}"], capture_output=True, check=True, env={}).stdout
    return [os.fsdecode(word) for word in out.split(b"\0")[:-1]]


ODD_NAMES = ["-n.trace", "it's.trace", "$a [1] *.trace", "a\nb\\'.trace", "\u202eä.trace", "\udcff.trace", "FILE"]


@needs_bash
@pytest.mark.parametrize("name", ODD_NAMES, ids=ascii)
def test_names_that_a_shell_must_not_split(name: str, place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (place / name).write_bytes(gzip.decompress(HEAP.read_bytes()))
    assert main(["info", "--", name]) == 0
    suggested = NEXT.findall(capsys.readouterr().out)
    assert len(suggested) == 3
    for line in suggested:
        assert main(words(line)) == 0, line


@needs_bash
@given(st.lists(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])), min_size=1))
def test_words_of_a_shell(texts: list[str]) -> None:
    assert words(" ".join(map(shell_word, texts))) == texts
    assert words(shell_path("-" + texts[0])) == ["./-" + texts[0]]
    assert words(shell_flag("--name", "-" + texts[0])) == ["--name=-" + texts[0]]


def test_a_damaged_trace(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    content = gzip.decompress(HEAP.read_bytes())
    (place / "a.trace").write_bytes(content[: len(content) * 9 // 10])
    commands, _ = walk(capsys, "a.trace", code=3, at_most=3)
    assert commands[1] == "info a.trace --salvage"
    assert all(command.endswith("--salvage") for command in commands[1:])


def test_a_folder(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (place / "traces").mkdir()
    for i in range(40):
        shutil.copy((SCHED, HEAP, SITES)[i % 3], place / "traces" / f"{i}.trace.gz")
    commands, _ = walk(capsys, "traces", at_most=4)
    assert commands[1] == "rank --metric inuse_bytes traces"
    assert commands[2] == "info traces/11.trace.gz"
    assert commands[3] == "heap --leaks traces/11.trace.gz"
    names = [f"traces/{i}.trace.gz" for i in (0, 3)]
    assert walk(capsys, *names, at_most=2)[0][1] == f"rank --metric sched_p99 {' '.join(names)}"


@pytest.mark.parametrize("path", reference.fixtures(), ids=lambda path: path.name)
def test_every_suggestion_runs(path: Path, place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    todo, done = [shlex.join(["info", str(path)])], set()
    while todo:
        line = todo.pop()
        done.add(line)
        assert main(shlex.split(line)) in (0, 3), line
        todo += set(NEXT.findall(capsys.readouterr().out)) - done
    assert len(done) > 3
