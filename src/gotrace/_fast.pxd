# Decoding of plain events, the innermost loop of all. It is compiled twice: see _runs.pyx.
# Never here: a fault, an event that is odd in any way.
from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t

from gotrace._finder cimport FIRST_OBJECT, UNTYPED, Finder, find_object, type_row
from gotrace._generated cimport BRIEF, DECODED, RUN
from gotrace._runs cimport Stream, short_to_ns, wrap_add
from gotrace._varint cimport ends64, load64, lowest

cdef extern from *:
    """
    /* How the eight bytes behind a type are cut into its numbers, given how many there are and which bytes end one. */
    struct gt_cut {
        uint64_t masks[5];      /* of each number: of the bytes, or of their sevens put together */
        uint8_t shifts[5];      /* of each number in the sevens */
        uint8_t length;         /* bytes of all, 0 if they go on */
        uint8_t unused[18];     /* one line of the cache */
    };
    static struct gt_cut gt_cuts[6][256];
    #if defined(GOTRACE_PEXT)
    #define gt_numbers(word) (word)
    #define gt_number(word, cut, i) _pext_u64(word, (cut)->masks[i])
    #else
    #define gt_numbers(word) gt_sevens(word)
    #define gt_number(numbers, cut, i) (((numbers) & (cut)->masks[i]) >> (cut)->shifts[i])
    #endif

    static void gt_fill_cuts(void) {
        for (int n = 1; n < 6; n++)
            for (int ends = 0; ends < 256; ends++) {
                struct gt_cut *cut = &gt_cuts[n][ends];
                int i = 0, first = 0;
                for (int at = 0; at < 8 && i < n; at++)
                    if (ends >> at & 1) {
    #if defined(GOTRACE_PEXT)
                        cut->masks[i] = (0x7f7f7f7f7f7f7f7fu << (8 * first)) & (0x7f7f7f7f7f7f7f7fu >> (8 * (7 - at)));
    #else
                        cut->masks[i] = (((uint64_t)1 << (7 * (at + 1 - first))) - 1) << (7 * first);
                        cut->shifts[i] = (uint8_t)(7 * first);
    #endif
                        first = at + 1;
                        cut->length = ++i == n ? (uint8_t)first : 0;
                    }
            }
    }

    /* Which of eight bytes end a number. */
    static inline uint8_t gt_ends8(uint64_t word) {
        return (uint8_t)(((~word & 0x8080808080808080u) >> 7) * 0x0102040810204080u >> 56);
    }

    /* Bits without the lowest; where it follows a condition, that stays a branch: what comes next need not wait. */
    static inline uint64_t gt_behind(uint64_t bits) {
    #if defined(__GNUC__)
        __asm__("" : "+r"(bits));
    #endif
        return bits & (bits - 1);
    }
    """
    cdef struct Cut "gt_cut":
        uint8_t length
    Cut cuts "gt_cuts" [6][256]
    void fill_cuts "gt_fill_cuts"()
    uint64_t numbers_of "gt_numbers"(uint64_t word) noexcept nogil
    uint64_t number "gt_number"(uint64_t numbers, const Cut *cut, int i) noexcept nogil
    uint8_t ends8 "gt_ends8"(uint64_t word) noexcept nogil
    uint64_t behind "gt_behind"(uint64_t bits) noexcept nogil

cdef enum:
    WINDOW = 64         # bytes whose varint ends are found at once
    LONGEST = 10        # bytes of a fast event, and one more
    TOUCHED = 64        # bytes that reading a fast event may touch
    LEFT = 74           # bytes of a batch's end that brief_fast leaves: a window, and an event that begins in it


