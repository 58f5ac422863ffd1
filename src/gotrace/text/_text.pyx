"""Text lines in Go's format: wire records or ordered rows come in, bytes of text go out.

Holds the format of a line and Go's quoting. Never here: names, which come in as pieces; error messages.
"""
cimport cython
from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memcpy

from gotrace._generated cimport (
    BATCH_TOO_BIG, CUT_BATCH, CUT_HEADER, CUT_MARK, CUT_VARINT, EVENT_EXPERIMENTAL, EVENT_LABEL, EVENT_LOG,
    EVENT_METRIC, EVENT_RANGE_BEGIN, EVENT_RANGE_END, EVENT_STACK_SAMPLE, EVENT_STATE_TRANSITION, EVENT_SYNC,
    EVENT_TASK_BEGIN, EVENT_TASK_END, EV_END_OF_GENERATION, EV_EVENT_BATCH, EV_EXPERIMENTAL_BATCH, EV_GC_SWEEP_END,
    EV_GO_CREATE, EV_GO_CREATE_BLOCKED, EV_STACK, EV_STRING, EV_STW_BEGIN, EV_STW_END, FAULT, FULL, MAX_BATCH_SIZE,
    MAX_FRAMES, MAX_STRING, MORE, NAME, NOT_A_BATCH, OK, ORDERED, RAW_PC, RAW_STACK, RAW_STRING, RESOURCE_NONE,
    RESOURCE_PROC, STACK_TOO_DEEP, STRING_CUT, STRING_TOO_LONG, UNKNOWN_EVENT, UNTIMED_EVENT, VARINT_OVERFLOW,
)
from gotrace._varint cimport CUT, read_uvarint

cdef enum:
    N_PIECES = 6        # a name and up to five arguments
    LINE = 400              # upper bound of bytes of a line without data and frames
    FRAME = 120             # upper bound of bytes of a frame
    PARSED_LINE = 16384     # upper bound of bytes of a parsed line, with two quoted strings
    PARSED_FRAME = 2200     # upper bound of bytes of a parsed frame, with two strings
    # Indices in the state of wire().
    GENERATION = 0
    M = 1
    BATCH_END = 2       # absolute

cdef const char *HEX = "0123456789abcdef"
cdef const char *ESCAPES = "abtnvfr"        # bytes 7 to 13


cdef uint8_t[200] PAIRS      # "00" to "99"
for _i in range(100):
    PAIRS[2 * _i] = 48 + _i // 10
    PAIRS[2 * _i + 1] = 48 + _i % 10


cdef uint8_t *put_number(uint8_t *out, uint64_t value) noexcept nogil:
    cdef uint8_t digits[20]
    cdef int n = 20
    cdef uint64_t rest
    while value >= 100:
        n -= 2
        rest = value // 100
        memcpy(&digits[n], &PAIRS[2 * (value - 100 * rest)], 2)
        value = rest
    if value >= 10:
        n -= 2
        memcpy(&digits[n], &PAIRS[2 * value], 2)
    else:
        n -= 1
        digits[n] = <uint8_t> (48 + value)
    memcpy(out, &digits[n], 20 - n)
    return out + 20 - n


cdef uint8_t *put_signed(uint8_t *out, int64_t value) noexcept nogil:
    if value >= 0:
        return put_number(out, <uint64_t> value)
    out[0] = 45
    return put_number(out + 1, 0 - <uint64_t> value)


cdef inline uint8_t *put_hex(uint8_t *out, uint8_t letter, uint32_t value, int n) noexcept nogil:
    cdef int i
    out[0] = 92
    out[1] = letter
    for i in range(n):
        out[2 + i] = <uint8_t> HEX[(value >> (4 * (n - 1 - i))) & 15]
    return out + 2 + n


cdef int rune_at(const uint8_t *p, Py_ssize_t left, uint32_t *rune) noexcept nogil:
    """Return the number of bytes of the code point at ``p``; 0 if they are not valid UTF-8."""
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
    """Write a string like Go's strconv.Quote: at most 4 bytes for each byte of input, and two quotes."""
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


