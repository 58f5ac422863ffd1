"""AllocFree: tables in both layouts, identities, and every point of FORMAT 8.3 and 9.7 to 9.10."""

from __future__ import annotations

from typing import Any

import pytest
from support.trace_builder import BASE, GO, PAGE, PROC, alloc_trace, free, manual, new, old, span, types

import gotrace
from gotrace import Op, What
from gotrace.analysis.info import info as inspect
from gotrace.raw import Writer, allocfree_info, allocfree_types, event

WORD = PAGE // 8


def rows_of(data: bytes, *columns: str) -> list[tuple[Any, ...]]:
    with gotrace.open(data) as trace:
        rows = trace.allocs.to_numpy()
    return [tuple(row[c].item() for c in columns) for row in rows]


def heap_of(data: bytes) -> tuple[dict[str, tuple[int, ...]], dict[str, int]]:
    """By name: objects in use, allocated, freed, and there at the start; and the anomalies."""
    with gotrace.open(data) as trace:
        heap = trace.heap()
        assert trace.anomalies == heap.anomalies
    names = ["inuse_objects", "alloc_objects", "free_objects", "start_objects"]
    table = heap.table
    assert (table["inuse_objects"] == table["start_objects"] + table["alloc_objects"] - table["free_objects"]).all()
    return {row["name"]: tuple(map(int, row[names].tolist())) for row in table}, heap.anomalies


class TestTables:
    def test_release_layout(self) -> None:
        data = alloc_trace([span(0), new(0, 1), new(2, 3)], tables=[allocfree_types(types("main.A", "main.B", "int"))])
        with gotrace.open(data) as trace:
            table = trace.types.to_numpy()
            assert table["name"].tolist() == ["(untyped)", "(unresolved)", "main.A", "main.B", "int"]
            assert trace.allocs["type"].tolist() == [0, 2, 4]

    @pytest.mark.parametrize("first", [1, 2, 300])
    def test_original_layout(self, first: int) -> None:
        table = allocfree_types(types("main.A", "main.B", first=first), layout="original")
        data = alloc_trace([span(0), new(0, first + 1)], tables=[table], info=False)
        with gotrace.open(data) as trace:
            assert trace.types["name"].tolist() == ["(untyped)", "(unresolved)", "main.A", "main.B"]
            assert trace.allocs["type"].tolist() == [0, 3]
            assert trace.anomalies == {"relative addresses": 2}
            assert not trace.warnings

    def test_several_batches_and_long_names(self) -> None:
        names = ["x" * 70_00 + str(i) for i in range(20)]
        table = types(*names)
        parts = [allocfree_types(table[i : i + 5]) for i in range(0, 20, 5)]
        data = alloc_trace([span(0), *(new(2 * i, i + 1) for i in range(20))], tables=parts)
        with gotrace.open(data) as trace:
            rows = trace.objects.to_numpy()
            assert trace.types["name"][rows["type"]].tolist() == names

    def test_ids_belong_to_their_generation_and_descriptors_to_the_trace(self) -> None:
        trace = Writer(23)
        for gen, names in ((1, ("a.T", "b.U")), (2, ("b.U", "a.T")), (3, ())):
            trace.frequency(gen, 100)
            trace.batch(gen, 1, 100 * gen, (span(0) if gen == 1 else b"") + new(6 * gen, 1) + new(6 * gen + 2, 2))
            if names:
                trace.batch(gen, -1, 100, allocfree_types(types(*names)), experiment=1)
        with gotrace.open(trace.getvalue()) as read:
            kinds = read.types["name"][read.objects["type"]].tolist()
        assert kinds == ["a.T", "b.U", "b.U", "a.T", "(unresolved)", "(unresolved)"]

    def test_names_are_not_identities(self) -> None:
        table = [(1, 64, 8, 0, b"x.T"), (2, 128, 16, 0, b"x.T")]
        data = alloc_trace([span(0), new(0, 1), new(2, 2)], tables=[allocfree_types(table)])
        assert set(heap_of(data)[0]) == {"x.T@0x40", "x.T@0x80"}

    @pytest.mark.parametrize("cut", [1, 3, 7, 12, 14])
    def test_table_cut_off(self, cut: int) -> None:
        """The records before the cut are used, and as much of the last name as there is."""
        first, second = types("main.First", "main.Second")
        whole = allocfree_types([first, second])
        data = alloc_trace([span(0), new(0, 1), new(2, 2)], tables=[whole[:-cut]])
        with gotrace.open(data) as trace:
            assert len(trace.allocs) == 3
            names = ["main.First", "main.Second"[:-cut] if cut < 12 else "(unresolved)"]
            assert trace.types["name"][trace.allocs["type"][1:]].tolist() == names
            (note,) = trace.warnings
        at = data.index(whole[:-cut]) + len(allocfree_types([first]))
        assert note.startswith(f"generation 1 (byte {at}): a type record is cut off")

    def test_unknown_kind_is_kept_and_said(self) -> None:
        data = alloc_trace([span(0), new(0)], tables=[b"\7whatever this is"])
        with gotrace.open(data) as trace:
            assert len(trace.allocs) == 2
            assert "unknown kind 7" in trace.warnings[0]
            (generation,) = trace.generations
            assert generation.experiments["AllocFree"].batches[-1] == (-1, b"\7whatever this is")
            assert generation.experiments[1].parsed.unknown == [b"\7whatever this is"]

    def test_id_twice(self) -> None:
        table = types("a", "b")
        table[1] = (1, *table[1][1:])
        with gotrace.open(alloc_trace([span(0), new(0, 1)], tables=[allocfree_types(table)])) as trace:
            assert trace.types["name"][trace.allocs["type"][1]] == "a"
            assert "twice" in trace.warnings[0]