cdef inline int decode_fast(const Stream *s, RUN *run, DECODED *events, int room) noexcept nogil:
    """Decode up to room events of the current batch, until one has over 8 bytes of numbers or is odd; how many.

    Nearly all events are that short. Where numbers end is found for a window of bytes at once, so that one event need
    not wait for the one before it; how its bytes are cut into numbers stands in a table.
    """
    cdef const uint8_t *window
    cdef const uint8_t *n_args = s.n_args
    cdef double factor = s.factor
    cdef int64_t at = run.next, time = run.time, base = run.base, end = run.end, last = min(end, s.size - TOUCHED)
    cdef uint64_t ends, rest, numbers
    cdef uint32_t n, eight, place = LONGEST
    cdef uint8_t kind
    cdef int k = 0
    cdef const Cut *cut
    cdef DECODED *event
    while k < room and at < last and place >= LONGEST:
        window = s.data + at
        ends = rest = ends64(window)
        place = 0
        while place <= WINDOW - LONGEST and k < room:
            event = &events[k]
            kind = window[place]
            n = n_args[kind]
            if kind < 128:
                rest = behind(rest)         # that was the type itself
            eight = (ends >> (place + 1)) & 0xFF
            numbers = numbers_of(load64(window + place + 1))
            event.type = kind
            event.start = at + place
            if n == 3:
                cut = &cuts[3][eight]
                event.args[0] = number(numbers, cut, 1)
                event.args[1] = number(numbers, cut, 2)
                event.args[2] = event.args[3] = 0
                rest = behind(behind(rest))
            elif n == 2:
                cut = &cuts[2][eight]
                event.args[0] = number(numbers, cut, 1)
                event.args[1] = event.args[2] = event.args[3] = 0
                rest = behind(rest)
            else:
                cut = &cuts[n][eight]
                event.args[0] = number(numbers, cut, 1)
                event.args[1] = number(numbers, cut, 2)
                event.args[2] = number(numbers, cut, 3)
                event.args[3] = number(numbers, cut, 4)
                while n > 1:
                    rest = behind(rest)
                    n -= 1
            if cut.length == 0 or at + place + cut.length >= end:
                break
            place = lowest(rest) + 1
            rest = behind(rest)
            if time == 0:
                time = base
            time = wrap_add(time, short_to_ns(number(numbers, cut, 0), factor))
            event.time = time
            k += 1
        at += place
    run.next = at
    run.time = time
    return k


cdef inline int brief_fast(const Stream *s, RUN *run, BRIEF *briefs, int room, Finder *finder) noexcept nogil:
    """As :func:`decode_fast`, in brief, with what there is to be found of objects; a batch's last events are left."""
    cdef const uint8_t *window
    cdef const uint8_t *n_args = s.n_args
    cdef double factor = s.factor
    cdef int64_t at = run.next, time = run.time, base = run.base, last = min(run.end, s.size) - LEFT
    cdef uint64_t ends, rest, numbers
    cdef uint32_t n, eight, place = LONGEST
    cdef uint8_t kind, n_kinds = finder.n_kinds
    cdef int32_t row
    cdef const Cut *cut
    cdef BRIEF *brief = briefs
    cdef BRIEF *behind_all = briefs + room
    while brief < behind_all and at < last and place >= LONGEST:
        window = s.data + at
        ends = rest = ends64(window)
        place = 0
        while place <= WINDOW - LONGEST and brief < behind_all:
            kind = window[place]
            n = n_args[kind]
            eight = (ends >> (place + 1)) & 0xFF
            numbers = numbers_of(load64(window + place + 1))
            brief.place = (at + place) << 8 | kind
            if <uint8_t> (kind - FIRST_OBJECT) < n_kinds:
                if n == 3:
                    cut = &cuts[3][eight]
                    if cut.length == 0:
                        break
                    rest = behind(behind(rest))
                    row = type_row(finder, number(numbers, cut, 2))
                else:
                    cut = &cuts[2][eight]
                    if cut.length == 0:
                        break
                    rest = behind(rest)
                    row = UNTYPED
                find_object(finder, brief, kind, number(numbers, cut, 1), row)
            else:
                cut = &cuts[n][eight]
                if cut.length == 0:
                    break
                if kind < 128:
                    rest = behind(rest)         # that was the type itself
                if n == 3:
                    rest = behind(behind(rest))
                elif n == 2:
                    rest = behind(rest)
                else:
                    while n > 1:
                        rest = behind(rest)
                        n -= 1
                brief.arg = number(numbers, cut, 1)
                brief.hint = brief.type_row = 0
            place = lowest(rest) + 1
            rest = behind(rest)
            if time == 0:
                time = base
            time = wrap_add(time, short_to_ns(number(numbers, cut, 0), factor))
            brief.time = time
            brief += 1
        at += place
    run.next = at
    run.time = time
    return <int> (brief - briefs)


cdef inline bint args_fast(const Stream *s, int64_t start, uint64_t *args) noexcept nogil:
    """Read the numbers of an event that was decoded before, without its time; whether it is short enough."""
    cdef uint64_t word, numbers
    cdef const Cut *cut
    cdef int i
    if start > s.size - TOUCHED:
        return False
    word = load64(s.data + start + 1)
    cut = &cuts[s.n_args[s.data[start]]][ends8(word)]
    if cut.length == 0:
        return False
    numbers = numbers_of(word)
    for i in range(4):
        args[i] = number(numbers, cut, i + 1)
    return True