cdef struct TextSource:
    # The strings and stacks that rows refer to.
    const uint8_t *data
    const RAW_STRING *strings
    int string_base
    const NAME *names
    const uint8_t *letters
    const RAW_STACK *stacks
    int stack_base
    const int32_t *frames
    const RAW_PC *pcs
    const int64_t *functions
    const int64_t *files


cdef inline const uint8_t *text_of(const TextSource *w, int32_t row, Py_ssize_t *size) noexcept nogil:
    """Return the bytes of a row of strings; a row below 0 is a name."""
    cdef const NAME *name
    cdef const RAW_STRING *string
    if row < 0:
        name = &w.names[-1 - row]
        size[0] = name.length
        return w.letters + name.at
    if row == 0:
        size[0] = 0
        return w.letters
    string = &w.strings[row - w.string_base]
    size[0] = string.length
    return w.data + string.at


cdef inline uint8_t *put_piece(uint8_t *out, const uint8_t *pieces, const int32_t *bounds) noexcept nogil:
    memcpy(out, pieces + bounds[0], bounds[1] - bounds[0])
    return out + bounds[1] - bounds[0]


cdef uint8_t *put_frames(uint8_t *out, const TextSource *w, int32_t stack) noexcept nogil:
    """Write two lines for each frame of a row of stacks."""
    cdef int64_t i, first, string
    cdef int half, n, shift
    cdef uint64_t pc
    if stack == 0:
        return out
    first = w.stacks[stack - w.stack_base].first
    for i in range(first, first + w.stacks[stack - w.stack_base].n_frames):
        for half in range(2):
            out[0] = 9
            out[half] = 9
            out += 1 + half
            string = w.files[w.frames[i]] if half else w.functions[w.frames[i]]
            if string >= 0:
                memcpy(out, w.data + w.strings[string].at, w.strings[string].length)
                out += w.strings[string].length
            if half:
                out[0] = 58
                out = put_number(out + 1, w.pcs[w.frames[i]].line)
            else:
                memcpy(out, b" @ 0x", 5)
                out += 5
                pc = w.pcs[w.frames[i]].pc
                n = 1
                while n < 16 and pc >> (4 * n):
                    n += 1
                for shift in range(4 * (n - 1), -1, -4):
                    out[0] = <uint8_t> HEX[(pc >> shift) & 15]
                    out += 1
            out[0] = 10
            out += 1
    return out


@cython.final
cdef class EventForms:
    """The text of each event type, split at its numbers, and the names of kinds and states.

    ``bounds[type, i]`` to ``bounds[type, i + 1]`` is piece i of a type's line; ``words[i]`` bounds the name of kind i,
    ``words[32 + i]`` of GoState i, ``words[48 + i]`` of ProcState i. ``ranges`` are the printable code points.
    """
    cdef const uint8_t[::1] pieces, n_args
    cdef const int32_t[:, ::1] bounds, words
    cdef const uint32_t[:, ::1] ranges

    def __init__(self, const uint8_t[::1] pieces, const int32_t[:, ::1] bounds, const int32_t[:, ::1] words,
                 const uint8_t[::1] n_args, const uint32_t[:, ::1] ranges):
        self.pieces, self.bounds, self.words, self.n_args, self.ranges = pieces, bounds, words, n_args, ranges


@cython.final
cdef class Strings:
    """The strings of a segment; ``base`` is the row of the first one in the trace's table."""
    cdef const uint8_t[::1] data
    cdef const RAW_STRING[::1] rows
    cdef int base

    def __init__(self, const uint8_t[::1] data, const RAW_STRING[::1] rows, int base):
        self.data, self.rows, self.base = data, rows, base


@cython.final
cdef class Stacks:
    """The stacks of a segment and their frames; ``base`` is the row of the first stack in the trace's table."""
    cdef const RAW_STACK[::1] rows
    cdef const int32_t[::1] frames
    cdef const RAW_PC[::1] pcs
    cdef const int64_t[::1] functions, files
    cdef int base

    def __init__(self, const RAW_STACK[::1] rows, int base, const int32_t[::1] frames, const RAW_PC[::1] pcs,
                 const int64_t[::1] functions, const int64_t[::1] files):
        self.rows, self.base, self.frames, self.pcs = rows, base, frames, pcs
        self.functions, self.files = functions, files


