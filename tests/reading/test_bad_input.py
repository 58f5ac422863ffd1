"""What is wrong with a trace, where, and what came before: FORMAT 11, one row a case."""

from __future__ import annotations

import gzip

import pytest
from support.streams import Stream
from support.trace_builder import BASE, GO, PROC, alloc_trace, new, span

import gotrace
from gotrace.raw import Writer, allocfree_info, event, string, uvarint

HEADER = 16


def rows_and_error(data: bytes) -> tuple[int, gotrace.TraceError | None]:
    """How many rows come before the error, and the error; the same for buffers and for streams."""
    answers = []
    for source in (data, Stream(data)):
        n, error = 0, None
        try:
            with gotrace.open(source) as trace:
                for chunk in trace.iterate("allocs", step_size=640):
                    n += len(chunk)
        except gotrace.TraceError as caught:
            error = caught
        answers.append((n, error))
    (n, error), (again, same) = answers
    assert n == again
    assert str(error).replace("<buffer>", "<stream>") == str(same)
    return n, error


def good(version: int, gen: int = 1) -> Writer:
    """A generation with two alloc/free events."""
    return more(Writer(version), gen)


def more(trace: Writer, gen: int) -> Writer:
    trace.frequency(gen, 100)
    return trace.batch(gen, 1, 100, PROC + GO + span(2) + new(2048)).end_of_generation()


HEADERS = {
    "empty": (b"", gotrace.HeaderError),
    "short": (b"go 1.22 tr", gotrace.HeaderError),
    "text": (b"hello world, this is no trace", gotrace.HeaderError),
    "bzip2": (b"BZh91AY&SY" + bytes(20), gotrace.HeaderError),
    "gzip": (gzip.compress(b"hello world, this is no trace"), gotrace.HeaderError),
    "v1": (b"go 1.21 trace\0\0\0", gotrace.UnsupportedVersionError),
    "v1 short": (b"go 1.5 trace\0\0\0\0", gotrace.UnsupportedVersionError),
    "never written": (b"go 1.24 trace\0\0\0", gotrace.UnsupportedVersionError),
    "newer": (b"go 1.27 trace\0\0\0", gotrace.UnsupportedVersionError),
    "leading zero": (b"go 1.022 trace\0\0", gotrace.HeaderError),
    "two blanks": (b"go  1.22 trace\0\0", gotrace.HeaderError),
    "no zeros": (b"go 1.22 trace\0\0\1", gotrace.HeaderError),
}


@pytest.mark.parametrize("name", HEADERS)
def test_header(name: str) -> None:
    data, kind = HEADERS[name]
    with pytest.raises(gotrace.HeaderError) as caught:
        gotrace.open(data)
    assert type(caught.value) is kind
    assert caught.value.offset in (0, 5)


def test_headers_without_anything_behind() -> None:
    assert isinstance(rows_and_error(b"go 1.22 trace\0\0\0")[1], gotrace.TruncatedError)
    assert isinstance(rows_and_error(b"go 1.25 trace\0\0\0")[1], gotrace.TruncatedError)
    assert rows_and_error(b"go 1.26 trace\0\0\0") == (0, None)


def check(data: bytes, rows: int, kind: type[gotrace.TraceError], offset: int, words: str = "") -> gotrace.TraceError:
    n, error = rows_and_error(data)
    assert type(error) is kind, error
    assert error is not None
    assert (n, error.offset) == (rows, offset), error
    assert words in str(error)
    assert f"[{data[offset]:02x}]" in error.excerpt() if offset < len(data) else True
    return error


