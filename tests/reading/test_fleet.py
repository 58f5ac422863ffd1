"""Many traces: which ones a name stands for, and what is asked of each of them."""

from __future__ import annotations

import errno
import gc
import gzip
import lzma
import os
import threading
import zipfile
from collections.abc import Iterator
from functools import partial
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any
from weakref import ref

import fsspec
import numpy as np
import pytest
from support import reference
from support.http_server import serving
from support.trace_builder import alloc_trace, new, span

import gotrace

GOOD = alloc_trace([span(0), new(0), new(2)])
DAMAGED = GOOD + b"\7\7\7"
FIXTURES = [reference.DATA / f"{name}.trace.gz" for name in ("heap-go1.22", "sched-go1.26-tiny", "coro-go1.27")]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder of traces, compressed ones, damaged ones, and other files."""
    place = tmp_path / "traces"
    files = {
        "b.trace": GOOD,
        "a.trace": DAMAGED,
        "cut": GOOD[:20],
        "node 1/c.trace.gz": gzip.compress(GOOD),
        "node 1/damaged.xz": lzma.compress(GOOD)[:40],
        "node 1/later/.d.trace": b"go 1.99 trace\0\0\0",
        "node 1/log.gz": gzip.compress(b"a log\n"),
        "README": b"these are traces\n",
        "empty": b"",
        "empty.gz": gzip.compress(b""),
    }
    for name, data in files.items():
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).write_bytes(data)
    return place


TRACES = ["a.trace", "b.trace", "cut", "node 1/c.trace.gz", "node 1/damaged.xz", "node 1/later/.d.trace"]
OTHERS = ["README", "empty", "empty.gz", "node 1/log.gz"]


def paths(folder: object, names: list[str]) -> list[str]:
    return sorted(f"{folder}/{name}" for name in names)


def test_a_folder(folder: Path) -> None:
    skipped: list[str] = []
    assert gotrace.expand(folder, skipped=skipped) == paths(folder, TRACES)
    assert skipped == paths(folder, OTHERS)
    assert gotrace.expand([str(folder), folder / "b.trace"]) == paths(folder, TRACES)


@pytest.mark.parametrize(
    ("pattern", "names"),
    [
        ("*.trace", ["a.trace", "b.trace"]),
        ("[ab].trace", ["a.trace", "b.trace"]),
        ("?.trace", ["a.trace", "b.trace"]),
        ("**/*.gz", ["empty.gz", "node 1/c.trace.gz", "node 1/log.gz"]),
        ("node*", ["node 1/c.trace.gz", "node 1/damaged.xz", "node 1/later/.d.trace"]),
        ("b.trace", ["b.trace"]),
        ("absent.trace", ["absent.trace"]),
    ],
)
def test_globs(pattern: str, names: list[str], folder: Path) -> None:
    assert gotrace.expand(f"{folder}/{pattern}") == paths(folder, names)


def test_a_name_with_brackets_is_a_name(tmp_path: Path) -> None:
    for name in ("a[1].trace", "a1.trace"):
        (tmp_path / name).write_bytes(GOOD)
    assert gotrace.expand(f"{tmp_path}/a[1].trace") == [f"{tmp_path}/a[1].trace"]


def test_home(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(folder))
    assert gotrace.expand(["~/*.trace", "-"]) == ["-", *paths(folder, ["a.trace", "b.trace"])]


def test_nothing(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "text").write_text("text")
    nothing: list[Any] = [[], tmp_path / "other", f"{folder}/*.none", [tmp_path / "other", f"{folder}/*.none"]]
    for sources in nothing:
        with pytest.raises(ValueError, match="no traces"):
            gotrace.expand(sources)
    assert gotrace.expand([tmp_path / "other", folder / "b.trace"]) == [str(folder / "b.trace")]


@pytest.mark.parametrize("wrong", [[GOOD], GOOD, 3, None])
def test_what_is_no_name(wrong: Any) -> None:
    for take in (gotrace.expand, partial(gotrace.each, n_allocs), partial(gotrace.iterate, tables="allocs")):
        with pytest.raises(TypeError, match=r"not( by)? (bytes|int|NoneType)$"):
            take(wrong)


def test_a_folder_that_cannot_be_listed(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    locked = folder / "lost+found"
    locked.mkdir()
    scandir = os.scandir

    def scan(place: str) -> Any:
        if Path(place).name == locked.name:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), place)
        return scandir(place)

    monkeypatch.setattr(os, "scandir", scan)
    for source in (folder, f"{folder}/../traces/", f"{folder}*"):
        names = gotrace.expand(source)
        assert sorted(map(os.path.realpath, names)) == paths(folder, [*TRACES, "lost+found"])
    answers = {name: (value, error) for name, value, error in gotrace.each(n_allocs, folder)}
    assert isinstance(answers[str(locked)][1], OSError)
    assert answers[str(folder / "b.trace")] == (n_allocs(gotrace.open(GOOD)), None)
    assert gotrace.expand(locked) == [str(locked)]


# --- URLs ---------------------------------------------------------------------------------------------------


@pytest.fixture
def bucket(folder: Path) -> Iterator[str]:
    """Return the URL of a copy of the folder, in memory."""
    memory = fsspec.filesystem("memory")
    for path in folder.rglob("*"):
        if path.is_file():
            memory.pipe_file(f"/bucket/{path.relative_to(folder)}", path.read_bytes())
    yield "memory://bucket"
    memory.rm("/bucket", recursive=True)


def test_a_folder_of_a_url(bucket: str) -> None:
    for url in (bucket, f"{bucket}/"):
        skipped: list[str] = []
        assert gotrace.expand(url, skipped=skipped) == paths(bucket, TRACES)
        assert skipped == paths(bucket, OTHERS)


def test_globs_of_a_url(bucket: str, folder: Path) -> None:
    assert gotrace.expand(f"{bucket}/*.trace") == paths(bucket, ["a.trace", "b.trace"])
    assert gotrace.expand(f"{bucket}/**/*.gz") == paths(bucket, ["empty.gz", "node 1/c.trace.gz", "node 1/log.gz"])
    assert gotrace.expand(f"{bucket}/node*") == paths(bucket, [name for name in TRACES if name.startswith("node")])
    assert gotrace.expand(f"{bucket}/absent.trace") == [f"{bucket}/absent.trace"]
    assert gotrace.expand(f"file://{folder}/*.trace") == paths(f"file://{folder}", ["a.trace", "b.trace"])
    with pytest.raises(ValueError, match="no traces"):
        gotrace.expand(f"{bucket}/*.none")


def test_an_archive(folder: Path, tmp_path: Path) -> None:
    archive = tmp_path / "traces.zip"
    with zipfile.ZipFile(archive, "w") as out:
        for name in ("a.trace", "b.trace"):
            out.write(folder / name, name)
    urls = gotrace.expand(f"zip://*.trace::file://{archive}")
    assert urls == [f"zip://{name}::file://{archive}" for name in ("a.trace", "b.trace")]
    found = list(gotrace.each(lambda trace: len(trace.allocs), urls))
    assert [value for _, value, _ in found] == [None, 3]
    assert isinstance(found[0][2], gotrace.MalformedError)


@pytest.mark.parametrize("url", ["http://[::1]:6060/debug/pprof/trace?seconds=5", "https://host/a?b=*"])
def test_a_question_mark_of_http_is_no_wildcard(url: str) -> None:
    assert gotrace.expand(url) == [url]


def test_options_reach_the_file_system(bucket: str) -> None:
    with pytest.raises(OSError, match="no such protocol|Protocol not known"):
        gotrace.expand("nonsense://bucket/*.trace")
    ((name, value, error),) = gotrace.each(len, "nonsense://bucket/*.trace")  # type: ignore[arg-type]
    assert (name, value) == ("nonsense://bucket/*.trace", None)
    assert isinstance(error, OSError)


# --- each ---------------------------------------------------------------------------------------------------


def n_allocs(trace: gotrace.Trace) -> int:
    return len(trace.allocs)


@pytest.mark.parametrize("jobs", [1, 2, 4, 40])
def test_each(jobs: int, folder: Path) -> None:
    sources = [folder / "b.trace", folder / "absent", folder, folder / "*.none", folder / "b.trace"]
    found = list(gotrace.each(n_allocs, sources, jobs=jobs))
    first = str(folder / "b.trace")
    names = [first, f"{folder}/absent", *paths(folder, TRACES), f"{folder}/*.none", first]
    assert [name for name, _, _ in found] == names
    assert [value for _, value, _ in found] == [3, None, None, 3, None, 3, None, None, None, 3]
    kinds = [
        *(type(None), FileNotFoundError, gotrace.MalformedError, type(None), gotrace.TruncatedError, type(None)),
        *(gotrace.TruncatedError, gotrace.UnsupportedVersionError, FileNotFoundError, type(None)),
    ]
    assert [type(error) for _, _, error in found] == kinds


@pytest.mark.parametrize("jobs", [1, 3])
def test_each_takes_any_exception_of_the_function(jobs: int) -> None:
    def fail(trace: gotrace.Trace) -> int:
        if "coro" in trace.path:
            raise KeyError(trace.path)
        return n_allocs(trace)

    found = list(gotrace.each(fail, FIXTURES, jobs=jobs))
    assert [type(error) for *_, error in found] == [type(None), type(None), KeyError]

    def leave(trace: gotrace.Trace) -> None:
        raise SystemExit(3)

    with pytest.raises(SystemExit):
        list(gotrace.each(leave, FIXTURES, jobs=jobs))


def test_each_salvages(folder: Path) -> None:
    ((_, value, error),) = gotrace.each(
        lambda trace: (n_allocs(trace), trace.losses), folder / "a.trace", errors="salvage"
    )
    assert error is None
    assert value is not None
    assert value[0] == 3
    assert value[1]


def test_threads_are_divided_over_traces_first(folder: Path) -> None:
    def threads(trace: gotrace.Trace) -> int:
        return trace.reader.jobs

    path = folder / "b.trace"
    for jobs, n, each in ((1, 3, 1), (2, 3, 1), (4, 2, 2), (5, 2, 2), (4, 1, 4)):
        assert [value for _, value, _ in gotrace.each(threads, [path] * n, jobs=jobs)] == [each] * n


def test_each_is_at_most_twice_its_threads_ahead(folder: Path) -> None:
    started: list[str] = []
    results = gotrace.each(lambda trace: started.append(trace.path), [folder / "b.trace"] * 40, jobs=2)
    assert not started
    for n in range(1, 41):
        next(results)
        assert len(started) <= n + 4


@pytest.mark.parametrize("jobs", [2, 4])
def test_an_early_end_stops_what_is_being_read(jobs: int, tmp_path: Path) -> None:
    """The function for all but the first trace reads until it is stopped."""
    first, path = tmp_path / "first.trace", tmp_path / "app.trace"
    for file in (first, path):
        file.write_bytes(reference.load(FIXTURES[0]))
    before = threading.active_count()
    ended: list[bool] = []
    reading = threading.Event()

    def read(trace: gotrace.Trace) -> None:
        if trace.path == str(first):
            return
        try:
            while True:
                n_allocs(trace)
                reading.set()
        except ValueError:
            ended.append(True)
            raise

    results = gotrace.each(read, [first, *[path] * 39], jobs=jobs)
    next(results)
    assert reading.wait(60)
    results.close()  # type: ignore[attr-defined]
    assert threading.active_count() == before
    assert 0 < len(ended) <= jobs
    assert next(results, None) is None


@pytest.mark.parametrize("many", [partial(gotrace.each, n_allocs), partial(gotrace.iterate, tables="allocs")])
def test_an_early_end_does_not_wait_for_a_server(many: Any, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gotrace.wire.helper.available_cores", lambda: 2)
    asked, answer = threading.Event(), threading.Event()

    def wait(request: BaseHTTPRequestHandler) -> None:
        asked.set()
        answer.wait(60)
        request.send_error(404)

    before = set(threading.enumerate())
    with serving() as server:
        server.answers["a.trace"] = wait
        results = many(sources=[str(folder / "b.trace"), f"{server.url}a.trace"], jobs=2)
        assert next(results)[0] == str(folder / "b.trace")
        assert asked.wait(60)
        results.close()
        assert not answer.is_set()
        answer.set()
        for thread in set(threading.enumerate()) - before:
            if thread.name == "gotrace":
                thread.join(60)
                assert not thread.is_alive()


def test_errors_keep_no_trace_in_memory(folder: Path) -> None:
    kept: list[Any] = []

    def fail(trace: gotrace.Trace) -> None:
        rows = trace.allocs.to_numpy()
        kept.extend((ref(trace), ref(rows)))
        raise RuntimeError("wrong")

    found = list(gotrace.each(fail, [folder / "b.trace"] * 3, jobs=2))
    gc.collect()
    assert [str(error) for *_, error in found] == ["wrong"] * 3
    assert kept
    assert all(reference() is None for reference in kept)


@pytest.mark.parametrize("wrong", [{"jobs": 0}, {"errors": "ignore"}])
def test_wrong_arguments_are_found_at_once(wrong: Any, folder: Path) -> None:
    with pytest.raises(ValueError, match="must be"):
        gotrace.each(n_allocs, folder, **wrong)
    with pytest.raises(ValueError, match="must be"):
        gotrace.iterate(folder, "allocs", **wrong)


def test_no_sources() -> None:
    with pytest.raises(ValueError, match="no sources"):
        gotrace.each(n_allocs, [])
    with pytest.raises(ValueError, match="no sources"):
        gotrace.iterate([], "allocs")


# --- iterate ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("jobs", [1, 2])
@pytest.mark.parametrize("library", ["np", "arrow", "pd", "pl"])
@pytest.mark.parametrize("tables", ["events", ["events", "stacks"]])
def test_iterate(tables: Any, library: Any, jobs: int) -> None:
    options: dict[str, Any] = {"library": library, "step_size": "20 kB", "columns": ["time", "stack", "id"]}
    if tables == "events":
        options["columns"].remove("id")
    want = []
    for path in FIXTURES:
        with gotrace.open(path) as trace:
            want += [(str(path), chunk) for chunk in trace.iterate(tables, **options)]
    found = list(gotrace.iterate(FIXTURES, tables, jobs=jobs, **options))
    assert len({name for name, _ in found}) == 3
    for (name, chunk), (expected_name, expected) in zip(found, want, strict=True):
        assert name == expected_name
        for one, other in zip(_parts(chunk), _parts(expected), strict=True):
            assert (one == other).all() if library == "np" else one.equals(other)


def _parts(chunk: Any) -> list[Any]:
    return list(chunk.values()) if isinstance(chunk, dict) else [chunk]


@pytest.mark.parametrize("jobs", [1, 2])
def test_iterate_gives_what_is_before_a_fault(jobs: int, folder: Path) -> None:
    chunks = gotrace.iterate([folder / "b.trace", folder / "a.trace", folder / "b.trace"], "allocs", jobs=jobs)
    assert [len(next(chunks)[1]) for _ in range(2)] == [3, 3]
    with pytest.raises(gotrace.MalformedError) as caught:
        next(chunks)
    assert caught.value.path == str(folder / "a.trace")
    assert next(chunks, None) is None
    sources = [folder / "a.trace", folder / "b.trace"]
    salvaged = gotrace.iterate(sources, "allocs", jobs=jobs, errors="salvage")
    assert [(name, len(chunk)) for name, chunk in salvaged] == [(str(source), 3) for source in sources]


@pytest.mark.parametrize("jobs", [1, 2])
def test_iterate_ends_early(jobs: int) -> None:
    before = threading.active_count()
    chunks = gotrace.iterate(FIXTURES, "events", step_size=1000, jobs=jobs)
    name, rows = next(chunks)
    chunks.close()  # type: ignore[attr-defined]
    assert threading.active_count() == before
    assert name == str(FIXTURES[0])
    assert rows.dtype == np.dtype(gotrace.EVENT)


def test_iterate_checks_its_arguments_first(folder: Path) -> None:
    for tables in ("nothing", [], ["allocs", "nothing"]):
        with pytest.raises(ValueError, match="no table"):
            gotrace.iterate(folder, tables)
    with pytest.raises(ValueError, match="no column"):
        gotrace.iterate(folder, "allocs", columns=["luck"])
