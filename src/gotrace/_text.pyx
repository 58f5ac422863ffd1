"""Go's text lines of wire events, written as bytes.

Lives here: the form of a line and Go's quoting. Never here: names (they come as pieces), sentences, errors.
"""
from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memcpy

from gotrace._generated cimport (
    CUT_BATCH, CUT_HEADER, CUT_MARK, CUT_VARINT, FAULT, FULL, MAX_BATCH_SIZE, BATCH_TOO_BIG, MAX_FRAMES,
    MAX_STRING, MORE, NOT_A_BATCH, OK, STACK_TOO_DEEP, STRING_CUT, STRING_TOO_LONG, UNKNOWN_EVENT,
    UNTIMED_EVENT, VARINT_OVERFLOW,
)
from gotrace._varint cimport CUT, read_uvarint

cdef enum:
    EVENT_BATCH = 1
    STACK = 3
    STRING = 5
    EXPERIMENTAL_BATCH = 49
    END_OF_GENERATION = 52
    N_PIECES = 6        # a name and up to five arguments
    LINE = 400          # bytes that the longest line without data and frames stays below
    FRAME = 120         # and the longest frame
    # Places in the state of wire().
    GENERATION = 0
    M = 1
    BATCH_END = 2       # absolute

cdef const char *HEX = "0123456789abcdef"
cdef const char *ESCAPES = "abtnvfr"        # of bytes 7 to 13


cdef inline uint8_t *put_number(uint8_t *out, uint64_t value) noexcept nogil:
    cdef uint8_t digits[20]
    cdef int n = 20
    while True:
        n -= 1
        digits[n] = <uint8_t> (48 + value % 10)
        value //= 10
        if value == 0:
            break
    memcpy(out, &digits[n], 20 - n)
    return out + 20 - n


cdef inline uint8_t *put_hex(uint8_t *out, uint8_t letter, uint32_t value, int n) noexcept nogil:
    cdef int i
    out[0] = 92
    out[1] = letter
    for i in range(n):
        out[2 + i] = <uint8_t> HEX[(value >> (4 * (n - 1 - i))) & 15]
    return out + 2 + n


cdef int rune_at(const uint8_t *p, Py_ssize_t left, uint32_t *rune) noexcept nogil:
    """Bytes of the code point at p, 0 if they are no UTF-8."""
    cdef uint32_t low
    cdef int n, i
    if p[0] < 0xC2 or p[0] > 0xF4:
        return 0
    n = 2 if p[0] < 0xE0 else 3 if p[0] < 0xF0 else 4
    if left < n:
        return 0
    rune[0] = p[0] & (0xFF >> (n + 1))
    for i in range(1, n):
        if p[i] & 0xC0 != 0x80:
            return 0
        rune[0] = rune[0] << 6 | (p[i] & 0x3F)
    low = 0x80 if n == 2 else 0x800 if n == 3 else 0x10000
    if rune[0] < low or rune[0] > 0x10FFFF or 0xD800 <= rune[0] < 0xE000:
        return 0
    return n


cdef bint is_printable(uint32_t rune, const uint32_t[:, ::1] ranges) noexcept nogil:
    cdef Py_ssize_t low = 0, high = ranges.shape[0], middle
    while low < high:
        middle = (low + high) // 2
        if ranges[middle, 1] < rune:
            low = middle + 1
        else:
            high = middle
    return low < ranges.shape[0] and ranges[low, 0] <= rune