class TestIdentity:
    def test_header_objects(self) -> None:
        """FORMAT 9.4: the allocation names the pointer behind the header, the free the slot."""
        data = alloc_trace([span(0, sizeclass=28), new(81), free(80)])
        assert rows_of(data, "address", "inset", "size", "spanclass")[1:] == [
            (BASE + 640, 8, 640, 56),
            (BASE + 640, 0, 640, 56),
        ]
        assert heap_of(data) == ({"(untyped) 640 B": (0, 1, 1, 0)}, {})

    def test_tiny_objects_share_a_slot(self) -> None:
        data = alloc_trace(
            [span(0, noscan=True), new(0, 1), new(1, 2), new(0, 2), free(0), new(0, 2)],
            tables=[allocfree_types(types("a", "b"))],
        )
        assert [row[0] for row in rows_of(data, "inset")][1:] == [0, 8, 0, 0, 0]
        counts, odd = heap_of(data)
        assert counts == {"a": (0, 1, 1, 0), "b": (1, 1, 0, 0)}
        assert odd == {"tiny objects in a shared slot": 2}

    def test_large_objects(self) -> None:
        data = alloc_trace([span(5, 3, 0, noscan=True), new(5 * WORD), free(5 * WORD), event("SpanFree", 1, 5)])
        assert rows_of(data, "address", "size", "spanclass") == [(BASE + 5 * PAGE, 3 * PAGE, 1)] * 4
        assert heap_of(data) == ({"(untyped) large noscan": (0, 1, 1, 0)}, {})

    def test_addresses_below_the_base(self) -> None:
        below = 2**64 - 4 * 1024 * 1024
        data = alloc_trace([span(below // PAGE), new(below // 8 + 2), free(below // 8 + 2)])
        assert rows_of(data, "address") == [(BASE + below - 2**64,), *[(BASE + below + 16 - 2**64,)] * 2]
        assert heap_of(data)[1] == {}

    def test_stacks(self) -> None:
        data = alloc_trace([
            manual(4), event("GoroutineStackAlloc", 1, 20, 12), event("GoroutineStackFree", 1, 20),
            event("GoroutineStack", 1, 0, 16), event("SpanFree", 1, 4),
        ])  # fmt: skip
        assert rows_of(data, "what", "op", "address", "size", "spanclass") == [
            (What.SPAN, Op.ALLOC, BASE + 4 * PAGE, 4 * PAGE, 254),
            (What.STACK, Op.ALLOC, BASE + 40960, 2048, 255),
            (What.STACK, Op.FREE, BASE + 40960, 2048, 255),
            (What.STACK, Op.EXISTS, BASE, 32768, 255),
            (What.SPAN, Op.FREE, BASE + 4 * PAGE, 4 * PAGE, 254),
        ]
        with gotrace.open(data) as trace:
            memory = trace.heap().memory
        assert (memory["stacks"], memory["stack_bytes"], memory["manual_spans"]) == (1, 32768, 0)

    def test_only_the_first_page_of_large_spans_is_known(self) -> None:
        data = alloc_trace([span(5, 2**30, 0), new(5 * WORD), new(6 * WORD)])
        assert heap_of(data)[1] == {"objects outside any span": 1}

    def test_chunks_of_arenas_have_a_name(self) -> None:
        """The runtime describes each by a type of its own, without a name (seen with Go 1.27.3)."""
        chunks = span(1024, 1024, 0, new=False) + old(1 << 20, 1) + span(2048, 1024, 0, new=False) + old(1 << 21, 2)
        table = allocfree_types([(i, i << 24, 8_257_488, 1680, b"") for i in (1, 2)])
        with gotrace.open(alloc_trace([chunks], tables=[table])) as trace:
            for by in ("type", "package"):
                (row,) = trace.heap(by=by).table
                assert (row["name"], row["inuse_objects"], row["inuse_bytes"]) == ("(arena chunk)", 2, 16 << 20)
            assert any("user arenas" in line for line in inspect(trace).missing)

    def test_the_tail_of_a_span_is_no_slot(self) -> None:
        data = alloc_trace([span(0, sizeclass=28), new(12 * 80)])
        assert heap_of(data)[1] == {"objects outside any span": 1}


class TestWhatGoesOn:
    """FORMAT 9.7 to 9.10."""

    def test_frees_outside_a_proc(self) -> None:
        events = [PROC, GO, span(0), new(0), event("GoStop", 1, 0, 0), event("ProcStop", 1), free(0),
                  event("ProcStart", 1, 3, 1), event("GoStart", 1, 7, 1), new(0)]  # fmt: skip
        assert rows_of(alloc_trace(events), "p", "g") == [(0, 1), (0, 1), (-1, -1), (3, 7)]

    def test_dead_and_revived_in_one_slot(self) -> None:
        assert heap_of(alloc_trace([span(0), new(0), free(0), new(0), free(0), new(0)])) == (
            {"(untyped) 16 B": (1, 3, 2, 0)},
            {},
        )

    def test_a_thread_ahead_of_the_clock_frees_too_late(self) -> None:
        """The sweeper's burst began at 100 and has run ahead; thread 2 reuses the slot before its free."""
        burst = [span(0), *(new(2 * i) for i in range(200)), *(free(2 * i) for i in range(200))]
        data = alloc_trace(burst, [new(2 * 100)], times=(100, 350))
        counts, odd = heap_of(data)
        assert counts["(untyped) 16 B"] == (1, 201, 200, 0)
        assert odd == {"allocations in a live slot": 1, "frees after the slot's next allocation": 1}

    def test_a_free_that_no_clock_explains_ends_the_object(self) -> None:
        """An implicit free: the slot was reused without a HeapObjectFree."""
        data = alloc_trace([span(0), new(0), new(0), free(0, 1000)])
        assert heap_of(data) == ({"(untyped) 16 B": (0, 2, 2, 0)}, {"allocations in a live slot": 1})

    def test_free_before_its_allocation(self) -> None:
        data = alloc_trace([span(0), free(4), new(4)])
        assert heap_of(data) == ({"(untyped) 16 B": (1, 1, 0, 0)}, {"frees of an unknown object": 1})

    def test_snapshot_interleaved_with_allocations(self) -> None:
        """From Go 1.26: other threads allocate and free before the snapshot's last event, by the clock."""
        snapshot = [span(0, new=False), *(old(2 * i, dt=10) for i in range(50)), event("HeapGoal", 1, 5)]
        other = [new(2 * 60), free(2 * 40), free(2 * 45), new(2 * 45), event("GoroutineStackAlloc", 1, 80, 12)]
        data = alloc_trace(snapshot, other, times=(100, 200))
        assert heap_of(data) == ({"(untyped) 16 B": (50, 2, 2, 50)}, {})
        assert rows_of(data, "size")[1] == (16,)

    def test_an_allocation_under_way_when_the_world_stopped(self) -> None:
        data = alloc_trace([span(0, new=False), old(0)], [new(0)], times=(100, 5000))
        assert heap_of(data) == ({"(untyped) 16 B": (1, 1, 1, 1)}, {"allocations in a live slot": 1})

    def test_spans_dropped_by_go_1_23(self) -> None:
        data = alloc_trace([event("SpanFree", 1, 3), new(3 * WORD), free(3 * WORD), free(3 * WORD)])
        assert rows_of(data, "size", "spanclass") == [(0, 255)] * 4
        assert heap_of(data) == (
            {"(untyped) unknown span": (0, 1, 1, 0)},
            {"frees of an unknown span": 1, "objects outside any span": 1, "frees of an unknown object": 1},
        )

    def test_an_object_older_than_its_span_event(self) -> None:
        data = alloc_trace([new(81), span(0, sizeclass=28), free(80)])
        assert heap_of(data) == ({"(untyped) unknown span": (0, 1, 1, 0)}, {"objects outside any span": 1})

    def test_no_tables(self) -> None:
        """A flight recorder's file: no info batch, no snapshot, no types."""
        data = alloc_trace([new(81, 5), free(80), new(3, 9)], info=False)
        assert rows_of(data, "address", "type") == [(648, 1), (640, 0), (24, 1)]
        assert heap_of(data) == (
            {"(unresolved) unknown span": (1, 2, 1, 0)},
            {"relative addresses": 3, "unresolved types": 2, "objects outside any span": 2},
        )

    def test_overlapping_spans(self) -> None:
        data = alloc_trace([span(0, sizeclass=28), new(0), span(0, sizeclass=2), new(0), event("SpanFree", 500, 0)])
        counts, odd = heap_of(data)
        assert counts == {"(untyped) 640 B": (0, 1, 1, 0), "(untyped) 16 B": (0, 1, 1, 0)}
        assert odd == {"overlapping spans": 1, "objects in a freed span": 2}

    def test_a_span_freed_too_late(self) -> None:
        """Its pages were allocated anew by a thread that the burst of frees had overtaken."""
        burst = [
            span(0),
            *(new(2 * i) for i in range(100)),
            *(free(2 * i) for i in range(100)),
            event("SpanFree", 1, 0),
        ]
        data = alloc_trace(burst, [span(0, sizeclass=28), new(0), new(80)], times=(100, 290))
        counts, odd = heap_of(data)
        assert counts["(untyped) 640 B"] == (2, 2, 0, 0)
        assert counts["(untyped) 16 B"] == (0, 100, 100, 0)
        assert odd["overlapping spans"] == 1

    def test_stacks_of_order_0(self) -> None:
        gone = (2**64 - BASE) // 2048
        data = alloc_trace([event("GoroutineStack", 1, gone, 0)] * 3)
        assert rows_of(data, "address", "size") == [(0, 0)] * 3
        assert heap_of(data) == ({}, {"stacks of order 0": 3})

    def test_stacks_of_system_threads(self) -> None:
        data = alloc_trace([event("GoroutineStackFree", 1, 40), event("GoroutineStackAlloc", 1, 40, 14)] * 2)
        assert rows_of(data, "size") == [(0,), (8192,), (8192,), (8192,)]
        assert heap_of(data)[1] == {"frees of an unknown stack": 1}

    def test_objects_of_a_span_that_goes(self) -> None:
        data = alloc_trace([span(0), new(0), new(2), event("SpanFree", 1, 0), free(0)])
        assert heap_of(data) == (
            {"(untyped) 16 B": (0, 2, 2, 0)},
            {"objects in a freed span": 2, "frees of an unknown object": 1},
        )

    def test_manual_spans_hold_no_objects(self) -> None:
        assert heap_of(alloc_trace([manual(0), new(0)]))[1] == {"objects outside any span": 1}


class TestContext:
    """Goroutine and proc as the thread's own events tell."""

    @pytest.mark.parametrize(("events", "expected"), [
        ([PROC, GO], (0, 1)),
        ([PROC, GO, event("GoSyscallBegin", 1, 1, 0)], (0, 1)),
        ([PROC, GO, event("GoSyscallBegin", 1, 1, 0), event("GoSyscallEnd", 1)], (0, 1)),
        ([PROC, GO, event("GoSyscallBegin", 1, 1, 0), event("GoSyscallEndBlocked", 1)], (-1, -1)),
        ([PROC, GO, event("GoSyscallBegin", 1, 1, 0), event("ProcStart", 1, 5, 1)], (5, 1)),
        ([PROC, GO, event("GoSyscallBegin", 1, 1, 0), event("ProcStart", 1, 5, 1), event("GoSyscallEndBlocked", 1)],
         (5, -1)),
        ([PROC, GO, event("GoBlock", 1, 0, 0)], (0, -1)),
        ([PROC, GO, event("GoDestroy", 1)], (0, -1)),
        ([PROC, GO, event("GoSwitch", 1, 9, 1)], (0, 9)),
        ([PROC, GO, event("GoSwitchDestroy", 1, 9, 1)], (0, 9)),
        ([PROC, GO, event("ProcSteal", 1, 0, 1, 1)], (-1, 1)),
        ([PROC, GO, event("ProcSteal", 1, 0, 1, 2)], (0, 1)),
        ([event("ProcStatus", 1, 4, 2), event("GoStatus", 1, 8, 3, 3)], (-1, -1)),
        ([event("GoStatus", 1, 8, 1, 3)], (-1, 8)),
        ([event("GoStatusStack", 1, 8, 1, 2, 0)], (-1, 8)),
        ([event("GoCreateSyscall", 1, 8)], (-1, 8)),
        ([event("GoCreateSyscall", 1, 8), event("GoDestroySyscall", 1)], (-1, -1)),
        ([PROC, GO, event("GoUnblock", 1, 9, 1, 0), event("GoCreate", 1, 9, 0, 0)], (0, 1)),
    ])  # fmt: skip
    def test_one(self, events: list[bytes], expected: tuple[int, int]) -> None:
        assert rows_of(alloc_trace([*events, new(0)]), "p", "g") == [expected]

    def test_kept_from_generation_to_generation(self) -> None:
        trace = Writer(23).frequency(1, 100).batch(1, 1, 100, PROC + GO).frequency(2, 1).batch(2, 1, 1, new(0))
        assert rows_of(trace.getvalue(), "p", "g", "generation") == [(0, 1, 2)]

    def test_events_without_a_thread(self) -> None:
        trace = Writer(23).frequency(1, 100).batch(1, -1, 100, PROC + GO + new(0))
        assert rows_of(trace.getvalue(), "m", "p", "g") == [(-1, -1, -1)]


class TestOrder:
    def test_ties_go_to_the_thread_that_appears_first(self) -> None:
        data = alloc_trace([new(1), new(2, dt=0)], [new(3), new(4)], [new(5)])
        assert [m for (m,) in rows_of(data, "m")] == [1, 1, 2, 3, 2]

    def test_time_may_step_back_where_a_batch_begins(self) -> None:
        trace = Writer(23).frequency(1, 1)
        trace.batch(1, 2, 1000, new(1)).batch(1, 1, 900, new(2)).batch(1, 2, 10, new(3)).batch(1, 1, 950, new(4))
        assert rows_of(trace.getvalue(), "m", "time") == [(1, 64 * 901), (1, 64 * 951), (2, 64 * 1001), (2, 64 * 11)]

    def test_every_event_counts_for_the_order(self) -> None:
        """The next event of a thread decides, also one that gives no row."""
        data = alloc_trace([event("HeapAlloc", 50, 1), new(1, dt=0)], [new(2, dt=20)])
        assert [m for (m,) in rows_of(data, "m")] == [2, 1]


class TestDefectsOfTheOriginalChange:
    """FORMAT 8.3, the numbers are its rows."""

    def test_1_all_arguments_are_there(self) -> None:
        with gotrace.open(alloc_trace([span(7, 2, 3, dt=5)])) as trace:
            (row,) = trace.experimental.to_numpy()
        assert row["args"].tolist() == [7, 2, 12, 0]
        assert row["n_args"] == 3

    def test_2_and_3_batches_are_kept(self) -> None:
        trace = Writer(23)
        for gen in (1, 2, 3):
            trace.frequency(gen, 1)
            if gen != 2:
                trace.batch(gen, gen, 1, b"\7a", experiment=1).batch(gen, -1, 1, b"\7b", experiment=1)
        with gotrace.open(trace.getvalue()) as read:
            one, two, three = read.generations
        assert one.experiments[1].batches == [(1, b"\7a"), (-1, b"\7b")]
        assert 1 not in two.experiments
        assert three.experiments["AllocFree"].batches == [(3, b"\7a"), (-1, b"\7b")]

    def test_4_and_9_nothing_depends_on_the_snapshot_being_whole_or_in_order(self) -> None:
        stack = event("GoroutineStack", 1, 80, 12)
        spans_first = [span(0, new=False), old(0), old(4), stack]
        stacks_first = [stack, span(0, new=False), old(0), old(4)]
        assert heap_of(alloc_trace(spans_first)) == heap_of(alloc_trace(stacks_first))

    def test_5_and_6_addresses_without_an_info_batch(self) -> None:
        events = [span(1), new(WORD + 2), event("GoroutineStackAlloc", 1, 8, 12)]
        assert rows_of(alloc_trace(events, info=False), "address", "size") == [
            (PAGE, PAGE), (PAGE + 16, 16), (8 * 2048, 2048),
        ]  # fmt: skip

    def test_6_scales_come_from_the_info_batch(self) -> None:
        trace = Writer(23).frequency(1, 5).batch(1, -1, 1, allocfree_info(1 << 22, 8192, 16, 4096), experiment=1)
        trace.batch(1, 1, 5, span(1) + new(513) + event("GoroutineStackAlloc", 1, 3, 13))
        assert rows_of(trace.getvalue(), "address") == [((1 << 22) + 8192,), ((1 << 22) + 8208,), ((1 << 22) + 12288,)]

    def test_7_dropped_events_are_counted(self) -> None:
        assert heap_of(alloc_trace([event("GoroutineStackFree", 1, 9)]))[1] == {"frees of an unknown stack": 1}

    def test_8_a_good_generation_survives_a_bad_one(self) -> None:
        data = alloc_trace([span(0), new(0)]) + b"\1\2\1"
        n = 0
        with pytest.raises(gotrace.TruncatedError), gotrace.open(data) as trace:
            for chunk in trace.iterate("allocs"):
                n += len(chunk)
        assert n == 2
