# Active tasks. Never here: behaviour.
cimport cython
from libc.stdint cimport int32_t, int64_t

from gotrace._generated cimport MEMBER, OPEN_TASK, ORDERED, TASKTIME
from gotrace._hashmap cimport HashMap


@cython.final
cdef class Tasks:
    cdef OPEN_TASK[::1] tasks
    cdef MEMBER[::1] members
    cdef int32_t[::1] heads                     # last row of members, by row of LIFE
    cdef HashMap task_map, member_map
    cdef int32_t n_tasks, n_members, free_task, free_member
    cdef int64_t task_keys, member_keys
    cdef TASKTIME[::1] out
    cdef readonly int32_t filled

    cdef int64_t room(self) noexcept nogil
    cdef int64_t output(self) noexcept nogil
    cdef int32_t task(self, int64_t id) noexcept nogil
    cdef void join(self, int32_t task, int32_t life) noexcept nogil
    cdef void part(self, int32_t row) noexcept nogil
    cdef void leave(self, int32_t life) noexcept nogil
    cdef void add_region(self, int64_t id, int32_t life) noexcept nogil
    cdef void add_log(self, int64_t id, int32_t life) noexcept nogil
    cdef void turn(self, const ORDERED *row, int32_t name, int32_t life) noexcept nogil
    cdef void put(self, int32_t at, int64_t end, int64_t end_g) noexcept nogil