cdef uint8_t *put_quoted(uint8_t *out, const uint8_t *p, Py_ssize_t size, const uint32_t[:, ::1] ranges) noexcept nogil:
    """Go's strconv.Quote; at most 4 bytes for each byte of input, and two quotes."""
    cdef Py_ssize_t i = 0
    cdef uint32_t rune = 0
    cdef uint8_t c
    cdef int n
    out[0] = 34
    out += 1
    while i < size:
        c = p[i]
        if c < 0x80:
            i += 1
            if c == 34 or c == 92:
                out[0] = 92
                out[1] = c
                out += 2
            elif 32 <= c < 127:
                out[0] = c
                out += 1
            elif 7 <= c <= 13:
                out[0] = 92
                out[1] = <uint8_t> ESCAPES[c - 7]
                out += 2
            else:
                out = put_hex(out, 120, c, 2)
            continue
        n = rune_at(p + i, size - i, &rune)
        if n == 0:
            out = put_hex(out, 120, c, 2)
            i += 1
            continue
        if is_printable(rune, ranges):
            memcpy(out, p + i, n)
            out += n
        elif rune < 0x10000:
            out = put_hex(out, 117, rune, 4)
        else:
            out = put_hex(out, 85, rune, 8)
        i += n
    out[0] = 34
    return out + 1


def quote(const uint8_t[::1] data, const uint32_t[:, ::1] ranges, uint8_t[::1] out):
    """Write data as Go quotes it; the number of bytes. ``out`` needs 4 bytes for each of data and 2."""
    cdef uint8_t nothing = 0
    cdef const uint8_t *p = &data[0] if data.shape[0] else &nothing
    return put_quoted(&out[0], p, data.shape[0], ranges) - &out[0]