@cython.final
cdef class SegmentText:
    """The strings, stacks and clocks that the lines of a segment's events refer to.

    ``clocks[clock_at[i]:clock_at[i + 1]]`` ends the line of the Sync of generation i.
    """
    cdef EventForms forms
    cdef Strings strings
    cdef Stacks stacks
    cdef const uint8_t[::1] clocks
    cdef const int64_t[::1] clock_at

    def __init__(self, EventForms forms, Strings strings, Stacks stacks, const uint8_t[::1] clocks,
                 const int64_t[::1] clock_at):
        self.forms, self.strings, self.stacks, self.clocks, self.clock_at = forms, strings, stacks, clocks, clock_at


def parsed(const ORDERED[::1] rows, Py_ssize_t at, SegmentText segment, const NAME[::1] names,
           const uint8_t[::1] letters, uint8_t[::1] text) -> tuple[int, int]:
    """Write the lines of ``rows[at:]`` until ``text`` is nearly full; return the number of bytes and the next ``at``.

    ``names`` are the names of the whole trace, with their bytes in ``letters``. ``text`` must have room for a line with
    two stacks.
    """
    cdef const uint8_t[::1] pieces = segment.forms.pieces, n_args = segment.forms.n_args, clocks = segment.clocks
    cdef const int32_t[:, ::1] bounds = segment.forms.bounds, words = segment.forms.words
    cdef const uint32_t[:, ::1] ranges = segment.forms.ranges
    cdef const int64_t[::1] clock_at = segment.clock_at
    cdef int stack_base = segment.stacks.base
    cdef TextSource w
    cdef const ORDERED *row
    cdef const uint8_t *piece = &pieces[0]
    cdef const int32_t *bound
    cdef uint8_t *out = &text[0]
    cdef uint8_t *stop = out + text.shape[0]
    cdef const uint8_t *p
    cdef Py_ssize_t size = 0, need
    cdef int kind, i, n
    cdef bint transition_stack
    w.data = &segment.strings.data[0]
    w.strings = &segment.strings.rows[0]
    w.string_base = segment.strings.base
    w.names = &names[0]
    w.letters = &letters[0]
    w.stacks = &segment.stacks.rows[0]
    w.stack_base = stack_base
    w.frames = &segment.stacks.frames[0]
    w.pcs = &segment.stacks.pcs[0]
    w.functions = &segment.stacks.functions[0]
    w.files = &segment.stacks.files[0]
    with nogil:
        while at < rows.shape[0]:
            row = &rows[at]
            kind = row.kind
            need = PARSED_LINE
            if row.stack:
                need += w.stacks[row.stack - stack_base].n_frames * <Py_ssize_t> PARSED_FRAME
            if row.stack2:
                need += w.stacks[row.stack2 - stack_base].n_frames * <Py_ssize_t> PARSED_FRAME
            if stop - out < need:
                break
            at += 1
            bound = &bounds[row.type, 0]
            memcpy(out, b"M=", 2)
            out = put_signed(out + 2, row.m)
            memcpy(out, b" P=", 3)
            out = put_signed(out + 3, row.p)
            memcpy(out, b" G=", 3)
            out = put_signed(out + 3, row.g)
            out = put_piece(out, piece, &words[kind, 0])
            out = put_signed(out, row.time)
            transition_stack = False
            if kind == EVENT_EXPERIMENTAL or kind == EVENT_METRIC:
                n = n_args[row.type] - 1 if kind == EVENT_EXPERIMENTAL else 1
                for i in range(n):
                    out = put_piece(out, piece, bound + i)
                    out = put_number(out, <uint64_t> row.args[i])
                out = put_piece(out, piece, bound + n)
            elif kind == EVENT_STATE_TRANSITION:
                if row.resource == RESOURCE_PROC:
                    memcpy(out, b" ProcID=", 8)
                    out += 8
                else:
                    memcpy(out, b" GoID=", 6)
                    out += 6
                out = put_signed(out, row.args[0])
                out[0] = 32
                n = 48 if row.resource == RESOURCE_PROC else 32
                out = put_piece(out + 1, piece, &words[n + row.old, 0])
                memcpy(out, b"->", 2)
                out = put_piece(out + 2, piece, &words[n + row.new, 0])
                memcpy(out, b" Reason=", 8)
                p = text_of(&w, row.name, &size)
                out = put_quoted(out + 8, p, size, ranges)
                transition_stack = row.stack2 or (row.part == 0 and (
                    row.type == EV_GO_CREATE or row.type == EV_GO_CREATE_BLOCKED))
            elif EVENT_RANGE_BEGIN <= kind <= EVENT_RANGE_END:
                out = put_piece(out, piece, bound)
                n = 1
                if row.type == EV_STW_BEGIN or row.type == EV_STW_END:
                    p = text_of(&w, row.name, &size)
                    out -= 1
                    p = put_quoted(out, p, size, ranges)
                    out[0] = 40         # the opening quote overwrote this bracket
                    out += p - out - 1
                    memcpy(out, b")\" Scope=", 9)
                    out += 9
                if row.resource == RESOURCE_NONE:
                    memcpy(out, b"None", 4)
                    out += 4
                else:
                    if row.resource == RESOURCE_PROC:
                        memcpy(out, b"Proc(", 5)
                        out += 5
                    else:
                        memcpy(out, b"Goroutine(", 10)
                        out += 10
                    out = put_signed(out, row.args[0])
                    out[0] = 41
                    out += 1
                out = put_piece(out, piece, bound + 1)
                if row.type == EV_GC_SWEEP_END:
                    out = put_number(out, <uint64_t> row.args[1])
                    out = put_piece(out, piece, bound + 2)
                    out = put_number(out, <uint64_t> row.args[2])
                    out = put_piece(out, piece, bound + 3)
            elif kind == EVENT_LABEL:
                memcpy(out, b" Label=", 7)
                p = text_of(&w, row.name, &size)
                out = put_quoted(out + 7, p, size, ranges)
                memcpy(out, b" Resource=Goroutine(", 20)
                out = put_signed(out + 20, row.args[0])
                out[0] = 41
                out += 1
            elif EVENT_TASK_BEGIN <= kind <= EVENT_LOG:
                if kind <= EVENT_TASK_END:
                    memcpy(out, b" ID=", 4)
                    out = put_number(out + 4, <uint64_t> row.args[0])
                    memcpy(out, b" Parent=", 8)
                    out = put_number(out + 8, <uint64_t> row.args[1])
                else:
                    memcpy(out, b" Task=", 6)
                    out = put_number(out + 6, <uint64_t> row.args[0])
                if kind == EVENT_LOG:
                    memcpy(out, b" Category=", 10)
                    out += 10
                else:
                    memcpy(out, b" Type=", 6)
                    out += 6
                p = text_of(&w, row.name, &size)
                out = put_quoted(out, p, size, ranges)
                if kind == EVENT_LOG:
                    memcpy(out, b" Message=", 9)
                    p = text_of(&w, row.text, &size)
                    out = put_quoted(out + 9, p, size, ranges)
            elif kind == EVENT_SYNC:
                memcpy(out, b" N=", 3)
                out = put_number(out + 3, <uint64_t> row.args[0])
                if row.args[1]:
                    n = <int> (clock_at[row.args[1]] - clock_at[row.args[1] - 1])
                    memcpy(out, &clocks[0] + clock_at[row.args[1] - 1], n)
                    out += n
            if transition_stack:
                memcpy(out, b"\nTransitionStack=\n", 18)
                out = put_frames(out + 18, &w, row.stack2)
            if row.stack or kind == EVENT_STACK_SAMPLE:
                memcpy(out, b"\nStack=\n", 8)
                out = put_frames(out + 8, &w, row.stack)
            out[0] = 10
            out += 1
    return out - &text[0], at


