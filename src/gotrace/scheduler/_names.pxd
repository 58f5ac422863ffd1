# Names of the trace, as the scheduling tables use them. What nearly every event calls is inline.
cimport cython
from libc.stdint cimport int32_t, int64_t

from gotrace._generated cimport NAMED, RAW_STACK
from gotrace.order.machine cimport Machine

cdef enum:
    UNNAMED = -1    # the caller must enter the name first


@cython.final
cdef class Names:
    cdef Machine machine
    cdef NAMED[::1] named
    cdef const RAW_STACK[::1] stacks
    cdef const int32_t[::1] frames
    cdef const int64_t[::1] functions
    cdef readonly int32_t number, row           # the name to enter, and its row of strings

    cdef int32_t look_up(self, int32_t row) noexcept nogil
    cdef int32_t function(self, int32_t stack) noexcept nogil

    cdef inline int32_t name(self, int32_t row) noexcept nogil:
        """Return the number of the name in a row of strings, or ``~row`` of a name; 0 for the empty string.

        UNNAMED if it must be entered first, or if the machine has no room for it.
        """
        cdef int32_t number
        if row == 0:
            return 0
        if row > 0:
            number = self.machine.name_of_row[row - self.machine.string_base]
            if number and number < self.named.shape[0] and self.named[number].row:
                return number
        return self.look_up(row)

    cdef inline int32_t row_of(self, int32_t name) noexcept nogil:
        """Return the row of strings of a name."""
        return self.named[name].row

    cdef inline int role_of(self, int32_t name) noexcept nogil:
        """Return the NameRole of a name."""
        return self.named[name].role
