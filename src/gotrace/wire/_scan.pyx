"""Scans over all timed events of a slab: counts by type, selected events, and experimental events in time order.

In: event batches by thread, or a merge. Out: arrays of counts and raw rows. Never here: what an experiment's events
mean, the order of the scheduler.
"""
from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memset

from gotrace._generated cimport (
    AHEAD, COMPACT, CURSOR, DECODED, EV_GOROUTINE_STACK, EV_HEAP_OBJECT, EV_SPAN, EXPERIMENTAL, FAULT, FULL,
    GENERATION_ROW, OK, PICKED, CONTEXT, WIDE_PROC,
)
from gotrace.wire._cursor cimport END_OF_CURSOR, EventBatches, args_at, refill
from gotrace.wire._merge cimport (
    Merge, MergeState, Turn, blame, follow, in_turn, next_turn, pause, resume, start_of, turn_of, type_of,
)
from gotrace.wire._stream cimport Stream


def count(EventBatches source, const GENERATION_ROW[::1] gens, CURSOR[::1] cursors, int64_t[:, ::1] counts,
          int64_t[::1] ends, FAULT[::1] faults):
    """Count the events of each generation by type, and find its latest time.

    ``counts`` has shape (generations, 256); ``ends`` must be initialized to the lowest time. The count stops at the
    first fault.
    """
    cdef Py_ssize_t g
    cdef int32_t r
    cdef int n, i
    cdef int64_t latest
    cdef int64_t[4][256] tally      # four tables: repeated additions to one address are slow
    cdef Stream s = source.stream
    cdef DECODED[AHEAD] events
    cdef FAULT *fault = &faults[0]
    fault.status = OK
    with nogil:
        for g in range(gens.shape[0]):
            s.factor = gens[g].factor
            memset(tally, 0, sizeof(tally))
            latest = ends[g]
            for r in range(gens[g].first_cursor, gens[g].first_cursor + gens[g].n_cursors):
                while True:
                    n = refill(&s, &cursors[r], events, AHEAD, fault)
                    if n == 0:
                        break
                    for i in range(n):
                        tally[i & 3][events[i].type] += 1
                        if events[i].time > latest:
                            latest = events[i].time
                if fault.status < 0:
                    break
                fault.status = OK
            ends[g] = latest
            for i in range(256):
                counts[g, i] = tally[0][i] + tally[1][i] + tally[2][i] + tally[3][i]
            if fault.status < 0:
                break


def footprint(EventBatches source, CURSOR[::1] cursors, const int32_t[::1] groups, int64_t[:, :, ::1] sums,
              FAULT[::1] faults):
    """Add the number of events and their bytes to ``sums[groups[i], type]``, for cursor i; stop at the first fault."""
    cdef Py_ssize_t r
    cdef int n, i
    cdef int64_t end
    cdef int64_t[:, ::1] group
    cdef Stream s = source.stream
    cdef DECODED[AHEAD] events
    cdef FAULT *fault = &faults[0]
    fault.status = OK
    with nogil:
        for r in range(cursors.shape[0]):
            group = sums[groups[r]]
            while True:
                n = refill(&s, &cursors[r], events, AHEAD, fault)
                if n == 0:
                    break
                end = cursors[r].next
                for i in range(n - 1, -1, -1):      # all of one batch, without gaps
                    group[events[i].type, 0] += 1
                    group[events[i].type, 1] += end - events[i].start
                    end = events[i].start
            if fault.status < 0:
                break
            fault.status = OK


def trim(EventBatches source, CURSOR[::1] cursors, FAULT[::1] faults) -> tuple[int, int]:
    """End each batch before its first event that cannot be decoded; return ``(number of batches, bytes cut off)``.

    faults[i] is the fault of the i-th such batch, as far as there is room; its ``limit`` is the number of bytes lost.
    """
    cdef Py_ssize_t r
    cdef int64_t n = 0, nbytes = 0, lost
    cdef Stream s = source.stream
    cdef DECODED[AHEAD] events
    cdef FAULT fault
    with nogil:
        for r in range(cursors.shape[0]):
            while True:
                fault.status = OK
                if refill(&s, &cursors[r], events, AHEAD, &fault):
                    continue
                if fault.status == END_OF_CURSOR:
                    break
                lost = cursors[r].end - cursors[r].next
                source.batches[s.order[cursors[r].batch]].size -= <int32_t> lost
                cursors[r].next = cursors[r].end
                if n < faults.shape[0]:
                    faults[n] = fault
                    faults[n].limit = <uint64_t> lost
                n += 1
                nbytes += lost
    return n, nbytes