def quote(const uint8_t[::1] data, const uint32_t[:, ::1] ranges, uint8_t[::1] out) -> int:
    """Write ``data`` like Go's strconv.Quote; return the number of bytes. ``out`` needs ``4 * len(data) + 2`` bytes."""
    cdef uint8_t nothing = 0
    cdef const uint8_t *p = &data[0] if data.shape[0] else &nothing
    return put_quoted(&out[0], p, data.shape[0], ranges) - &out[0]


@cython.final
cdef class RecordForms:
    """The text of each record, split at its arguments.

    ``bounds[type, i]`` to ``bounds[type, i + 1]`` is the piece of ``pieces`` before argument i, or after the last.
    ``n_args`` is 255 for a type that does not exist. ``ranges`` are the printable code points. With ``end_marks``, an
    end mark ends each generation.
    """
    cdef const uint8_t[::1] n_args, pieces
    cdef const int32_t[:, ::1] bounds
    cdef const uint32_t[:, ::1] ranges
    cdef bint end_marks

    def __init__(self, const uint8_t[::1] n_args, const uint8_t[::1] pieces, const int32_t[:, ::1] bounds,
                 const uint32_t[:, ::1] ranges, bint end_marks):
        self.n_args, self.pieces, self.bounds, self.ranges, self.end_marks = n_args, pieces, bounds, ranges, end_marks