def wire(const uint8_t[::1] data, int64_t base, Py_ssize_t at, bint last, bint end_marks, const uint8_t[::1] n_args,
         const uint8_t[::1] pieces, const int32_t[:, ::1] bounds, const uint32_t[:, ::1] ranges, uint64_t[::1] state,
         uint8_t[::1] text, FAULT[::1] faults):
    """Write a line for each event from data[at] on; ``(bytes of text, at)``.

    ``bounds[type, i]`` to ``bounds[type, i + 1]`` is the piece of ``pieces`` before argument i, or after the
    last. ``n_args`` is 255 for a type that does not exist. ``state`` is (generation, thread, absolute end) of
    the current batch. faults[0].status: 0 at the end of data, FULL, MORE or a fault.
    """
    cdef Py_ssize_t size = data.shape[0]
    cdef const uint8_t *p
    cdef const uint8_t *q
    cdef const uint8_t *end
    cdef const uint8_t *words = &pieces[0]
    cdef uint8_t *out = &text[0]
    cdef uint8_t *stop = out + text.shape[0]
    cdef uint8_t *line
    cdef uint64_t args[5]
    cdef uint64_t value = 0, j
    cdef int status = OK, i, n, got = 0
    cdef uint8_t kind
    cdef bint outside
    cdef FAULT *fault = &faults[0]
    fault.batch = -1
    fault.status = OK
    if at == size:
        fault.status = OK if last else MORE
        return 0, at
    end = &data[0] + size
    with nogil:
        while at < size:
            p = &data[at]
            kind = p[0]
            outside = base + at >= <int64_t> state[BATCH_END]
            fault.type = kind
            fault.detail = kind
            fault.offset = base + at
            end = &data[0] + size
            if outside:
                if kind != EVENT_BATCH and kind != EXPERIMENTAL_BATCH and not (end_marks and kind == END_OF_GENERATION):
                    status = NOT_A_BATCH
                    break
            else:
                if <int64_t> state[BATCH_END] - base < size:
                    end = &data[0] + (<int64_t> state[BATCH_END] - base)
                if n_args[kind] == 255:
                    status = UNKNOWN_EVENT
                    break
                if kind == EVENT_BATCH or kind == EXPERIMENTAL_BATCH or kind == END_OF_GENERATION:
                    status = UNTIMED_EVENT
                    break
            if stop - out < LINE:
                status = FULL
                break
            line = out
            q = p + 1
            n = n_args[kind]
            for i in range(n):
                memcpy(out, words + bounds[kind, i], bounds[kind, i + 1] - bounds[kind, i])
                out += bounds[kind, i + 1] - bounds[kind, i]
                if i == 0 and kind == EXPERIMENTAL_BATCH:
                    got = 1 if q < end else CUT
                    args[0] = q[0] if q < end else 0
                else:
                    got = read_uvarint(q, end, &args[i])
                if got < 0:
                    status = (CUT_MARK if i == 0 and kind == EXPERIMENTAL_BATCH else CUT_HEADER if outside
                              else CUT_VARINT) if got == CUT else VARINT_OVERFLOW
                    break
                q += got
                out = put_number(out, args[i])
            if status != OK:
                out = line
                break
            memcpy(out, words + bounds[kind, n], bounds[kind, n + 1] - bounds[kind, n])
            out += bounds[kind, n + 1] - bounds[kind, n]
            if kind == EVENT_BATCH:
                if args[3] > MAX_BATCH_SIZE:
                    status = BATCH_TOO_BIG
                    fault.detail = args[3]
                    fault.limit = MAX_BATCH_SIZE
                    out = line
                    break
                if last and args[3] > <uint64_t> (end - q):
                    status = CUT_BATCH      # the header's line stands, what there is of the batch follows
                state[GENERATION] = args[0]
                state[M] = args[1]
                state[BATCH_END] = <uint64_t> (base + (q - &data[0])) + args[3]
                status = OK
            elif kind == STACK:
                if args[1] > MAX_FRAMES:
                    status = STACK_TOO_DEEP
                    fault.detail = args[1]
                    fault.limit = MAX_FRAMES
                elif stop - out < <Py_ssize_t> (args[1] * FRAME):
                    status = FULL
                else:
                    for j in range(4 * args[1]):
                        got = read_uvarint(q, end, &value)
                        if got < 0:
                            status = CUT_VARINT if got == CUT else VARINT_OVERFLOW
                            break
                        q += got
                        if j % 4 == 0:
                            out[0] = 10
                            memcpy(out + 1, b"\tpc=", 4)
                            out += 5
                        elif j % 4 == 3:
                            memcpy(out, b" line=", 6)
                            out += 6
                        else:
                            memcpy(out, b" func=" if j % 4 == 1 else b" file=", 6)
                            out += 6
                        out = put_number(out, value)
            elif kind == STRING or kind == EXPERIMENTAL_BATCH:
                got = read_uvarint(q, end, &value)
                if got < 0:
                    status = (CUT_HEADER if outside else CUT_VARINT) if got == CUT else VARINT_OVERFLOW
                else:
                    q += got
                    fault.detail = value
                    fault.limit = MAX_BATCH_SIZE if outside else MAX_STRING
                    if value > fault.limit:
                        status = BATCH_TOO_BIG if outside else STRING_TOO_LONG
                    elif value > <uint64_t> (end - q):
                        status = CUT_BATCH if outside else STRING_CUT
                        fault.limit = value if outside else <uint64_t> (end - q)
                        fault.detail = <uint64_t> (end - q) if outside else value
                    elif stop - out < <Py_ssize_t> (4 * value + LINE):
                        status = FULL
                    elif value:
                        memcpy(out, b"\n\tdata=", 7)
                        out = put_quoted(out + 7, q, <Py_ssize_t> value, ranges)
                        q += value
                if kind == EXPERIMENTAL_BATCH and status == OK:
                    state[GENERATION] = args[1]
                    state[M] = args[2]
            if status != OK:
                out = line
                break
            out[0] = 10
            out += 1
            at = q - &data[0]
    if status in (CUT_MARK, CUT_HEADER, CUT_BATCH, CUT_VARINT, STRING_CUT) and not last and end == &data[0] + size:
        status = MORE
    elif status == OK and at == size:
        if not last:
            status = MORE
        elif base + at < <int64_t> state[BATCH_END]:
            status = CUT_BATCH
            fault.offset = base + at
            fault.detail = 0
            fault.limit = 0
    fault.status = status
    return out - &text[0], at
