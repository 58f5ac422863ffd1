"""URLs give the rows of the file that they name; whatever is wrong with them is one line, and never a password."""

from __future__ import annotations

import gzip
import io
import json
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pyarrow as pa
import pytest
from support import reference
from support.http_server import Server, ending_early, in_memory, serving

import gotrace
from gotrace.cli import main

DATA = reference.load(reference.DATA / "known-go1.27-allocfree.trace.gz")
with gotrace.open(DATA) as plain:
    ROWS = plain.allocs.to_numpy()
pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")


@pytest.fixture
def server() -> Iterator[Server]:
    with serving() as server:
        server.answers["a.trace"] = DATA
        yield server


@pytest.mark.parametrize("jobs", [1, 2])
@pytest.mark.parametrize("kind", ["memory", "file", "http"])
def test_every_protocol(kind: str, jobs: int, server: Server, tmp_path: Path) -> None:
    for data in (DATA, gzip.compress(DATA)):
        (tmp_path / "a.trace").write_bytes(data)
        server.answers["a.trace"] = data
        urls = {"memory": in_memory(data), "file": f"file://{tmp_path}/a.trace", "http": f"{server.url}a.trace"}
        with gotrace.open(urls[kind], jobs=jobs) as trace:
            assert trace.path == urls[kind]
            assert (trace.allocs.to_numpy() == ROWS).all()
            assert len(trace.allocs) == len(ROWS)
            streams = [iter(pa.RecordBatchReader.from_stream(trace.allocs)) for _ in range(2)]
            assert [len(batch) for batch in streams[0]] == [len(batch) for batch in streams[1]]


def test_a_pass_is_one_request(server: Server) -> None:
    with gotrace.open(f"{server.url}a.trace?x=1") as trace:
        assert (trace.allocs.to_numpy() == ROWS).all()
        assert server.requests == ["GET /a.trace?x=1"]
        assert trace.end > 0
        assert server.requests == ["GET /a.trace?x=1"] * 2


def test_storage_options(server: Server) -> None:
    server.credentials = "me:secret"
    headers = {"Authorization": "Basic bWU6c2VjcmV0"}
    with gotrace.open(f"{server.url}a.trace", storage_options={"headers": headers}) as trace:
        assert len(trace.allocs) == len(ROWS)
    with pytest.raises(OSError, match="HTTP status 401"):
        gotrace.open(f"{server.url}a.trace")