def experimental(Merge source_merge, const uint8_t[::1] experiments, EXPERIMENTAL[::1] rows, FAULT[::1] faults) -> int:
    """Fill rows with the next experimental events; return the number of rows.

    ``experiments`` is the experiment of each event type, 0 for none. faults[0].status is FULL if there are more events.
    """
    cdef int64_t n = 0, room = rows.shape[0]
    cdef int status = OK
    cdef uint8_t kind
    cdef FAULT *fault = &faults[0]
    cdef MergeState *merge = &source_merge.state
    cdef const Stream *s = &merge.s
    cdef Turn *turn
    cdef const COMPACT *event
    cdef CONTEXT *thread
    cdef EXPERIMENTAL *row
    with nogil:
        resume(merge)
        while status == OK:
            if not in_turn(merge):
                status = next_turn(merge, fault)
                continue
            turn = turn_of(merge)
            event = turn.event
            thread = turn.thread
            kind = type_of(event)
            if experiments[kind] == 0:
                if follow(s, thread, event) != OK:
                    status = blame(s, event, fault, WIDE_PROC, event.arg)
                    break
            elif n == room:
                status = FULL
                break
            else:
                row = &rows[n]
                n += 1
                row.time = event.time
                row.offset = s.base + start_of(event)
                row.g = thread.g
                row.m = thread.m
                row.p = thread.p
                row.generation = <uint32_t> merge.gen.number
                memset(&row.experiment, 0, 8)   # with padding
                row.experiment = experiments[kind]
                row.type = kind
                row.n_args = s.n_args[kind] - 1
                args_at(s, start_of(event), row.args)
            turn.event += 1
        pause(merge, status)
    fault.status = OK if status == END_OF_CURSOR else status
    return n


cdef inline bint of_snapshot(uint8_t kind) noexcept nogil:
    return kind == EV_SPAN or kind == EV_HEAP_OBJECT or kind == EV_GOROUTINE_STACK


def marks(EventBatches source, const GENERATION_ROW[::1] gens, CURSOR[::1] cursors, const uint8_t[::1] kinds,
          PICKED[::1] rows) -> int:
    """Select events, thread by thread, of the types that have 1 in ``kinds``; return their number.

    Consecutive snapshot events of one thread are one row, of the type of the first. An event that cannot be decoded
    ends its thread's events. If the number exceeds the length of ``rows``, the rows after that are not written.
    """
    cdef int64_t n = 0, room = rows.shape[0]
    cdef Py_ssize_t g
    cdef int32_t r
    cdef int got, i, k
    cdef bint inside, continued
    cdef Stream s = source.stream
    cdef DECODED[AHEAD] events
    cdef FAULT ignored
    cdef PICKED *row
    with nogil:
        for g in range(gens.shape[0]):
            s.factor = gens[g].factor
            for r in range(gens[g].first_cursor, gens[g].first_cursor + gens[g].n_cursors):
                inside = False
                while True:
                    got = refill(&s, &cursors[r], events, AHEAD, &ignored)
                    if got == 0:
                        break
                    for i in range(got):
                        continued = inside
                        inside = of_snapshot(events[i].type)
                        if kinds[events[i].type] == 0:
                            continue
                        if inside and continued:
                            if n <= room:
                                rows[n - 1].last = s.base + events[i].start
                            continue
                        n += 1
                        if n > room:
                            continue
                        row = &rows[n - 1]
                        row.time = events[i].time
                        row.offset = row.last = s.base + events[i].start
                        row.m = cursors[r].m
                        row.gen = <int32_t> g
                        row.type = events[i].type
                        for k in range(4):
                            row.args[k] = events[i].args[k]
    return n
