"""An HTTP server on this host, and files in fsspec's memory. Never here: assertions about gotrace."""

from __future__ import annotations

import base64
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import fsspec

Answer = bytes | int | Callable[[BaseHTTPRequestHandler], None]
"""A file, a status, or a function that answers."""


class Server:
    """A server whose answers may be changed at any time.

    Attributes
    ----------
    url : str
        Ends with a slash.
    answers : dict of str to Answer
        By path without the slash; 404 for others.
    requests : list of str
        Method and path of each request so far.
    credentials : str
        User and password that it requires, separated by a colon; empty for none.
    """

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}/"
        self.answers: dict[str, Answer] = {}
        self.requests: list[str] = []
        self.credentials = ""

    def with_user(self, name: str) -> str:
        """Return the URL of a file, with the credentials."""
        return self.url.replace("://", f"://{self.credentials}@") + name

    def handle(self, request: BaseHTTPRequestHandler) -> None:
        """Answer a request."""
        self.requests.append(f"{request.command} {request.path}")
        answer = self.answers.get(request.path[1:].partition("?")[0], 404)
        expected = "Basic " + base64.b64encode(self.credentials.encode()).decode()
        if self.credentials and request.headers.get("Authorization") != expected:
            answer = 401
        if isinstance(answer, int):
            request.send_error(answer)
        elif isinstance(answer, bytes):
            request.send_response(200)
            request.send_header("Content-Length", str(len(answer)))
            request.end_headers()
            request.wfile.write(answer)
        else:
            answer(request)


@contextmanager
def serving() -> Iterator[Server]:
    """Return a context with a running server."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            served.handle(self)

        def log_message(self, format: str, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        served = Server(server.server_port)
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield served
        finally:
            server.shutdown()
            thread.join()


def ending_early(data: bytes, when: threading.Event | None = None) -> Answer:
    """Return an answer that announces more bytes than it has, and ends after them and the event."""

    def answer(request: BaseHTTPRequestHandler) -> None:
        request.send_response(200)
        request.send_header("Content-Length", str(len(data) + 1))
        request.end_headers()
        request.wfile.write(data)
        if when is not None:
            when.wait()

    return answer


def in_memory(data: bytes) -> str:
    """Write a file in memory and return its URL."""
    with fsspec.open("memory://gotrace/a.trace", "wb") as file:
        file.write(data)
    return "memory://gotrace/a.trace"
