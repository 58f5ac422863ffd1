"""Encode traces: rows of events or plain lines of text come in, data of batches or records go out.

Never here: batch headers, strings with escapes, checks of the events' meaning, error messages.
"""
cimport cython
from libc.stdint cimport int32_t, int64_t, uint8_t, uint64_t
from libc.string cimport memchr, memcmp, memcpy

from gotrace._generated cimport EV_EXPERIMENTAL_BATCH, EV_STACK, EV_STRING, FULL, MAX_BATCH_SIZE, MORE, OK
from gotrace._varint cimport put_uvarint

cdef uint64_t ENDLESS = 0x7fffffffffffffff
cdef uint64_t MOST = 0xffffffffffffffff

cdef enum:
    NUMBER = 10             # maximum bytes of a number
    LINE = 1 + 6 * NUMBER   # maximum bytes that a line of text encodes to, without its data
    DIGITS = 19             # decimal digits that always fit into 64 bits; one more may
    # Indices in the state of lines().
    N_LINES = 0             # lines read so far
    N_FRAMES = 1            # frame lines that must follow


def wrong(const uint8_t[::1] types, const uint64_t[::1] times, const uint8_t[::1] n_args, Py_ssize_t columns) -> int:
    """Return the first row whose type is not timed or has too many arguments, or whose time decreases; -1 if none."""
    cdef Py_ssize_t i, n = types.shape[0]
    cdef int invalid = 0
    cdef uint8_t[256] bad
    cdef uint64_t last = 0
    with nogil:
        for i in range(256):
            bad[i] = n_args[i] == 0 or n_args[i] - 1 > columns
        for i in range(n):
            invalid = bad[types[i]] | (times[i] < last)
            if invalid:
                break
            last = times[i]
    return i if invalid else -1


def events(const uint8_t[::1] types, const uint64_t[::1] times, const uint64_t[:, ::1] args,
           const uint8_t[::1] n_args, Py_ssize_t first, uint64_t base, uint8_t[::1] out) -> tuple[int, int]:
    """Encode events from row ``first`` on until ``out`` may be too short; return the numbers of rows and bytes.

    ``base`` is the time before the first event. ``n_args`` is the number of arguments of each type, dt included.
    """
    cdef Py_ssize_t i = first, end = types.shape[0], at = 0, size = out.shape[0]
    cdef Py_ssize_t columns = args.shape[1]
    cdef const uint64_t *row = NULL
    cdef uint8_t kind
    cdef int j
    if i < end and columns:
        row = &args[i, 0]
    with nogil:
        while i < end:
            kind = types[i]
            if size - at < 1 + NUMBER * n_args[kind]:
                break
            out[at] = kind
            at += 1
            at += put_uvarint(&out[at], times[i] - base)
            base = times[i]
            for j in range(n_args[kind] - 1):
                at += put_uvarint(&out[at], row[j])
            row += columns
            i += 1
    return i - first, at