def test_no_password_is_shown(server: Server, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    server.credentials = "me:secret"
    server.answers["cut.trace"] = DATA[:-100]
    out = str(tmp_path / "out.csv")
    for name, code in (("a.trace", 0), ("cut.trace", 3), ("none", 3)):
        url = server.with_user(name)
        for command in (
            *(["info", url], ["info", url, "--json"], ["stats", url, "--json"], ["heap", url], ["lifetimes", url]),
            *(["spans", url, "--at", "peak"], ["validate", url], ["validate", url, "--json"], ["dump", url]),
            *(["export", url, "-f", "-o", out], ["report", url, "-f", "-o", str(tmp_path / "out.html")]),
            ["diff", url, f"{server.url}none", "--json"],
        ):
            assert main(command) in (code, 1 if command[0] == "validate" and code else code, 3 * (command[0] == "diff"))
            shown = "".join(capfd.readouterr())
            assert "secret" not in shown
            assert "Traceback" not in shown
        assert "secret" not in (tmp_path / "out.csv").read_text()
    with gotrace.open(server.with_user("a.trace")) as trace:
        assert trace.path == f"{server.url}a.trace"
        assert trace.allocs.select(["trace"]).to_arrow()["trace"].unique().to_pylist() == [trace.path]


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_connection_that_ends_early(jobs: int, server: Server) -> None:
    """All rows of whole generations that the library delivers, then the error."""
    file = io.BytesIO()
    gotrace.simulate(file, events=1_000_000, generation_events=50_000)
    with gotrace.open(file.getvalue()) as trace:
        offsets, starts = trace.allocs["offset"], trace.generations["offset"]
    may_end = threading.Event()
    server.answers["a.trace"] = ending_early(file.getvalue()[: starts[12] + 100], may_end)
    found: list[int] = []
    with (
        pytest.raises(gotrace.ReadError, match="cannot be read further") as raised,
        gotrace.open(f"{server.url}a.trace", jobs=jobs) as trace,
    ):
        for rows in trace.iterate("allocs", step_size=100_000):
            found += rows["offset"].tolist()
            may_end.set()
    assert starts[5] < raised.value.offset <= starts[12] + 100
    assert found == offsets[offsets < starts[starts <= raised.value.offset].max()].tolist()


def test_what_is_not_there(server: Server, capsys: pytest.CaptureFixture[str]) -> None:
    def garbage(request: BaseHTTPRequestHandler) -> None:
        request.wfile.write(b"what?\r\n\r\n")

    server.answers |= {
        "500": 500,
        "403": 403,
        "garbage": garbage,
        "page": b"<html>",
        "early": ending_early(b""),
    }
    for url, reason in (
        (f"{server.url}404", "HTTP status 404: Not Found"),
        (f"{server.url}500", "HTTP status 500: Internal Server Error"),
        (f"{server.url}403", "HTTP status 403: Forbidden"),
        (f"{server.url}garbage", "HTTP status 400"),
        (f"{server.url}page", "not a Go execution trace"),
        (f"{server.url}early", "Response payload is not completed"),
        ("http://127.0.0.1:1/a", "Connection refused"),
        ("http://[::1]:1/a", "http://[::1]:1/a: "),
        ("http://no-such-host.invalid/a", "http://no-such-host.invalid/a: "),
        ("http://127.0.0.1:99999/a", "Port out of range"),
        ("http://", "http://"),
        ("memory://none", "No such file or directory"),
        ("file:///no/such/file", "No such file or directory"),
        ("what://a", "Protocol not known: what"),
        ("://a", "No such file or directory"),
    ):
        assert main(["info", url]) == 3
        first, *rest = capsys.readouterr().err.splitlines()
        assert reason in first
        assert not rest or "page" in url  # an excerpt
        assert main(["info", "--json", url]) == 3
        assert json.loads(capsys.readouterr().out)["error"]


@pytest.mark.parametrize(
    ("module", "url", "package"),
    [
        ("fsspec", "memory://a", r"pip install 'gotrace\[remote\]'"),
        ("aiohttp", "http://127.0.0.1:1/a", r"pip install 'gotrace\[remote\]'"),
        ("s3fs", "s3://bucket/a", "s3fs"),
    ],
)
def test_a_missing_library(module: str, url: str, package: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ImportError, match=package):
        gotrace.open(url)
    assert main(["heap", url]) == 3


def test_what_differs_each_time(server: Server) -> None:
    """The endpoint of a running program is another trace in each pass, which must not be taken for the same."""
    with gotrace.open(f"{server.url}a.trace") as trace:
        assert len(trace.allocs) == len(ROWS)
        server.answers["a.trace"] = reference.load(reference.DATA / "heap-go1.27-allocfree.trace.gz")
        with pytest.raises(gotrace.ChangedError, match="begins differently each time it is read"):
            len(trace.allocs)


def test_folders_and_globs_of_a_server(server: Server) -> None:
    names = ("a.trace", "b.trace.gz", "notes.txt")
    server.answers[""] = "".join(f'<a href="/{name}">{name}</a>' for name in names).encode()
    data = reference.load(reference.DATA / "heap-go1.22.trace.gz")
    server.answers |= dict(zip(names, (data, gzip.compress(data), b"text"), strict=True))
    skipped: list[str] = []
    urls = [f"{server.url}{name}" for name in names]
    assert gotrace.expand(server.url, skipped=skipped) == urls[:2]
    assert skipped == urls[2:]
    assert gotrace.expand(f"{server.url}*.trace") == urls[:1]
