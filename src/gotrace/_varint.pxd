# Unsigned LEB128: checked readers, one byte at a time and a whole event at a time.
# Never here: what the numbers mean, Python objects.
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t

cdef extern from *:
    """
    #include <stdint.h>
    #include <string.h>
    #if defined(__SSE2__)
    #include <emmintrin.h>
    #endif

    /* Eight bytes, first byte lowest, wherever they lie. */
    static inline uint64_t gt_load64(const uint8_t *p) {
        uint64_t w;
        memcpy(&w, p, 8);
    #if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
        w = __builtin_bswap64(w);
    #endif
        return w;
    }

    /* Bit i is set where byte p[i] ends a varint (high bit clear), i < 16. */
    static inline uint32_t gt_ends16(const uint8_t *p) {
    #if defined(__SSE2__)
        return ~(uint32_t)_mm_movemask_epi8(_mm_loadu_si128((const __m128i *)p)) & 0xffffu;
    #else
        const uint64_t high = 0x8080808080808080u, gather = 0x0002040810204081u;
        uint64_t a = ~gt_load64(p) & high, b = ~gt_load64(p + 8) & high;
        return (uint32_t)((a * gather) >> 56) | (uint32_t)((b * gather) >> 56) << 8;
    #endif
    }

    static inline uint32_t gt_lowest(uint32_t bits) { return (uint32_t)__builtin_ctz(bits); }
    static inline int gt_likely(int x) { return __builtin_expect(x, 1); }
    """
    uint64_t load64 "gt_load64"(const uint8_t *p) noexcept nogil
    uint32_t ends16 "gt_ends16"(const uint8_t *p) noexcept nogil
    uint32_t lowest "gt_lowest"(uint32_t bits) noexcept nogil
    bint likely "gt_likely"(bint x) noexcept nogil


cdef enum:
    # What a reader answers instead of a length. The numbers are negative statuses of errors.py.
    CUT = -1        # the bytes end inside the varint
    OVERFLOW = -2   # more than 64 bits


cdef inline int read_uvarint(const uint8_t *p, const uint8_t *end, uint64_t *value) noexcept nogil:
    """Length of the varint at p, or CUT, or OVERFLOW; never reads at or beyond end."""
    cdef uint64_t x = 0
    cdef int i
    for i in range(10):
        if p + i >= end:
            return CUT
        if p[i] < 0x80:
            if i == 9 and p[i] > 1:
                return OVERFLOW
            value[0] = x | (<uint64_t> p[i]) << (7 * i)
            return i + 1
        x |= (<uint64_t> (p[i] & 0x7F)) << (7 * i)
    return OVERFLOW


cdef inline uint64_t short_uvarint(const uint8_t *p, uint32_t n) noexcept nogil:
    """The varint of n bytes (1 to 8) at p; eight bytes must be readable."""
    cdef uint64_t w = load64(p) & (0xFFFFFFFFFFFFFFFFu >> (64 - 8 * n))
    w &= 0x7F7F7F7F7F7F7F7Fu
    w = (w & 0x007F007F007F007Fu) | ((w & 0x7F007F007F007F00u) >> 1)
    w = (w & 0x00003FFF00003FFFu) | ((w & 0x3FFF00003FFF0000u) >> 2)
    return (w & 0x000000000FFFFFFFu) | ((w & 0x0FFFFFFF00000000u) >> 4)


cdef inline int write_uvarint(uint8_t *p, uint64_t value) noexcept nogil:
    """Write the shortest form (at most 10 bytes); its length."""
    cdef int n = 0
    while value >= 0x80:
        p[n] = <uint8_t> (value | 0x80)
        value >>= 7
        n += 1
    p[n] = <uint8_t> value
    return n + 1