cdef inline const uint8_t *number(const uint8_t *p, const uint8_t *end, uint64_t *value) noexcept nogil:
    """Read digits and return their end; return ``p`` if there are none or the number exceeds 64 bits."""
    cdef const uint8_t *first = p
    cdef uint64_t x = 0
    while p < end and 48 <= p[0] <= 57:
        if p - first >= DIGITS and (p - first > DIGITS or x > (MOST - (p[0] - 48)) // 10):
            return first
        x = 10 * x + (p[0] - 48)
        p += 1
    value[0] = x
    return p


cdef int find(const uint8_t *p, Py_ssize_t length, const uint8_t *names, const int32_t *ends, int n) noexcept nogil:
    """Return the index of a name among ``n`` sorted ones; -1 if it is not among them."""
    cdef int low = 0, high = n, middle, order
    cdef Py_ssize_t other
    while low < high:
        middle = (low + high) // 2
        other = ends[middle + 1] - ends[middle]
        order = memcmp(p, names + ends[middle], length if length < other else other)
        if order == 0 and length == other:
            return middle
        if order < 0 or (order == 0 and length < other):
            high = middle
        else:
            low = middle + 1
    return -1


@cython.final
cdef class LineForms:
    """The text of each record, split at its arguments.

    ``names`` are sorted; ``types`` are their event types. ``pieces`` of a type precede its arguments; those of a frame
    are in ``frame``.
    """
    cdef const uint8_t[::1] names, types, n_args, pieces, frame
    cdef const int32_t[::1] name_ends, frame_bounds
    cdef const int32_t[:, ::1] bounds

    def __init__(self, const uint8_t[::1] names, const int32_t[::1] name_ends, const uint8_t[::1] types,
                 const uint8_t[::1] n_args, const uint8_t[::1] pieces, const int32_t[:, ::1] bounds,
                 const uint8_t[::1] frame, const int32_t[::1] frame_bounds):
        self.names, self.name_ends, self.types, self.n_args = names, name_ends, types, n_args
        self.pieces, self.bounds, self.frame, self.frame_bounds = pieces, bounds, frame, frame_bounds


def lines(LineForms forms, const uint8_t[::1] data, Py_ssize_t at, int64_t[::1] state,
          uint8_t[::1] out) -> tuple[int, int, int]:
    """Encode plain lines of text from ``data[at]`` on; return the next ``at``, the number of bytes and a status.

    Plain lines are events and frames with decimal numbers, single spaces between words and any indentation, and the
    data of a String in double quotes without escapes. The status is OK at any other line, MORE if ``data`` has no
    whole line left, FULL if ``out`` may be too short for the next line.
    """
    cdef const uint8_t[::1] names = forms.names, types = forms.types, n_args = forms.n_args, pieces = forms.pieces
    cdef const uint8_t[::1] frame = forms.frame
    cdef const int32_t[::1] name_ends = forms.name_ends, frame_bounds = forms.frame_bounds
    cdef const int32_t[:, ::1] bounds = forms.bounds
    cdef Py_ssize_t size = data.shape[0]
    cdef const uint8_t *p
    cdef const uint8_t *q
    cdef const uint8_t *end
    cdef const uint8_t *piece
    cdef const uint8_t *content
    cdef uint8_t *put
    cdef uint8_t *stop
    cdef uint64_t[5] values
    cdef Py_ssize_t length
    cdef int i, n, place, kind = 0, status = OK
    if at == size:
        return at, 0, MORE
    with nogil:
        put = &out[0]
        stop = put + out.shape[0]
        while True:
            p = &data[at] if at < size else NULL
            end = <const uint8_t *> memchr(p, 10, size - at) if at < size else NULL
            if end == NULL:
                status = MORE
                break
            if stop - put < LINE:
                status = FULL
                break
            while p < end and (p[0] == 9 or p[0] == 32):
                p += 1
            if state[N_FRAMES]:
                n = 4
                place = 0
            else:
                q = p
                while q < end and q[0] != 32:
                    q += 1
                place = find(p, q - p, &names[0], &name_ends[0], <int> types.shape[0])
                if place < 0:
                    break
                kind = types[place]
                if kind == EV_EXPERIMENTAL_BATCH:
                    break
                n = n_args[kind]
            for i in range(n):
                if state[N_FRAMES]:
                    piece = &frame[frame_bounds[i]]
                    length = frame_bounds[i + 1] - frame_bounds[i]
                else:
                    piece = &pieces[bounds[kind, i]]
                    length = bounds[kind, i + 1] - bounds[kind, i]
                if end - p < length or memcmp(p, piece, length) != 0:
                    break
                p += length
                q = number(p, end, &values[i])
                if q == p:
                    break
                p = q
            else:
                if n == 0:
                    p = q
                if p != end:
                    break
                content = NULL
                if kind == EV_STRING and not state[N_FRAMES]:
                    content = end + 1
                    end = <const uint8_t *> memchr(content, 10, size - (content - &data[0])) if (
                        content < &data[0] + size) else NULL
                    if end == NULL:
                        status = MORE
                        break
                    while content < end and (content[0] == 9 or content[0] == 32):
                        content += 1
                    length = end - content - 7
                    if length < 0 or length > MAX_BATCH_SIZE or memcmp(content, b'data="', 6) != 0:
                        break
                    content += 6
                    if content[length] != 34 or memchr(content, 34, length) != NULL:
                        break
                    if memchr(content, 92, length) != NULL:
                        break
                    if stop - put < LINE + length:
                        status = FULL
                        break
                if state[N_FRAMES]:
                    state[N_FRAMES] -= 1
                else:
                    put[0] = <uint8_t> kind
                    put += 1
                    if kind == EV_STACK:
                        state[N_FRAMES] = <int64_t> (values[1] if values[1] >> 63 == 0 else ENDLESS)
                for i in range(n):
                    put += put_uvarint(put, values[i])
                if content != NULL:
                    put += put_uvarint(put, <uint64_t> length)
                    memcpy(put, content, length)
                    put += length
                    state[N_LINES] += 1
                state[N_LINES] += 1
                at = end + 1 - &data[0]
                continue
            break
    return at, put - &out[0], status
