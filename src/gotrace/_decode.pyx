"""Runs of a slab decoded: events counted by type, and experimental events as raw rows in time order.

Lives here: bulk walks over all timed events. Never here: what an experiment's events mean, the order of the
scheduler.
"""
from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t

from gotrace._generated cimport BATCH, CTX, EXPERIMENTAL, FAULT, FULL, GEN, OK, RUN, WIDE_PROC
from gotrace._runs cimport (
    DONE, Stream, advance, blame, follow, push, runner_up, sift_down, earlier,
)


cdef Stream open_stream(const uint8_t[::1] data, int64_t base, const BATCH[::1] batches, const int32_t[::1] order,
                        const uint8_t[::1] n_args):
    cdef Stream s
    s.data = &data[0]
    s.size = data.shape[0]
    s.base = base
    s.batches = &batches[0]
    s.order = &order[0]
    s.n_args = &n_args[0]
    s.factor = 1.0
    return s


def count(const uint8_t[::1] data, int64_t base, const BATCH[::1] batches, const int32_t[::1] order,
          const uint8_t[::1] n_args, const GEN[::1] gens, RUN[::1] runs, int64_t[:, ::1] counts, int64_t[::1] ends,
          FAULT[::1] faults):
    """Count the events of each generation by type, and note its latest time.

    ``counts`` is (generations, 256) and starts at 0, ``ends`` starts at the lowest time. It stops at the first
    fault, each run for itself.
    """
    cdef Py_ssize_t g
    cdef int32_t r
    cdef int status = OK
    cdef Stream s = open_stream(data, base, batches, order, n_args)
    cdef RUN run
    cdef FAULT *fault = &faults[0]
    with nogil:
        for g in range(gens.shape[0]):
            s.factor = gens[g].factor
            for r in range(gens[g].first_run, gens[g].first_run + gens[g].n_runs):
                run = runs[r]
                while True:
                    status = advance(&s, &run, fault)
                    if status != OK:
                        break
                    counts[g, run.type] += 1
                    if run.time > ends[g]:
                        ends[g] = run.time
                if status < 0:
                    break
            if status < 0:
                break
    fault.status = status if status < 0 else OK


def experimental(const uint8_t[::1] data, int64_t base, const BATCH[::1] batches, const int32_t[::1] order,
                 const uint8_t[::1] n_args, const uint8_t[::1] experiments, const GEN[::1] gens, RUN[::1] runs,
                 CTX[::1] ctxs, int32_t[::1] heap, int64_t[::1] state, EXPERIMENTAL[::1] rows, FAULT[::1] faults):
    """Fill rows with the experimental events in time order; the number of rows.

    ``experiments`` gives the experiment of each event type, 0 for none. ``state`` is (generation, size of heap)
    and starts at (0, -1); with ``runs``, ``ctxs`` and ``heap`` it holds the place where a call went on to.
    faults[0].status is FULL when there is more to come.
    """
    cdef int64_t n = 0, room = rows.shape[0], g = state[0]
    cdef int32_t size = <int32_t> state[1], r, second
    cdef int status = OK, i, n_args_now
    cdef Stream s = open_stream(data, base, batches, order, n_args)
    cdef FAULT *fault = &faults[0]
    cdef RUN *run
    cdef CTX *ctx
    cdef EXPERIMENTAL *row
    with nogil:
        while g < gens.shape[0]:
            s.factor = gens[g].factor
            if size < 0:
                size = 0
                for r in range(gens[g].first_run, gens[g].first_run + gens[g].n_runs):
                    status = advance(&s, &runs[r], fault)
                    if status < 0:
                        break
                    if status == OK:
                        push(&runs[0], &heap[0], size, r)
                        size += 1
                if status < 0:
                    break
                status = OK
            while size:
                r = heap[0]
                run = &runs[r]
                ctx = &ctxs[run.ctx]
                second = runner_up(&runs[0], &heap[0], size)
                while True:
                    if experiments[run.type]:
                        if n == room:
                            status = FULL
                            break
                        row = &rows[n]
                        n += 1
                        n_args_now = s.n_args[run.type] - 1
                        row.time = run.time
                        row.offset = s.base + run.start
                        row.g = ctx.g
                        row.m = run.m
                        row.p = ctx.p
                        row.generation = <uint32_t> gens[g].number
                        row.experiment = experiments[run.type]
                        row.type = run.type
                        row.n_args = <uint8_t> n_args_now
                        for i in range(4):
                            row.args[i] = run.args[i] if i < n_args_now else 0
                    elif follow(ctx, run) != OK:
                        status = blame(&s, run, fault, WIDE_PROC, run.args[0])
                        break
                    status = advance(&s, run, fault)
                    if status != OK or (second >= 0 and not earlier(&runs[0], r, second)):
                        break
                if status == DONE:
                    size -= 1
                    heap[0] = heap[size]
                    status = OK
                if status != OK:
                    break
                sift_down(&runs[0], &heap[0], size)
            if status != OK:
                break
            g += 1
            size = -1
    state[0] = g
    state[1] = size
    fault.status = status
    return n
