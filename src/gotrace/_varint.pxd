# Unsigned LEB128 varints: a checked reader, bit operations on several varints at once, and a writer.
# Never here: what the numbers mean, Python objects.
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t

cdef extern from *:
    """
    #include <stdint.h>
    #include <string.h>
    #if defined(__SSE2__)
    #include <emmintrin.h>
    #endif

    /* Loads eight bytes, first byte lowest, from any alignment. */
    static inline uint64_t gt_load64(const uint8_t *p) {
        uint64_t w;
        memcpy(&w, p, 8);
    #if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
        w = __builtin_bswap64(w);
    #endif
        return w;
    }

    /* Bit i is set if byte p[i] ends a varint (high bit clear), i < 64. */
    static inline uint64_t gt_ends64(const uint8_t *p) {
        uint64_t ends = 0;
    #if defined(__SSE2__)
        for (int i = 0; i < 4; i++)
            ends |= (uint64_t)(uint16_t)_mm_movemask_epi8(_mm_loadu_si128((const __m128i *)(p + 16 * i))) << (16 * i);
    #else
        for (int i = 0; i < 8; i++)
            ends |= ((gt_load64(p + 8 * i) & 0x8080808080808080u) >> 7) * 0x0102040810204080u >> 56 << (8 * i);
    #endif
        return ~ends;
    }

    /* Joins the low seven bits of each of eight bytes. */
    #if defined(GOTRACE_PEXT)
    #include <immintrin.h>
    static inline uint64_t gt_sevens(uint64_t w) { return _pext_u64(w, 0x7f7f7f7f7f7f7f7fu); }
    #else
    static inline uint64_t gt_sevens(uint64_t w) {
        w &= 0x7f7f7f7f7f7f7f7fu;
        w = (w & 0x007f007f007f007fu) | (w & 0x7f007f007f007f00u) >> 1;
        w = (w & 0x00003fff00003fffu) | (w & 0x3fff00003fff0000u) >> 2;
        return (w & 0x000000000fffffffu) | (w & 0x0fffffff00000000u) >> 4;
    }
    #endif

    static inline uint32_t gt_lowest(uint64_t bits) { return (uint32_t)__builtin_ctzll(bits); }
    /* Bits a to b - 1 of w; a and b are below 64. */
    static inline uint64_t gt_bits(uint64_t w, uint32_t a, uint32_t b) {
        return (w & (((uint64_t)1 << (b & 63)) - 1)) >> (a & 63);
    }

    /* Writes the shortest form of v, and up to 10 bytes in all; returns its length. No loop for up to 56 bits. */
    static inline uint32_t gt_put_uvarint(uint8_t *p, uint64_t v) {
        uint32_t n = 0;
        if (__builtin_expect(v >> 56 != 0, 0)) {
            while (v >= 0x80) {
                p[n++] = (uint8_t)(v | 0x80);
                v >>= 7;
            }
            p[n++] = (uint8_t)v;
            return n;
        }
        n = (uint32_t)((63 - __builtin_clzll(v | 1)) * 9 + 73) >> 6;
        v = (v & 0x0fffffffu) | (v & 0x00fffffff0000000u) << 4;
        v = (v & 0x00003fff00003fffu) | (v & 0x0fffc0000fffc000u) << 2;
        v = (v & 0x007f007f007f007fu) | (v & 0x3f803f803f803f80u) << 1;
        v |= 0x8080808080808080u & (((uint64_t)1 << (8 * (n - 1))) - 1);
    #if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
        v = __builtin_bswap64(v);
    #endif
        memcpy(p, &v, 8);
        return n;
    }

    static inline int gt_unlikely(int x) { return __builtin_expect(x, 0); }
    static inline void gt_prefetch(const void *p) { __builtin_prefetch(p); }
    """
    uint64_t load64 "gt_load64"(const uint8_t *p) noexcept nogil
    uint64_t ends64 "gt_ends64"(const uint8_t *p) noexcept nogil
    uint32_t lowest "gt_lowest"(uint64_t bits) noexcept nogil
    uint64_t sevens "gt_sevens"(uint64_t w) noexcept nogil
    uint64_t bits_of "gt_bits"(uint64_t w, uint32_t a, uint32_t b) noexcept nogil
    uint32_t put_uvarint "gt_put_uvarint"(uint8_t *p, uint64_t v) noexcept nogil
    bint unlikely "gt_unlikely"(bint x) noexcept nogil
    void prefetch "gt_prefetch"(const void *p) noexcept nogil


cdef enum:
    # Returned by a reader instead of a length; statuses of errors.py.
    CUT = -1        # the input ends inside the varint
    OVERFLOW = -2   # more than 64 bits


cdef inline int read_uvarint(const uint8_t *p, const uint8_t *end, uint64_t *value) noexcept nogil:
    """Read the varint at p; return its length, CUT or OVERFLOW. Never reads at or after end."""
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


cdef inline uint32_t sevens_in(uint32_t bit) noexcept nogil:
    """Return seven times the number of bytes up to the one whose highest bit has this index."""
    return bit - (bit >> 3)
