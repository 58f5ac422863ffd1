"""Compressed inputs give the rows of what they hold; damaged ones give the rows before the damage."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import os
import struct
import sys
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support import reference
from support.http_server import in_memory
from support.streams import Stream

import gotrace
from gotrace.cli import main
from gotrace.wire import compression


def _zstd(data: bytes) -> bytes:
    module = pytest.importorskip("compression.zstd" if sys.version_info >= (3, 14) else "backports.zstd")
    packed: bytes = module.compress(data, options={module.CompressionParameter.checksum_flag: 1})
    return packed


Pack = Callable[[bytes], bytes]
PACKS: dict[str, Pack] = {"gzip": gzip.compress, "zstd": _zstd, "xz": lzma.compress}
packs = pytest.mark.parametrize("name", PACKS)
DATA = reference.load(reference.DATA / "sched-go1.26-tiny.trace.gz")
with gotrace.open(DATA) as plain:
    EVENTS = plain.events.to_numpy()
    GENERATIONS = plain.generations.to_numpy()


@pytest.fixture(params=[1, 2])
def jobs(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr("gotrace.wire.helper.available_cores", lambda: 2)
    threads: int = request.param
    return threads


def without_isal(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("isal", "isal.isal_zlib"):
        monkeypatch.setitem(sys.modules, module, None)


def read(source: Any, **options: Any) -> tuple[list[int], gotrace.TraceError | None]:
    """Offsets of the events, and the error after them."""
    offsets: list[int] = []
    try:
        with gotrace.open(source, **options) as trace:
            for rows in trace.iterate("events", step_size="64 kB"):
                offsets += rows["offset"].tolist()
    except gotrace.TraceError as error:
        return offsets, error
    return offsets, None


@packs
def test_every_kind_of_input(name: str, tmp_path: Path) -> None:
    pack = PACKS[name]
    third = len(DATA) // 3
    for data in (pack(DATA), pack(DATA[:third]) + pack(DATA[third:]), pack(DATA[:7]) + pack(b"") + pack(DATA[7:])):
        path = tmp_path / "a.trace"  # the name says nothing
        path.write_bytes(data)
        for source in (path, data, memoryview(data)):
            with gotrace.open(source) as trace:
                assert (trace.events.to_numpy() == EVENTS).all()
                assert len(trace.events) == len(EVENTS)  # a second pass
                assert len(b"".join(trace.text("wire"))) > 0
        with gotrace.open(Stream(data)) as stream:
            assert (stream.events.to_numpy() == EVENTS).all()
            with pytest.raises(ValueError, match="has already been read"):
                len(stream.events)


@packs
def test_an_input_that_is_cut_off(name: str) -> None:
    """All rows of whole generations are there, then an error with the place that was reached."""
    data = PACKS[name](DATA)
    for cut in (*range(compression.HEAD, 60, 9), *range(60, len(data) - 1, len(data) // 7), len(data) - 1):
        offsets, error = read(data[:cut])
        assert isinstance(error, gotrace.TruncatedError)
        assert error.detail == f"the {name} data end before their end mark"
        ends = GENERATIONS["offset"] + GENERATIONS["nbytes"]
        whole = int(np.isin(EVENTS["generation"], GENERATIONS["number"][ends <= error.offset]).sum())
        assert offsets == EVENTS["offset"].tolist()[:whole] + [-1] * (len(offsets) - whole)
        assert len(offsets) - whole in (0, 1)  # the Sync that ends them
        salvaged, error = read(data[:cut], errors="salvage")
        assert len(salvaged) >= len(offsets) or error is not None


@packs
def test_an_input_that_is_damaged(name: str) -> None:
    data = bytearray(PACKS[name](DATA))
    data[len(data) // 2] ^= 0x55
    _, error = read(bytes(data))
    assert isinstance(error, gotrace.TraceError)
    offsets, error = read(PACKS[name](DATA) + b"more")
    assert isinstance(error, gotrace.MalformedError)
    assert error.detail == f"other bytes follow the {name} data"
    assert offsets == EVENTS["offset"].tolist()


def test_padding_after_gzip() -> None:
    assert read(gzip.compress(DATA) + bytes(512)) == (EVENTS["offset"].tolist(), None)


def test_zstd_frames_that_hold_no_data(tmp_path: Path) -> None:
    """Pzstd writes one before each frame, and the seekable format one at the end."""
    empty, text, long = (struct.pack("<II", 0x184D2A50 + n % 16, n) + bytes(n) for n in (0, 5, 100_000))
    half = len(DATA) // 2
    data = empty + text + _zstd(DATA[:half]) + long + _zstd(DATA[half:]) + text
    assert read(data) == (EVENTS["offset"].tolist(), None)
    _, error = read(data[:-1])
    assert isinstance(error, gotrace.TruncatedError)
    (tmp_path / "a").write_bytes(data)
    assert gotrace.expand(tmp_path) == [str(tmp_path / "a")]


def test_gzip_without_isal(monkeypatch: pytest.MonkeyPatch) -> None:
    without_isal(monkeypatch)
    data = gzip.compress(DATA)
    assert read(data) == (EVENTS["offset"].tolist(), None)
    _, error = read(data[:-9])
    assert isinstance(error, gotrace.TruncatedError)


@pytest.mark.parametrize("name", [*PACKS, "gzip without isal"])
def test_no_damage_passes(name: str, jobs: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where 200 inputs end early, or 200 have one bit flipped, there is an error with its place, or nothing is lost."""
    if name == "gzip without isal":
        without_isal(monkeypatch)
    data = PACKS[name.split()[0]](DATA)
    everything = read(DATA)[0]
    n_bits = 8 * len(data)
    flipped = []
    for bit in (*range(100), *range(100, n_bits - 20, n_bits // 80), *range(n_bits - 20, n_bits)):
        changed = bytearray(data)
        changed[bit // 8] ^= 1 << bit % 8
        flipped.append(bytes(changed))
    cuts = [data[: len(data) * i // 200] for i in range(200)]
    n_unharmed = 0
    for i, part in enumerate((*cuts, *flipped)):
        source: Any = (in_memory, bytes, io.BytesIO)[i % 3](part)
        offsets, error = read(source, jobs=jobs)
        if error is None:
            assert i >= len(cuts)
            assert offsets == everything
            n_unharmed += 1
        else:
            assert error.offset >= 0
            if i < len(cuts):  # a Sync may end the rows
                assert offsets[:-1] == everything[: max(len(offsets) - 1, 0)]
    assert n_unharmed < 60  # bits of the header of gzip, and padding


def test_a_bomb_takes_little_memory() -> None:
    """What zeros decompress to is not a trace, and is not decompressed to its end."""
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    bomb = packer.compress(DATA[:16]) + b"".join(packer.compress(bytes(1 << 20)) for _ in range(200)) + packer.flush()
    assert len(bomb) < 1 << 20
    offsets, error = read(bomb)
    assert offsets == [-1]
    assert isinstance(error, gotrace.MalformedError)


@pytest.mark.parametrize("name", ["mapped", "not mapped", *PACKS])
def test_a_file_that_is_still_written(name: str, jobs: int, tmp_path: Path) -> None:
    """It is read to its last whole generation, or further if it grows, and the error states where it ends."""
    data = PACKS[name](DATA) if name in PACKS else DATA
    path = tmp_path / "a.trace"
    for grown in (len(data) * 2 // 3, len(data) * 5 // 6, len(data)):
        path.write_bytes(data[: len(data) * 2 // 3])
        with gotrace.open(path, jobs=jobs, mmap=name != "not mapped") as trace:
            path.write_bytes(data[:grown])
            offsets: list[int] = []
            try:
                for rows in trace.iterate("events", step_size="64 kB"):
                    offsets += rows["offset"].tolist()
            except gotrace.TruncatedError as error:
                assert 16 < error.offset < len(DATA)
                assert offsets[:-1] == EVENTS["offset"].tolist()[: max(len(offsets) - 1, 0)]
            else:
                assert grown == len(data)
                assert offsets == EVENTS["offset"].tolist()


@packs
def test_a_file_that_shrinks(name: str, jobs: int, tmp_path: Path) -> None:
    data = PACKS[name](DATA)
    path = tmp_path / "a.trace"
    path.write_bytes(data)
    with gotrace.open(path, jobs=jobs) as trace:
        assert len(trace.events) == len(EVENTS)
        os.truncate(path, len(data) // 2)
        with pytest.raises(gotrace.TruncatedError, match="end before their end mark"):
            len(trace.events)


def test_other_formats(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "a.trace.bz2"
    path.write_bytes(bz2.compress(DATA))
    assert main(["info", str(path)]) == 3
    assert f"a.trace.bz2: bzip2 is not read; pipe it: bzcat {path} | gotrace ... -" in capsys.readouterr().err
    with pytest.raises(gotrace.HeaderError, match="lz4 is not read; pipe it: lz4cat FILE | gotrace ... -"):
        gotrace.open(b"\x04\x22\x4d\x18" + bytes(20))


def test_a_missing_library(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "a.trace"
    path.write_bytes(_zstd(DATA))
    for module in ("compression", "compression.zstd", "backports", "backports.zstd"):
        monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(
        ImportError, match=r"a\.trace: zstd input needs backports.zstd: python -m pip install 'gotrace\[zstd\]'"
    ):
        gotrace.open(path)
    assert main(["info", "--json", str(path)]) == 3
    assert json.loads(capsys.readouterr().out)["error"]["class"] == "ImportError"
    assert main(["sql", "select count(*) from events", str(path)]) == 3
    assert capsys.readouterr().err.startswith(f"gotrace: {path}: zstd input needs")


def test_a_pipe(tmp_path: Path) -> None:
    read_end, write_end = os.pipe()
    if os.fork() == 0:
        os.close(read_end)
        with os.fdopen(write_end, "wb") as out:
            out.write(gzip.compress(DATA))
        os._exit(0)
    os.close(write_end)
    with os.fdopen(read_end, "rb") as file, gotrace.open(file) as trace:
        assert len(trace.events) == len(EVENTS)
    os.wait()
