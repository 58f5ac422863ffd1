"""Go servers: the trace that ``/debug/pprof/trace`` of net/http/pprof records comes in as a stream of bytes.

Never here: what the bytes mean, or files.
"""

from __future__ import annotations

import base64
import errno
import http.client
from collections.abc import Iterator
from http import HTTPStatus
from urllib.error import HTTPError, URLError
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit, urlunsplit
from urllib.request import Request, urlopen

from gotrace.wire.remote import as_os_errors, public_name

_ENDPOINT = "/debug/pprof/trace"
_BLOCK = 1 << 16  # bytes at a time
_SLACK = 30  # seconds that a server may answer late
_MOST_TEXT = 200  # characters of an error page that are reported


def trace_url(server: str, seconds: float | None = None) -> str:
    """Return the URL that records a trace.

    Parameters
    ----------
    server : str
        ``HOST:PORT``, ``:PORT`` on this host, or the URL of a server, of its ``/debug/pprof`` or of the endpoint.
    seconds : float, optional
        Length of the trace. Default is that in the URL, or else 5.

    Raises
    ------
    ValueError
        It is not an http or https URL, or has no host or an invalid port.
    """
    if "://" not in server:
        server = f"http://{'localhost' if server.startswith(':') else ''}{server}"
    parts = urlsplit(server)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("must be HOST:PORT or an http or https URL")
    assert parts.port is None or parts.port >= 0  # raises ValueError
    path = parts.path.rstrip("/")
    if not path.endswith("/trace"):
        path = path.removesuffix("/debug/pprof") + _ENDPOINT
    query = dict(parse_qsl(parts.query))
    if seconds is not None:
        query["seconds"] = f"{seconds:g}"
    query.setdefault("seconds", "5")
    return urlunsplit((parts.scheme, parts.netloc, path, urlencode(query), ""))


def seconds_of(url: str) -> float:
    """Return the length of the trace that a URL of :func:`trace_url` records.

    Raises
    ------
    ValueError
        It is not a number.
    """
    text = dict(parse_qsl(urlsplit(url).query))["seconds"]
    try:
        return float(text)
    except ValueError:
        raise ValueError(f"seconds={text} is not a number") from None


def record(url: str) -> Iterator[bytes]:
    """Request a URL of :func:`trace_url`, and yield the bytes of the trace in blocks, of which the last is empty.

    Raises
    ------
    OSError
        The server cannot be reached, refuses, or ends the answer early; the message has the server's reason.
    """
    with as_os_errors(url):
        response = _open(url)
    with response:
        while True:
            with as_os_errors(url):
                block = _read(response)
            yield block
            if not block:
                return


def _open(url: str) -> http.client.HTTPResponse:
    try:
        response: http.client.HTTPResponse = urlopen(_request(url), timeout=seconds_of(url) + _SLACK)
    except HTTPError as error:
        with error:
            raise OSError(errno.EIO, _refusal(error)) from None
    except URLError as error:
        raise error.reason if isinstance(error.reason, OSError) else OSError(errno.EIO, str(error.reason)) from None
    return response


def _read(response: http.client.HTTPResponse) -> bytes:
    try:
        block = response.read(_BLOCK)
    except http.client.IncompleteRead:
        block = b""
    else:
        if block or not response.length:
            return block
    raise OSError(errno.EIO, "the server ended the connection before the end of the trace")


def _request(url: str) -> Request:
    """Return the request for a URL, whose user and password become a header that no redirect passes on."""
    parts = urlsplit(url)
    request = Request(public_name(url))
    if parts.username is not None:
        user = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        request.add_unredirected_header("Authorization", f"Basic {base64.b64encode(user.encode()).decode()}")
    return request


def _refusal(error: HTTPError) -> str:
    text = " ".join(error.read(1 << 12).decode("utf-8", "replace").split())
    if error.code == HTTPStatus.NOT_FOUND:
        text = "the server has no such page; does its program import net/http/pprof?"
    elif not text or text.startswith("<"):
        text = error.reason
    return f"HTTP status {error.code}: {text[:_MOST_TEXT]}"