@pytest.mark.parametrize("version", [22, 23, 25, 26])
class TestEachVersion:
    def test_not_a_batch(self, version: int) -> None:
        data = good(version).getvalue()
        check(data + b"\7", 2, gotrace.MalformedError, len(data), "expected a batch, found byte 7")

    def test_batch_too_big(self, version: int) -> None:
        data = good(version).getvalue()
        check(data + b"\1" + uvarint(2) + b"\1\1" + uvarint(65537), 2, gotrace.MalformedError, len(data), "65537")

    def test_batch_cut(self, version: int) -> None:
        data = good(version).getvalue()
        tail = b"\1\2\1\1\5abc"
        check(data + tail, 2, gotrace.TruncatedError, len(data), "3 bytes into a batch of 5")

    @pytest.mark.parametrize("tail", [b"\1", b"\1\2", b"\1\2\1", b"\1\2\1\1", b"\1\x82", b"\1\2\1\1\x80"])
    def test_header_cut(self, version: int, tail: bytes) -> None:
        data = good(version).getvalue()
        _, error = rows_and_error(data + tail)
        assert type(error) is gotrace.TruncatedError
        assert len(data) < error.offset <= len(data) + len(tail)

    def test_experiment_byte_missing(self, version: int) -> None:
        data = good(version).getvalue()
        check(data + b"\x31", 2, gotrace.TruncatedError, len(data))

    def test_generation_zero(self, version: int) -> None:
        data = good(version).getvalue()
        rows = 2 if version == 26 else 0
        check(data + b"\1\0\1\1\0", rows, gotrace.GenerationError, len(data), "generation number 0")

    def test_end_mark_inside_a_batch(self, version: int) -> None:
        data = good(version).getvalue()
        check(data + b"\1\2\1\1\2\x34\0", 2, gotrace.GenerationError, len(data))

    def test_too_many_bits(self, version: int) -> None:
        data = good(version).getvalue()
        check(data + b"\1" + b"\xff" * 10, 2, gotrace.MalformedError, len(data) + 1)

    def test_no_frequency(self, version: int) -> None:
        trace = Writer(version).batch(1, 1, 5, PROC).end_of_generation()
        check(trace.getvalue(), 0, gotrace.TableError, HEADER, "no clock frequency")

    def test_zero_frequency(self, version: int) -> None:
        trace = Writer(version).frequency(1, 5, 0).end_of_generation()
        _, error = rows_and_error(trace.getvalue())
        assert type(error) is gotrace.TableError

    def test_two_frequencies(self, version: int) -> None:
        trace = Writer(version).frequency(1, 5).frequency(1, 6).end_of_generation()
        _, error = rows_and_error(trace.getvalue())
        assert type(error) is gotrace.TableError
        assert "second" in str(error)

    @pytest.mark.parametrize("kind", [0, 1, 8, 49, 50, 51, 53, 127, 137, 255])
    def test_unknown_event(self, version: int, kind: int) -> None:
        trace = Writer(version).frequency(1, 100)
        at = len(trace.getvalue())
        trace.batch(1, 7, 100, PROC + span(2) + new(2048) + bytes([kind, 1, 1, 1, 1]), padded=False)
        data = trace.end_of_generation().getvalue()
        head = 5
        error = check(data, 2, gotrace.MalformedError, at + head + len(PROC + span(2) + new(2048)), str(kind))
        assert error.generation == 1
        assert error.m == 7

    def test_event_cut(self, version: int) -> None:
        trace = Writer(version).frequency(1, 100)
        at = len(trace.getvalue())
        trace.batch(1, 7, 100, span(2) + new(2048)[:-1], padded=False)
        error = check(trace.end_of_generation().getvalue(), 1, gotrace.TruncatedError, at + 5 + len(span(2)))
        assert error.event == "HeapObjectAlloc"
        assert "HeapObjectAlloc" in str(error)

    def test_wide_proc(self, version: int) -> None:
        trace = Writer(version).frequency(1, 100).batch(1, 7, 100, span(2) + event("ProcStart", 1, 2**31, 1))
        n, error = rows_and_error(trace.end_of_generation().getvalue())
        assert n == 1
        assert type(error) is gotrace.MalformedError

    def test_second_generation_lost(self, version: int) -> None:
        trace = more(good(version), 2)
        data = trace.batch(3, 1, 1, PROC).end_of_generation().getvalue()
        n, error = rows_and_error(data)
        assert n == 4
        assert type(error) is gotrace.TableError
        assert error.generation == 3


