"""gotrace assemble: text of records turned back into a trace."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import pytest
from support import reference

from gotrace.cli import main

FIXTURES = [path for path in reference.fixtures() if path.name.startswith(("coro", "joined-go1.26", "heap-go1.22"))]


@pytest.mark.parametrize("path", FIXTURES, ids=lambda path: path.name[:-9])
def test_there_and_back(path: Path, tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    """What dump prints becomes a trace of the same records."""
    data = reference.load(path)
    trace, text, again = (tmp_path / name for name in ("a.trace", "a.txt", "b.trace"))
    trace.write_bytes(data)
    assert main(["dump", "--mode", "wire", str(trace)]) == 0
    said = capfdbinary.readouterr().out
    text.write_bytes(said)
    assert main(["assemble", str(text), "-o", str(again)]) == 3
    assert b"--header 1.NN" in capfdbinary.readouterr().err
    assert not again.exists()
    version = data[3:7].decode()
    assert main(["assemble", str(text), "-o", str(again), "--header", version]) == 0
    assert main(["dump", "--mode", "wire", str(again)]) == 0
    assert capfdbinary.readouterr().out == said
    text.write_bytes(b"Trace Go" + version.encode() + b"\n" + said)
    assert main(["assemble", str(text), "-o", "-"]) == 0
    assert capfdbinary.readouterr().out == again.read_bytes()


def test_mistakes(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    out = tmp_path / "x.trace"
    lines = "Trace Go1.22\nEventBatch gen=1 m=1 time=5 size=1\n# a remark\nProcStop dt=x\n"
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(lines.encode())))
    assert main(["assemble", "-", "-o", str(out)]) == 3
    assert capsys.readouterr().err == "gotrace: -: line 4: expected dt=NUMBER, found dt=x\n"
    assert not out.exists()
    assert main(["assemble", str(tmp_path / "absent"), "-o", str(out)]) == 3
    out.write_bytes(b"mine")
    with pytest.raises(SystemExit):
        main(["assemble", str(tmp_path / "absent"), "-o", str(out)])
    assert out.read_bytes() == b"mine"
