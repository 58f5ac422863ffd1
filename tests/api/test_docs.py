"""What the documentation shows is what happens."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import reference

import gotrace

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


def test_every_simulated_anomaly_is_explained() -> None:
    text = (PROJECT / "docs" / "simulate.md").read_text()
    assert all(f"| `{name}` |" in text for name in gotrace.simulation.ANOMALIES)


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
    (shown,) = re.findall(r"```console\n(.*?)```", text, re.DOTALL)
    for command, want in re.findall(r"\$ gotrace (.*?)\n((?:[^$].*\n)*)", shown):
        assert run("-m", "gotrace", *shlex.split(command)) == want, command


def test_readme_first_screen() -> None:
    block = re.findall(r"```console\n\$ (.*?)\n(.*?)```", README, re.DOTALL)[0]
    command = shlex.split(block[0].split("&& gotrace ")[1])
    run = subprocess.run([sys.executable, "-m", "gotrace", *command], cwd=PROJECT, capture_output=True, text=True)
    assert run.stdout == block[1]


@pytest.mark.parametrize(
    "name", ["ALLOC", "EXPERIMENTAL", "GENERATION", "TYPE", "HEAP", "STRING", "STACK", "FRAME", "SAMPLE", "SITE"]
)
def test_surface_names_every_field(name: str) -> None:
    text = (PROJECT / "docs" / "surface.md").read_text()
    part = text.split(f"**{name}**")[1].split("**")[0]
    for field in getattr(gotrace, name).names:
        assert re.search(rf"\b{field}\b", part), field


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