@pytest.mark.parametrize("version", [22, 23, 25])
class TestBeforeEndMarks:
    @pytest.mark.parametrize("number", [3, 5, 2**64 - 1])
    def test_generations_out_of_order(self, version: int, number: int) -> None:
        trace = more(good(version), 2)
        at = len(trace.getvalue())
        check(trace.batch(number, 1, 1, b"").getvalue() if number != 3 else trace.batch(4, 1, 1, b"").getvalue(),
              2, gotrace.GenerationError, at)  # fmt: skip

    def test_back_to_an_earlier_one(self, version: int) -> None:
        trace = more(good(version), 2)
        at = len(trace.getvalue())
        check(trace.batch(1, 1, 1, b"").getvalue(), 2, gotrace.GenerationError, at)

    def test_bare_end_mark(self, version: int) -> None:
        data = good(version).getvalue()
        check(data + b"\x34", 0, gotrace.GenerationError, len(data))

    def test_what_is_cut_is_delivered_first(self, version: int) -> None:
        trace = good(version)
        trace.batch(1, 1, 200, new(2050), size=100)
        n, error = rows_and_error(trace.getvalue())
        assert n == 2
        assert type(error) is gotrace.TruncatedError


class TestEndMarks:
    def test_missing_at_the_end(self) -> None:
        data = good(26).getvalue()[:-1]
        check(data, 0, gotrace.TruncatedError, len(data), "before its end mark")

    def test_missing_between(self) -> None:
        trace = Writer(26).raw(good(26).getvalue()[16:-1])
        at = len(trace.getvalue())
        check(more(trace, 2).getvalue(), 0, gotrace.GenerationError, at)

    def test_structure_only_is_no_clean_end(self) -> None:
        data = good(26).frequency(2, 1).getvalue()
        check(data, 2, gotrace.TruncatedError, len(data))

    def test_alone(self) -> None:
        check(b"go 1.26 trace\0\0\0\x34", 0, gotrace.TableError, 16)

    def test_numbers_may_do_what_they_like(self) -> None:
        assert rows_and_error(more(more(more(good(26), 9), 2), 2).getvalue()) == (8, None)

    def test_an_earlier_fault_of_the_lost_generation_wins(self) -> None:
        trace = good(26).batch(2, -1, 0, event("Strings") + b"\x09")
        at = len(trace.getvalue()) - 1
        check(trace.batch(2, 1, 1, b"x", size=70000).getvalue(), 2, gotrace.TableError, at)

    def test_no_clock_snapshot(self) -> None:
        trace = Writer(26).batch(1, -1, 1, event("Sync") + event("Frequency", 5)).end_of_generation()
        check(trace.getvalue(), 0, gotrace.TableError, 16, "no clock snapshot")


def structural(data: bytes, version: int = 23) -> tuple[bytes, int]:
    """A good generation, then one with a batch of the data given: the trace, and the offset of the data."""
    trace = good(version).frequency(2, 1)
    trace.batch(2, 0, 1, data)
    before = len(trace.getvalue()) - len(data)
    return trace.end_of_generation().getvalue(), before


STRINGS, STACKS, SAMPLES = event("Strings"), event("Stacks"), event("CPUSamples")
NO_STACK = event("CPUSample", 1, 2, 3, 4, 0)
STRUCTURES: dict[str, tuple[bytes, int, type[gotrace.TraceError]]] = {
    "string of another kind": (STRINGS + b"\3", 1, gotrace.TableError),
    "strings begun twice": (STRINGS + STRINGS, 1, gotrace.TableError),
    "string id cut": (STRINGS + b"\5", 2, gotrace.TruncatedError),
    "string id half": (STRINGS + b"\5\x80", 2, gotrace.TruncatedError),
    "string length cut": (STRINGS + b"\5\1", 3, gotrace.TruncatedError),
    "string cut": (STRINGS + b"\5\1\4abc", 1, gotrace.TableError),
    "string too long": (STRINGS + b"\5\1" + uvarint(1025) + bytes(1025), 1, gotrace.TableError),
    "string of any length": (STRINGS + b"\5\1" + uvarint(2**63), 1, gotrace.TableError),
    "string twice": (STRINGS + string(1, b"a") + string(1, b"a"), 1 + 4, gotrace.TableError),
    "string 0": (STRINGS + string(0, b""), 1, gotrace.TableError),
    "stack of another kind": (STACKS + b"\5", 1, gotrace.TableError),
    "stack id cut": (STACKS + b"\3", 2, gotrace.TruncatedError),
    "stack size cut": (STACKS + b"\3\1", 3, gotrace.TruncatedError),
    "stack too deep": (STACKS + event("Stack", 1, 129), 1, gotrace.TableError),
    "stack of any depth": (STACKS + event("Stack", 1, 2**64 - 1), 1, gotrace.TableError),
    "frame cut": (STACKS + event("Stack", 1, 1) + b"\1\0\0", 1 + 6, gotrace.TruncatedError),
    "stack twice": (STACKS + event("Stack", 1, 0) + event("Stack", 1, 0), 1 + 3, gotrace.TableError),
    "stack 0": (STACKS + event("Stack", 0, 0), 1, gotrace.TableError),
    "unknown function": (STACKS + event("Stack", 1, 1) + b"\1\7\0\1", 1, gotrace.TableError),
    "unknown file": (STACKS + event("Stack", 1, 1) + b"\1\0\7\1", 1, gotrace.TableError),
    "sample of another kind": (SAMPLES + b"\5", 1, gotrace.TableError),
    "sample cut": (SAMPLES + NO_STACK[:-1], 1 + 5, gotrace.TruncatedError),
    "sample with unknown stack": (SAMPLES + event("CPUSample", 1, 2, 3, 4, 5), 1, gotrace.TableError),
}


