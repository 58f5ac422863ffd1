"""Active tasks: their starts, ends, logs and regions come in, rows of TASKTIME go out.

Names are rows of strings. Never here: goroutines, but for the rows of those that count for a task.
"""
cimport cython
from libc.stdint cimport int32_t, int64_t, uint64_t
from libc.string cimport memset

from gotrace._generated cimport EVENT_TASK_BEGIN, MEMBER, OPEN_TASK, ORDERED, TASKTIME
from gotrace._hashmap cimport HashMap, place, remove


@cython.final
cdef class Tasks:
    """Active tasks, and the live goroutines that count for them."""

    def __init__(self):
        self.forget()

    def bind(self, OPEN_TASK[::1] tasks, MEMBER[::1] members):
        """Use these tables, which contain the rows so far."""
        self.tasks = tasks
        self.members = members

    def bind_members(self, int32_t[::1] heads):
        """Use this table of each goroutine's last row of MEMBER, by row of LIFE."""
        self.heads = heads

    def bind_maps(self, HashMap tasks, HashMap members):
        """Use these maps of ids, and of pairs of a task and a goroutine, to rows."""
        self.task_map = tasks
        self.member_map = members

    def fill(self, TASKTIME[::1] out):
        """Write the next rows to ``out``."""
        self.out = out
        self.filled = 0

    def empty(self):
        """Write the next rows to the start of the output."""
        self.filled = 0

    def forget(self):
        """Forget all tasks; the tables must be empty."""
        self.n_tasks = self.n_members = 1
        self.free_task = self.free_member = 0
        self.task_keys = self.member_keys = 0

    def rows_used(self) -> tuple[int, int]:
        """Return the number of rows that were used in each table."""
        return self.n_tasks, self.n_members

    def keys_used(self) -> tuple[int, int]:
        """Return the number of keys in each map."""
        return self.task_keys, self.member_keys

    def end(self, const int32_t[::1] order, int64_t first) -> int:
        """Put out active tasks from ``order[first]`` on; return where there is no more room."""
        cdef int64_t i = first
        while i < order.shape[0] and self.filled < self.out.shape[0]:
            self.put(order[i], -1, -1)
            i += 1
        return i

    cdef int64_t room(self) noexcept nogil:
        """Return the number of events for which there is room."""
        return min(
            min(self.tasks.shape[0] - self.n_tasks, self.members.shape[0] - self.n_members),
            min(self.task_map.room // 2 - self.task_keys, self.member_map.room // 2 - self.member_keys),
        )

    cdef int64_t output(self) noexcept nogil:
        """Return the number of tasks for which there is room in the output."""
        return self.out.shape[0] - self.filled

    cdef int32_t task(self, int64_t id) noexcept nogil:
        """Return the row of an active task, which is added if it is new."""
        cdef int64_t home = place(&self.task_map.map, <uint64_t> id)
        cdef int32_t row = self.task_map.map.vals[home]
        cdef OPEN_TASK *task
        if row:
            return row
        row = self.free_task
        if row:
            self.free_task = self.tasks[row].members
        else:
            row = self.n_tasks
            self.n_tasks = row + 1
        self.task_map.map.keys[home] = <uint64_t> id
        self.task_map.map.vals[home] = row
        self.task_keys = self.task_keys + 1
        task = &self.tasks[row]
        memset(task, 0, sizeof(OPEN_TASK))
        task.id = id
        task.start = task.parent = task.g = -1
        task.used = True
        return row

    cdef void add_region(self, int64_t id, int32_t life) noexcept nogil:
        """Count a region of a goroutine for its task."""
        cdef int32_t at = self.task(id)
        self.tasks[at].regions += 1
        self.join(at, life)

    cdef void add_log(self, int64_t id, int32_t life) noexcept nogil:
        """Count a log message of a goroutine for its task."""
        cdef int32_t at = self.task(id)
        self.tasks[at].logs += 1
        self.join(at, life)

    cdef void join(self, int32_t task, int32_t life) noexcept nogil:
        """Count a goroutine for a task, once."""
        cdef uint64_t key = <uint64_t> task << 32 | <uint64_t> life
        cdef int64_t home
        cdef int32_t row, next
        cdef MEMBER *member
        if life == 0:
            return
        home = place(&self.member_map.map, key)
        if self.member_map.map.vals[home]:
            return
        row = self.free_member
        if row:
            self.free_member = self.members[row].next_of_life
        else:
            row = self.n_members
            self.n_members = row + 1
        self.member_map.map.keys[home] = key
        self.member_map.map.vals[home] = row
        self.member_keys = self.member_keys + 1
        self.tasks[task].goroutines += 1
        member = &self.members[row]
        member.task = task
        member.life = life
        member.prev_of_task = member.prev_of_life = 0
        next = member.next_of_task = self.tasks[task].members
        self.members[next].prev_of_task = row
        self.tasks[task].members = row
        next = member.next_of_life = self.heads[life]
        self.members[next].prev_of_life = row
        self.heads[life] = row

    cdef void part(self, int32_t row) noexcept nogil:
        """Forget that a goroutine counts for a task: one of them has ended."""
        cdef const MEMBER *member = &self.members[row]
        remove(&self.member_map.map, <uint64_t> member.task << 32 | <uint64_t> member.life)
        self.member_keys = self.member_keys - 1
        self.members[member.next_of_task].prev_of_task = member.prev_of_task
        self.members[member.next_of_life].prev_of_life = member.prev_of_life
        if member.prev_of_task:
            self.members[member.prev_of_task].next_of_task = member.next_of_task
        else:
            self.tasks[member.task].members = member.next_of_task
        if member.prev_of_life:
            self.members[member.prev_of_life].next_of_life = member.next_of_life
        else:
            self.heads[member.life] = member.next_of_life
        self.members[row].next_of_life = self.free_member
        self.free_member = row

    cdef void leave(self, int32_t life) noexcept nogil:
        """Forget a goroutine that ended."""
        while self.heads[life]:
            self.part(self.heads[life])

    cdef void turn(self, const ORDERED *row, int32_t name, int32_t life) noexcept nogil:
        """Start or end a task."""
        cdef int32_t at = self.task(row.args[0])
        cdef OPEN_TASK *task = &self.tasks[at]
        self.join(at, life)
        if name:
            task.name = name
        if task.parent < 0:
            task.parent = row.args[1]
        if row.kind == EVENT_TASK_BEGIN:
            task.start = row.time
            task.g = row.g
        else:
            self.put(at, row.time, row.g)

    cdef void put(self, int32_t at, int64_t end, int64_t end_g) noexcept nogil:
        """Put out a task, and free its row; ``end`` is -1 if it is active."""
        cdef OPEN_TASK *task = &self.tasks[at]
        cdef TASKTIME *out = &self.out[self.filled]
        self.filled = self.filled + 1
        out.start = task.start
        out.end = end
        out.task = task.id
        out.parent = task.parent
        out.g = task.g
        out.end_g = end_g
        out.regions = task.regions
        out.logs = task.logs
        out.goroutines = task.goroutines
        out.name = task.name
        while task.members:
            self.part(task.members)
        remove(&self.task_map.map, <uint64_t> task.id)
        self.task_keys = self.task_keys - 1
        task.used = False
        task.members = self.free_task
        self.free_task = at
