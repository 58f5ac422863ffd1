# The fast path of decoding, the innermost loop: short, valid events. Compiled twice, see _cursor.pyx.
# Never here: faults, or events that need a check of every byte.
from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t

from gotrace._generated cimport COMPACT, CURSOR, DECODED
from gotrace._varint cimport ends64, load64, lowest, unlikely
from gotrace.wire._resolve cimport FIRST_OBJECT, LAST_OBJECT, Resolver, UNTYPED, resolve_object, type_row
from gotrace.wire._stream cimport Stream, short_to_ns, wrap_add

cdef extern from *:
    """
    /* How the eight bytes after a type are cut into varints, given which bytes end one. */
    struct gt_cut {
        uint64_t masks[5];      /* of each varint, in the bytes or in their joined 7-bit groups; 0 if it is longer */
        uint8_t shifts[5];      /* of each varint in the joined 7-bit groups */
        uint8_t lengths[6];     /* bytes of the first n varints; 0 if they are longer */
        uint8_t unused[13];     /* fills a cache line */
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

    /* The barrier makes the compiler compute the entry's address once. */
    static inline const struct gt_cut *gt_cut_at(uint8_t ends) {
        const struct gt_cut *cut = &gt_cuts[ends];
    #if defined(__GNUC__)
        __asm__("" : "+r"(cut));
    #endif
        return cut;
    }

    /* Bit i is set if byte i ends a varint. */
    static inline uint8_t gt_ends8(uint64_t word) {
        return (uint8_t)(((~word & 0x8080808080808080u) >> 7) * 0x0102040810204080u >> 56);
    }

    /* Clears the lowest set bit. The barrier keeps a preceding condition a branch: a conditional move would make the
       next event wait for it. */
    static inline uint64_t gt_after(uint64_t bits) {
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
    uint64_t after "gt_after"(uint64_t bits) noexcept nogil

cdef enum:
    WINDOW = 64         # bytes whose varint ends are found at once
    LONGEST = 10        # bytes of the longest event of the fast path, plus one
    TOUCHED = 64        # bytes that decoding an event here may read
    LEFT = 74           # bytes at a batch's end that decode_compact leaves: a window, and an event that starts in it


cdef inline int decode_fast(const Stream *s, CURSOR *cursor, DECODED *events, int room, bint skip_args) noexcept nogil:
    """Decode up to room events of the current batch, up to the first that needs slow_event; return their number.

    An event is decoded here if its varints take at most 8 bytes, as nearly all do. The ends of varints are found for a
    window of bytes at once, so that no event waits for the one before it; a table gives the cuts. With ``skip_args``,
    the arguments of experimental events are not decoded.
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
                rest = after(rest)         # the bit of the type byte itself
            cut = cut_at(<uint8_t> (ends >> (place + 1)))
            numbers = numbers_of(load64(window + place + 1))
            event.type = kind
            event.start = at + place
            length = cut.lengths[n]
            if skip_args and kind >= 128:
                while n > 1:
                    rest = after(rest)
                    n -= 1
            elif n == 3:
                event.args[0] = number(numbers, cut, 1)
                event.args[1] = number(numbers, cut, 2)
                event.args[2] = event.args[3] = 0
                rest = after(after(rest))
            elif n == 2:
                event.args[0] = number(numbers, cut, 1)
                event.args[1] = event.args[2] = event.args[3] = 0
                rest = after(rest)
            else:
                event.args[0] = number(numbers, cut, 1) if n > 1 else 0
                event.args[1] = number(numbers, cut, 2) if n > 2 else 0
                event.args[2] = number(numbers, cut, 3) if n > 3 else 0
                event.args[3] = number(numbers, cut, 4) if n > 4 else 0
                while n > 1:
                    rest = after(rest)
                    n -= 1
            if length == 0 or at + place + length >= end:
                break
            place = lowest(rest) + 1
            rest = after(rest)
            time = wrap_add(time, short_to_ns(number(numbers, cut, 0), factor))
            event.time = time
            if unlikely(time == 0):
                time = base
            k += 1
        at += place
    cursor.next = at
    cursor.time = time
    return k


cdef inline int decode_compact(
    const Stream *s, CURSOR *cursor, COMPACT *events, int room, Resolver *resolver
) noexcept nogil:
    """As :func:`decode_fast`, but compact events with objects resolved; the last ``LEFT`` bytes of a batch are left."""
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
    cdef COMPACT *compact = events
    cdef COMPACT *stop = events + room
    while compact < stop and at < last and place >= LONGEST:
        window = s.data + at
        ends = rest = ends64(window)
        place = 0
        while place <= WINDOW - LONGEST and compact < stop:
            kind = window[place]
            cut = cut_at(<uint8_t> (ends >> (place + 1)))
            numbers = numbers_of(load64(window + place + 1))
            compact.place = (at + place) << 8 | kind
            if <uint8_t> (kind - FIRST_OBJECT) < n_kinds:
                if kind != LAST_OBJECT:
                    if cut.lengths[3] == 0:
                        break
                    rest = after(after(rest))
                    row = type_row(resolver, number(numbers, cut, 2))
                else:
                    if cut.lengths[2] == 0:
                        break
                    rest = after(rest)
                    row = UNTYPED
                resolve_object(resolver, compact, kind, number(numbers, cut, 1), row)
            else:
                n = n_args[kind]
                if cut.lengths[n] == 0:
                    break
                if kind < 128:
                    rest = after(rest)         # the bit of the type byte itself
                compact.arg = number(numbers, cut, 1) if n > 1 else 0
                if n == 3:
                    rest = after(after(rest))
                elif n == 2:
                    rest = after(rest)
                else:
                    while n > 1:
                        rest = after(rest)
                        n -= 1
                compact.page_slot = compact.type_row = 0
            place = lowest(rest) + 1
            rest = after(rest)
            time = wrap_add(time, short_to_ns(number(numbers, cut, 0), factor))
            compact.time = time
            if unlikely(time == 0):
                time = base
            compact += 1
        at += place
    cursor.next = at
    cursor.time = time
    return <int> (compact - events)


cdef inline bint args_fast(const Stream *s, int64_t start, uint64_t *args) noexcept nogil:
    """Read the arguments of a decoded event again, without its time; False if it is too long for the fast path."""
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