@pytest.mark.parametrize("name", STRUCTURES)
@pytest.mark.parametrize("version", [23, 26])
def test_structure(name: str, version: int) -> None:
    content, inside, kind = STRUCTURES[name]
    data, start = structural(content, version)
    error = check(data, 2, kind, start + inside)
    assert error.generation == 2


def test_fault_after_a_fault_in_the_same_generation() -> None:
    """The first one in file order counts."""
    trace = good(23).frequency(2, 1).strings(2, {1: b"a"})
    at = len(trace.getvalue())
    trace.strings(2, {1: b"b"}).batch(2, 0, 1, STACKS + b"\7")
    _, error = rows_and_error(trace.getvalue())
    assert error is not None
    assert at < error.offset < at + 30
    assert "string id 1 is defined twice" in str(error)


SPANS = {
    "2**60 pages": (event("SpanAlloc", 1, 9, 2**60, 10), "1152921504606846976 pages"),
    "no pages": (event("SpanAlloc", 1, 9, 0, 10), "0 pages"),
    "class 68": (event("SpanAlloc", 1, 9, 1, 272), "272"),
    "odd kind": (event("Span", 1, 9, 1, 3), "3"),
    "stack of order 99": (event("GoroutineStackAlloc", 1, 9, 99), "99"),
    "snapshot span of 2**60 pages": (event("Span", 1, 9, 2**60, 10), "pages"),
}


@pytest.mark.parametrize("name", SPANS)
def test_impossible_events(name: str) -> None:
    wrong, words = SPANS[name]
    data = alloc_trace([span(2), new(2048), wrong, new(2050)])
    n, error = rows_and_error(data)
    assert n == 2
    assert type(error) is gotrace.ExperimentError
    assert words in str(error)
    assert data[error.offset] == wrong[0]
    assert (error.generation, error.m) == (1, 1)
    assert error.event is not None


def test_info_batch() -> None:
    for page, align in ((0, 8), (3, 8), (8192, 0), (2**40, 8)):
        trace = Writer(23).frequency(1, 5).batch(1, -1, 1, allocfree_info(BASE, page, align), experiment=1)
        trace.batch(1, 1, 5, new(1))
        with gotrace.open(trace.getvalue()) as opened:
            assert len(opened.allocs) == 1
            assert opened.anomalies["relative addresses"] == 1
            assert "alloc/free info batch" in opened.warnings[0]
            assert "ignored" in opened.warnings[0]


def test_a_trace_that_failed_is_closed_and_says_so() -> None:
    trace = gotrace.open(good(23).getvalue() + b"\7")
    with pytest.raises(gotrace.MalformedError):
        trace.allocs.to_numpy()
    with pytest.raises(ValueError, match="damaged"):
        trace.allocs.to_numpy()


def test_heap_up_to_the_fault() -> None:
    with pytest.raises(gotrace.MalformedError) as caught:
        gotrace.open(good(23).getvalue() + b"\7").heap()
    assert caught.value.partial.table["inuse_objects"].sum() == 1
