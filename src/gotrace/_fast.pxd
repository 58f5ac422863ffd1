# Decoding of plain events, the innermost loop of all. It is compiled twice: see _runs.pyx.
# Never here: a fault, an event that is odd in any way.
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t

from gotrace._generated cimport DECODED, RUN
from gotrace._runs cimport Stream, short_to_ns, wrap_add
from gotrace._varint cimport bits_of, ends64, load64, lowest, sevens

cdef enum:
    WINDOW = 64         # bytes whose varint ends are found at once
    LONGEST = 10        # bytes of a fast event, and one more
    TOUCHED = 64        # bytes that reading a fast event may touch


cdef inline int decode_fast(const Stream *s, RUN *run, DECODED *events, int room) noexcept nogil:
    """Decode up to room events of the current batch, until one has over 8 bytes of numbers or is odd; how many.

    Nearly all events are that short: the sevens of their bytes are put together once, then cut into numbers. Where
    numbers end is found for a window of bytes at once, so that one event need not wait for the one before it.
    """
    cdef const uint8_t *window = s.data + run.next
    cdef const uint8_t *n_args = s.n_args
    cdef double factor = s.factor
    cdef int64_t at = run.next, time = run.time, base = run.base, last = min(run.end, s.size - TOUCHED)
    cdef uint64_t ends, rest, numbers, dt
    cdef uint32_t n, first, second, stop, place = LONGEST
    cdef uint8_t kind
    cdef int k = 0
    cdef DECODED *event
    while k < room and at < last and place >= LONGEST:
        window = s.data + at
        ends = ends64(window)
        place = 0
        while place <= WINDOW - LONGEST and k < room:
            event = &events[k]
            kind = window[place]
            n = n_args[kind]
            numbers = sevens(load64(window + place + 1))
            event.type = kind
            event.start = at + place
            rest = ends
            if kind < 128:
                rest &= rest - 1        # that was the type itself
            if n == 0 or rest == 0:
                break
            stop = lowest(rest)
            rest &= rest - 1
            first = 7 * (stop - place)
            dt = bits_of(numbers, 0, first)
            if n > 1:
                if rest == 0:
                    break
                stop = lowest(rest)
                rest &= rest - 1
                second = 7 * (stop - place)
                event.args[0] = bits_of(numbers, first, second)
                if n > 2:
                    if rest == 0:
                        break
                    stop = lowest(rest)
                    rest &= rest - 1
                    first = 7 * (stop - place)
                    event.args[1] = bits_of(numbers, second, first)
                    if n > 3:
                        if rest == 0:
                            break
                        stop = lowest(rest)
                        rest &= rest - 1
                        second = 7 * (stop - place)
                        event.args[2] = bits_of(numbers, first, second)
                        if n > 4:
                            if rest == 0:
                                break
                            stop = lowest(rest)
                            rest &= rest - 1
                            first = 7 * (stop - place)
                            event.args[3] = bits_of(numbers, second, first)
            if stop - place > 8 or at + stop >= run.end:
                break
            ends = rest
            place = stop + 1
            if time == 0:
                time = base
            time = wrap_add(time, short_to_ns(dt, factor))
            event.time = time
            k += 1
        at += place
    run.next = at
    run.time = time
    return k
