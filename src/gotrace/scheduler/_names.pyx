"""Names of the trace, as the scheduling tables use them: rows of strings and stacks come in, numbers of names go out.

Never here: text.
"""
cimport cython
from libc.stdint cimport int32_t, int64_t

from gotrace._generated cimport NAMED, RAW_STACK
from gotrace.order.machine cimport Machine


@cython.final
cdef class Names:
    """The names that the tables use; the machine gives equal names one number."""

    def __init__(self, Machine machine):
        self.machine = machine

    def bind(self, NAMED[::1] named):
        """Use this table of names."""
        self.named = named

    def open(self, const RAW_STACK[::1] stacks, const int32_t[::1] frames, const int64_t[::1] functions):
        """Use the stacks of the next segment."""
        self.stacks = stacks
        self.frames = frames
        self.functions = functions

    cdef int32_t look_up(self, int32_t row) noexcept nogil:
        cdef int32_t number
        if row < 0:
            number = -1 - row
        else:
            number = self.machine.name_of_row[row - self.machine.string_base]
            if number == 0:
                self.number = 0
                if not self.machine.has_room(1):
                    return UNNAMED
                number = self.machine.intern(row - self.machine.string_base)
        if number == 0 or self.machine.names[number].length == 0:
            return 0
        if number >= self.named.shape[0] or self.named[number].row == 0:
            self.number = number
            self.row = row if row > 0 else self.machine.names[number].row
            return UNNAMED
        return number

    cdef int32_t function(self, int32_t stack) noexcept nogil:
        """Return the name of the outermost function of a row of stacks, like ``name``."""
        cdef const RAW_STACK *frames
        cdef int64_t function
        if stack == 0:
            return 0
        frames = &self.stacks[stack - self.machine.stack_base]
        if frames.n_frames == 0:
            return 0
        function = self.functions[self.frames[frames.first + frames.n_frames - 1]]
        return 0 if function < 0 else self.name(<int32_t> function + self.machine.string_base)
