"""The text form of traces (FORMAT 10.3) turned into bytes.

Reads what ``gotrace dump --mode wire`` and Go's raw text writer print. Never here: checks of what the events say.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from gotrace.experiments import registry
from gotrace.raw.writer import header, uvarint

_HEADER = re.compile(r"\s*Trace\s+Go1\.([0-9]{1,2})\s*")
_NUMBER = re.compile(r"0*([0-9]{1,20})")
_FRAME = ("pc", "func", "file", "line")
_SIMPLE = {"a": 7, "b": 8, "f": 12, "n": 10, "r": 13, "t": 9, "v": 11, "\\": 92, "'": 39, '"': 34}
_ESCAPE = re.compile(
    r"""\\(?:([abfnrtv\\'"])|x([0-9a-fA-F]{2})|([0-7]{3})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8}))|([^\\])""", re.DOTALL
)


_PIECE = 1 << 20  # bytes


class TextError(ValueError):
    """Text that is no trace; ``line`` counts from 1."""

    def __init__(self, line: int, detail: str) -> None:
        super().__init__(f"line {line}: {detail}")
        self.line = line
        self.detail = detail


def unquote(text: str) -> bytes:
    """Turn a Go string literal, in any of its three kinds of quotes, into bytes.

    Raises
    ------
    ValueError
        It is none.
    """
    quote = text[:1]
    if len(text) < 2 or quote not in "\"'`" or text[-1] != quote:
        raise ValueError(f"not a quoted string: {text}")
    body = text[1:-1]
    if quote == "`":
        if "`" in body:
            raise ValueError(f"not a quoted string: {text}")
        return body.replace("\r", "").encode("utf-8", "surrogateescape")
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
    """Turn text into a trace.

    Parameters
    ----------
    text : str or bytes
        One record a line. The first one may be ``Trace Go1.NN``, as Go's raw text begins.
    version : int, optional
        Number of the header version, needed where that line is missing. Every event is allowed in every version.

    Returns
    -------
    bytes
        The trace; numbers in their shortest form.

    Raises
    ------
    TextError
        With the number of the line.
    """
    if isinstance(text, bytes):
        text = text.decode("utf-8", "surrogateescape")
    return b"".join(assemble_lines(text.split("\n"), version=version))


def assemble_lines(lines: Iterable[str], *, version: int | None = None) -> Iterator[bytes]:
    """Do the same for lines as they come, and yield the trace in pieces.

    Raises
    ------
    TextError
        With the number of the line.
    """
    specs = {spec.name: spec for spec in registry().events}
    records = (
        (number, line) for number, line in enumerate(lines, 1) if line.strip() and not line.lstrip().startswith("#")
    )
    record = next(records, None)
    if record and (first := _HEADER.fullmatch(record[1])):
        version = int(first[1])
        record = next(records, None)
    if version is None:
        raise TextError(1, "expected 'Trace Go1.NN', or say which version it is")
    out = bytearray(header(version))
    while record:
        if len(out) >= _PIECE:
            yield bytes(out)
            out.clear()
        number, line = record
        name, *words = line.split()
        spec = specs.get(name)
        if spec is None:
            raise TextError(number, f"no event is called {name:.60}")
        values = _arguments(number, words, spec.args)
        record = next(records, None)
        out.append(spec.id)
        if name == "ExperimentalBatch":
            if values[0] > 255:
                raise TextError(number, f"experiment {values[0]} does not fit into its byte")
            out.append(values[0])
            values = values[1:]
        out += b"".join(map(uvarint, values))
        if spec.frames:
            for _ in range(values[1]):
                at, frame = record or (number, "")
                out += b"".join(map(uvarint, _arguments(at, frame.split(), _FRAME)))
                record = next(records, None)
        if spec.data:
            content = b""  # Go's writer leaves out the line of empty data
            if record and record[1].split("=")[0].strip() == "data":
                at, quoted = record
                try:
                    content = unquote(quoted.partition("=")[2].strip())
                except ValueError as error:
                    raise TextError(at, str(error)) from None
                record = next(records, None)
            out += uvarint(len(content)) + content
    yield bytes(out)


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
