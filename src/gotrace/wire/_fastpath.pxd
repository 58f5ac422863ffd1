# Decoding of plain events, the innermost loop of all. It is compiled twice: see _runs.pyx.
# Never here: a fault, an event that is odd in any way.
from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t

from gotrace._generated cimport COMPACT, CURSOR, DECODED
from gotrace._varint cimport ends64, load64, lowest, unlikely
from gotrace.wire._resolve cimport FIRST_OBJECT, LAST_OBJECT, Resolver, UNTYPED, resolve_object, type_row
from gotrace.wire._stream cimport Stream, short_to_ns, wrap_add

cdef extern from *:
    """
    /* How the eight bytes behind a type are cut into numbers, given which bytes end one. */
    struct gt_cut {
        uint64_t masks[5];      /* of each number: of the bytes, or of their sevens put together; 0 if it goes on */
        uint8_t shifts[5];      /* of each number in the sevens */
        uint8_t lengths[6];     /* bytes of so many numbers, 0 if they go on */
        uint8_t unused[13];     /* one line of the cache */
    };
    static struct gt_cut gt_cuts[256];
    #if defined(GOTRACE_PEXT)
    #define gt_numbers(word) (word)
    #define gt_number(word, cut, i) _pext_u64(word, (cut)->masks[i])
    #else
    #define gt_numbers(word) gt_sevens(word)
    #define gt_number(numbers, cut, i) (((numbers) & (cut)->masks[i]) >> (cut)->shifts[i])
    #endif

    static void gt_fill_cuts(void) {
        for (int ends = 0; ends < 256; ends++) {
            struct gt_cut *cut = &gt_cuts[ends];
            int i = 0, first = 0;
            for (int at = 0; at < 8 && i < 5; at++)
                if (ends >> at & 1) {
    #if defined(GOTRACE_PEXT)
                    cut->masks[i] = (0x7f7f7f7f7f7f7f7fu << (8 * first)) & (0x7f7f7f7f7f7f7f7fu >> (8 * (7 - at)));
    #else
                    cut->masks[i] = (((uint64_t)1 << (7 * (at + 1 - first))) - 1) << (7 * first);
                    cut->shifts[i] = (uint8_t)(7 * first);
    #endif
                    first = at + 1;
                    cut->lengths[++i] = (uint8_t)first;
                }
        }
    }

    /* Its address is made once. */
    static inline const struct gt_cut *gt_cut_at(uint8_t ends) {
        const struct gt_cut *cut = &gt_cuts[ends];
    #if defined(__GNUC__)
        __asm__("" : "+r"(cut));
    #endif
        return cut;
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
        uint8_t[6] lengths
    const Cut *cut_at "gt_cut_at"(uint8_t ends) noexcept nogil
    void fill_cuts "gt_fill_cuts"()
    uint64_t numbers_of "gt_numbers"(uint64_t word) noexcept nogil
    uint64_t number "gt_number"(uint64_t numbers, const Cut *cut, int i) noexcept nogil
    uint8_t ends8 "gt_ends8"(uint64_t word) noexcept nogil
    uint64_t behind "gt_behind"(uint64_t bits) noexcept nogil

cdef enum:
    WINDOW = 64         # bytes whose varint ends are found at once
    LONGEST = 10        # bytes of a fast event, and one more
    TOUCHED = 64        # bytes that reading a fast event may touch
    LEFT = 74           # bytes of a batch's end that decode_compact leaves: a window, and an event that begins in it


cdef inline int decode_fast(const Stream *s, CURSOR *cursor, DECODED *events, int room, bint skip_args) noexcept nogil:
    """Decode up to room events of the current batch, until one has over 8 bytes of numbers or is odd; how many.

    Nearly all events are that short. Where numbers end is found for a window of bytes at once, so that one event need
    not wait for the one before it; how its bytes are cut into numbers stands in a table. With ``bare``, numbers of
    experiments' events are left out.
    """
    cdef const uint8_t *window
    cdef const uint8_t *n_args = s.n_args
    cdef double factor = s.factor
    cdef int64_t at = cursor.next, end = cursor.end, last = min(end, s.size - TOUCHED)
    cdef int64_t base = cursor.base, time = cursor.time if cursor.time else base
    cdef uint64_t ends, rest, numbers
    cdef uint32_t n, place = LONGEST
    cdef uint8_t kind, length
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
            cut = cut_at(<uint8_t> (ends >> (place + 1)))
            numbers = numbers_of(load64(window + place + 1))
            event.type = kind
            event.start = at + place
            length = cut.lengths[n]
            if skip_args and kind >= 128:
                while n > 1:
                    rest = behind(rest)
                    n -= 1
            elif n == 3:
                event.args[0] = number(numbers, cut, 1)
                event.args[1] = number(numbers, cut, 2)
                event.args[2] = event.args[3] = 0
                rest = behind(behind(rest))
            elif n == 2:
                event.args[0] = number(numbers, cut, 1)
                event.args[1] = event.args[2] = event.args[3] = 0
                rest = behind(rest)
            else:
                event.args[0] = number(numbers, cut, 1) if n > 1 else 0
                event.args[1] = number(numbers, cut, 2) if n > 2 else 0
                event.args[2] = number(numbers, cut, 3) if n > 3 else 0
                event.args[3] = number(numbers, cut, 4) if n > 4 else 0
                while n > 1:
                    rest = behind(rest)
                    n -= 1
            if length == 0 or at + place + length >= end:
                break
            place = lowest(rest) + 1
            rest = behind(rest)
            time = wrap_add(time, short_to_ns(number(numbers, cut, 0), factor))
            event.time = time
            if unlikely(time == 0):
                time = base
            k += 1
        at += place
    cursor.next = at
    cursor.time = time
    return k


cdef inline int decode_compact(const Stream *s, CURSOR *cursor, COMPACT *briefs, int room, Resolver *resolver) noexcept nogil:
    """As :func:`decode_fast`, in brief, with what there is to be found of objects; a batch's last events are left."""
    cdef const uint8_t *window
    cdef const uint8_t *n_args = s.n_args
    cdef double factor = s.factor
    cdef int64_t at = cursor.next, last = min(cursor.end, s.size) - LEFT
    cdef int64_t base = cursor.base, time = cursor.time if cursor.time else base
    cdef uint64_t ends, rest, numbers
    cdef uint32_t n, place = LONGEST
    cdef uint8_t kind, n_kinds = resolver.n_kinds
    cdef int32_t row
    cdef const Cut *cut
    cdef COMPACT *compact = briefs
    cdef COMPACT *behind_all = briefs + room
    while compact < behind_all and at < last and place >= LONGEST:
        window = s.data + at
        ends = rest = ends64(window)
        place = 0
        while place <= WINDOW - LONGEST and compact < behind_all:
            kind = window[place]
            cut = cut_at(<uint8_t> (ends >> (place + 1)))
            numbers = numbers_of(load64(window + place + 1))
            compact.place = (at + place) << 8 | kind
            if <uint8_t> (kind - FIRST_OBJECT) < n_kinds:
                if kind != LAST_OBJECT:
                    if cut.lengths[3] == 0:
                        break
                    rest = behind(behind(rest))
                    row = type_row(resolver, number(numbers, cut, 2))
                else:
                    if cut.lengths[2] == 0:
                        break
                    rest = behind(rest)
                    row = UNTYPED
                resolve_object(resolver, compact, kind, number(numbers, cut, 1), row)
            else:
                n = n_args[kind]
                if cut.lengths[n] == 0:
                    break
                if kind < 128:
                    rest = behind(rest)         # that was the type itself
                compact.arg = number(numbers, cut, 1) if n > 1 else 0
                if n == 3:
                    rest = behind(behind(rest))
                elif n == 2:
                    rest = behind(rest)
                else:
                    while n > 1:
                        rest = behind(rest)
                        n -= 1
                compact.page_slot = compact.type_row = 0
            place = lowest(rest) + 1
            rest = behind(rest)
            time = wrap_add(time, short_to_ns(number(numbers, cut, 0), factor))
            compact.time = time
            if unlikely(time == 0):
                time = base
            compact += 1
        at += place
    cursor.next = at
    cursor.time = time
    return <int> (compact - briefs)


cdef inline bint args_fast(const Stream *s, int64_t start, uint64_t *args) noexcept nogil:
    """Read the numbers of an event that was decoded before, without its time; whether it is short enough."""
    cdef uint64_t word, numbers
    cdef const Cut *cut
    cdef int i, n
    if start > s.size - TOUCHED:
        return False
    word = load64(s.data + start + 1)
    n = s.n_args[s.data[start]]
    cut = cut_at(ends8(word))
    if cut.lengths[n] == 0:
        return False
    numbers = numbers_of(word)
    for i in range(4):
        args[i] = number(numbers, cut, i + 1) if i + 1 < n else 0
    return True
