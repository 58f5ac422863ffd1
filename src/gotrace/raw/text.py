"""Assemble traces: text (FORMAT 10.3) comes in, bytes of a trace go out.

The text is that of ``gotrace dump --mode wire``, ``go tool trace -d=wire``, Go's raw text writer, or a test case of
``internal/trace``. The kernel encodes plain lines; all other lines are parsed here. Never here: checks of the events'
meaning.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import numpy as np

from gotrace.errors import Status
from gotrace.experiments import registry
from gotrace.raw import _encode
from gotrace.raw.batches import uvarint
from gotrace.raw.writer import header
from gotrace.spec import lookup
from gotrace.text.pieces import line_pieces
from gotrace.wire.source import Source, open_source

_HEADER = re.compile(r"\s*Trace\s+Go1\.([0-9]{1,2})\s*")
_NUMBER = re.compile(r"0*([0-9]{1,20})")
_FRAME = ("pc", "func", "file", "line")
_FRAME_PIECES = b"pc= func= file= line="
_FRAME_BOUNDS = np.array([0, 3, 9, 15, 21], np.int32)
_LONGEST = 1 << 20  # maximum bytes of a line: data of 64 KiB is at most 256 KiB of text
_CHUNK = 1 << 20  # bytes of a trace yielded at a time
_N_LINES, _N_FRAMES = 0, 1  # indices in the kernel's state
_SIMPLE = {"a": 7, "b": 8, "f": 12, "n": 10, "r": 13, "t": 9, "v": 11, "\\": 92, "'": 39, '"': 34}
_ESCAPE = re.compile(
    r"""\\(?:([abfnrtv\\'"])|x([0-9a-fA-F]{2})|([0-7]{3})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8}))|([^\\])""", re.DOTALL
)


class TextError(ValueError):
    """Text that is not a trace; ``line`` is numbered from 1."""

    def __init__(self, line: int, detail: str) -> None:
        super().__init__(f"line {line}: {detail}")
        self.line = line
        self.detail = detail


def unquote(text: str) -> bytes:
    """Return the bytes of a Go string literal in double quotes, single quotes or backquotes.

    Raises
    ------
    ValueError
        The text is not such a literal.
    """
    quote = text[:1]
    if len(text) < 2 or quote not in "\"'`" or text[-1] != quote:
        raise ValueError(f"not a quoted string: {text}")
    body = text[1:-1]
    if quote == "`":
        if "`" in body:
            raise ValueError(f"not a quoted string: {text}")
        return body.replace("\r", "").encode("utf-8", "surrogateescape")
    if quote == '"' and "\\" not in body and '"' not in body and "\n" not in body:
        return body.encode("utf-8", "surrogateescape")
    out = bytearray()
    at = characters = 0
    while at < len(body):
        match = _ESCAPE.match(body, at)
        if match is None or match[6] in (quote, "\n") or (match[1] in ("'", '"') and match[1] != quote):
            raise ValueError(f"bad escape in {text}")
        simple, hexadecimal, octal, short, long, plain = match.groups()
        if simple:
            out.append(_SIMPLE[simple])
        elif hexadecimal or octal:
            value = int(hexadecimal, 16) if hexadecimal else int(octal, 8)
            if value > 255:
                raise ValueError(f"bad escape in {text}")
            out.append(value)
        elif plain:
            out += plain.encode("utf-8", "surrogateescape")
        else:
            value = int(short or long, 16)
            if value > 0x10FFFF or 0xD800 <= value < 0xE000:
                raise ValueError(f"bad escape in {text}")
            out += chr(value).encode()
        at = match.end()
        characters += 1
    if quote == "'" and characters != 1:
        raise ValueError(f"not one character: {text}")
    return bytes(out)


def assemble(text: str | bytes, *, version: int | None = None) -> bytes:
    """Assemble a trace from text.

    Parameters
    ----------
    text : str or bytes
        One record per line. The first line may be ``Trace Go1.NN``, as in Go's raw text, or ``-- expect --``, as in
        Go's test cases.
    version : int, optional
        Number of the header version, required if the text lacks ``Trace Go1.NN``. Every version allows every event.

    Returns
    -------
    bytes
        The trace, with numbers in their shortest encoding.

    Raises
    ------
    TextError
        A line is invalid.
    """
    if isinstance(text, str):
        text = text.encode("utf-8", "surrogateescape")
    return b"".join(assemble_stream(text, version=version))


def assemble_stream(source: Any, *, version: int | None = None) -> Iterator[bytes]:
    """Assemble a trace in bounded memory: read text and yield chunks of the trace.

    Parameters
    ----------
    source : path, buffer, binary file object or "-"
        The text.
    version : int, optional
        See :func:`assemble`.

    Raises
    ------
    TextError
        A line is invalid. Raised after all records before it are yielded.
    OSError
        The source cannot be read.
    """
    text = open_source(source)
    try:
        yield from _Assembler(text).run(version)
        failure = text.failure()
        if failure is not None:
            raise failure
    finally:
        text.close()


class _Assembler:
    def __init__(self, source: Source) -> None:
        events = registry().events
        self._window = source.window()
        self._at = self._released = 0  # absolute
        self._out = bytearray()
        self._specs = {spec.name: spec for spec in events}
        self._state = np.zeros(2, np.int64)
        names = sorted(events, key=lambda spec: spec.name.encode())
        self._forms = _encode.LineForms(
            np.frombuffer("".join(spec.name for spec in names).encode(), np.uint8),
            np.cumsum([0] + [len(spec.name) for spec in names], dtype=np.int32),
            np.array([spec.id for spec in names], np.uint8),
            lookup.wire_args(events),
            *line_pieces(events),
            np.frombuffer(_FRAME_PIECES, np.uint8),
            _FRAME_BOUNDS,
        )

    def run(self, version: int | None) -> Iterator[bytes]:
        found = self._version()
        version = version if found is None else found
        if version is None:
            raise TextError(1, "expected 'Trace Go1.NN'; specify the version if the text lacks this line")
        self._out += header(version)
        buffer = np.empty(_CHUNK, np.uint8)
        status = int(Status.FULL)
        while status == Status.FULL or (status == Status.MORE and not self._window.last) or self._record():
            if status == Status.MORE and not self._window.last:
                self._more()
            base = self._window.base
            at, n, status = _encode.lines(self._forms, self._window.data, self._at - base, self._state, buffer)
            self._at = base + at
            self._out += buffer[:n].data
            if len(self._out) >= _CHUNK:
                yield bytes(self._out)
                self._out.clear()
            if self._at - self._released >= _CHUNK:
                self._window.release(self._at)
                self._released = self._at
        yield bytes(self._out)

    def _more(self) -> None:
        if self._window.base + len(self._window.data) - self._at > _LONGEST:
            raise TextError(int(self._state[_N_LINES]) + 1, f"line exceeds {_LONGEST} bytes")
        self._window.more()

    def _line(self) -> tuple[int, str]:
        """Take the next line that is neither blank nor a comment; return its number and text, empty at the end."""
        while True:
            raw = self._raw()
            line = raw.decode("utf-8", "surrogateescape")
            if not raw or (line.strip() and not line.lstrip().startswith("#")):
                return int(self._state[_N_LINES]), line.removesuffix("\n")

    def _raw(self) -> bytes:
        """Take the next line with its line feed; return empty bytes at the end of the text."""
        while True:
            data = self._window.data[self._at - self._window.base :]
            for size in (512, _LONGEST):  # most lines are short
                line, end, _ = data[:size].tobytes().partition(b"\n")
                if end or (self._window.last and len(data) <= size):
                    self._at += len(line) + len(end)
                    self._state[_N_LINES] += bool(line or end)
                    return line + end
            if self._window.last:
                raise TextError(int(self._state[_N_LINES]) + 1, f"line exceeds {_LONGEST} bytes")
            self._more()

    def _version(self) -> int | None:
        """Read the lines before the first record; return the version if they give it."""
        mark = self._at, self._state.copy()
        number, line = self._line()
        if line.startswith("-- ") and line.rstrip().endswith(" --"):
            while line.rstrip() != "-- trace --":
                last = number
                number, line = self._line()
                if not line:
                    raise TextError(last, "expected section '-- trace --' of a test case after this line")
            mark = self._at, self._state.copy()
            _, line = self._line()
        if first := _HEADER.fullmatch(line):
            return int(first[1])
        self._at, self._state = mark
        return None

    def _record(self) -> bool:
        """Read one record that is not plain, or its next frame; return False at the end of the text."""
        number, line = self._line()
        if self._state[_N_FRAMES]:
            self._put(_arguments(number, line.split(), _FRAME))
            self._state[_N_FRAMES] -= 1
            return True
        if not line:
            return False
        name, *words = line.split()
        spec = self._specs.get(name)
        if spec is None:
            raise TextError(number, f"unknown event {name:.60}")
        values = _arguments(number, words, spec.args)
        self._out += bytes([spec.id])
        if name == "ExperimentalBatch":
            if values[0] > 255:
                raise TextError(number, f"experiment {values[0]} does not fit into one byte")
            self._out += bytes(values[:1])
            values = values[1:]
        self._put(values)
        if spec.frames:
            self._state[_N_FRAMES] = min(values[1], np.iinfo(np.int64).max)
        if spec.data:
            content = self._content()
            self._out += uvarint(len(content)) + content
        return True

    def _put(self, values: list[int]) -> None:
        self._out += b"".join(map(uvarint, values))

    def _content(self) -> bytes:
        """Take the line of a record's data, if there is one: Go's writer omits it for empty data."""
        mark = self._at, self._state.copy()
        number, line = self._line()
        key, _, quoted = line.partition("=")
        if key.strip() != "data":
            self._at, self._state = mark
            return b""
        try:
            return unquote(quoted.strip())
        except ValueError as error:
            raise TextError(number, str(error)) from None


def _arguments(line: int, words: list[str], names: tuple[str, ...]) -> list[int]:
    values = []
    for name, word in zip(names, words, strict=False):
        key, _, value = word.partition("=")
        digits = _NUMBER.fullmatch(value)
        if key != name or digits is None or int(digits[1]) >> 64:
            raise TextError(line, f"expected {name}=NUMBER, found {word:.60}")
        values.append(int(digits[1]))
    if len(words) != len(names):
        raise TextError(line, f"expected {len(names)} arguments, found {len(words)}")
    return values