def wire(RecordForms forms, const uint8_t[::1] data, int64_t base, Py_ssize_t at, bint last, uint64_t[::1] state,
         uint8_t[::1] text, FAULT[::1] faults) -> tuple[int, int]:
    """Write a line for each event from ``data[at]`` on; return the number of bytes and the next ``at``.

    ``state`` is (generation, thread, absolute end) of the current batch. Set faults[0].status to OK at the end of the
    input, FULL, MORE or a fault.
    """
    cdef const uint8_t[::1] n_args = forms.n_args, pieces = forms.pieces
    cdef const int32_t[:, ::1] bounds = forms.bounds
    cdef const uint32_t[:, ::1] ranges = forms.ranges
    cdef bint end_marks = forms.end_marks
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
                if kind != EV_EVENT_BATCH and kind != EV_EXPERIMENTAL_BATCH and not (
                        end_marks and kind == EV_END_OF_GENERATION):
                    status = NOT_A_BATCH
                    break
            else:
                if <int64_t> state[BATCH_END] - base < size:
                    end = &data[0] + (<int64_t> state[BATCH_END] - base)
                if n_args[kind] == 255:
                    status = UNKNOWN_EVENT
                    break
                if kind == EV_EVENT_BATCH or kind == EV_EXPERIMENTAL_BATCH or kind == EV_END_OF_GENERATION:
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
                if i == 0 and kind == EV_EXPERIMENTAL_BATCH:
                    got = 1 if q < end else CUT
                    args[0] = q[0] if q < end else 0
                else:
                    got = read_uvarint(q, end, &args[i])
                if got < 0:
                    status = (CUT_MARK if i == 0 and kind == EV_EXPERIMENTAL_BATCH else CUT_HEADER if outside
                              else CUT_VARINT) if got == CUT else VARINT_OVERFLOW
                    break
                q += got
                out = put_number(out, args[i])
            if status != OK:
                out = line
                break
            memcpy(out, words + bounds[kind, n], bounds[kind, n + 1] - bounds[kind, n])
            out += bounds[kind, n + 1] - bounds[kind, n]
            if kind == EV_EVENT_BATCH:
                if args[3] > MAX_BATCH_SIZE:
                    status = BATCH_TOO_BIG
                    fault.detail = args[3]
                    fault.limit = MAX_BATCH_SIZE
                    out = line
                    break
                # A batch longer than the input is a fault only at the end of the input: its events are printed first.
                state[GENERATION] = args[0]
                state[M] = args[1]
                state[BATCH_END] = <uint64_t> (base + (q - &data[0])) + args[3]
            elif kind == EV_STACK:
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
            elif kind == EV_STRING or kind == EV_EXPERIMENTAL_BATCH:
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
                if kind == EV_EXPERIMENTAL_BATCH and status == OK:
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
