# Numbers as text. Never here: lines.
from libc.stdint cimport int64_t, uint8_t, uint64_t


cdef uint8_t *put_number(uint8_t *out, uint64_t value) noexcept nogil
cdef uint8_t *put_signed(uint8_t *out, int64_t value) noexcept nogil
