"""Go's unstable sort (FORMAT, Appendix A), by time: the order of equal times is part of the result.

FRONTIER rows come in and are sorted in place by the pattern-defeating quicksort of Go's package sort, step by step.
Never here: rules of the order.
"""
from libc.stdint cimport int32_t, uint64_t

from gotrace._generated cimport FRONTIER


cpdef void sort_rows(FRONTIER[::1] front, int first, int end) noexcept nogil:
    """Sort ``front[first:end]`` by time."""
    cdef int limit = 0, n = end - first
    while n > 0:
        limit += 1
        n >>= 1
    if end > first:
        quicksort(&front[0], first, end, first, limit)


def sort_parts(FRONTIER[::1] front, const int32_t[::1] firsts):
    """Sort each range ``front[firsts[i]:firsts[i + 1]]`` by time."""
    cdef Py_ssize_t i
    with nogil:
        for i in range(firsts.shape[0] - 1):
            sort_rows(front, firsts[i], firsts[i + 1])


cdef inline bint less(const FRONTIER *rows, int i, int j) noexcept nogil:
    return rows[i].time < rows[j].time


cdef inline void swap(FRONTIER *rows, int i, int j) noexcept nogil:
    cdef FRONTIER row = rows[i]
    rows[i] = rows[j]
    rows[j] = row


cdef void quicksort(FRONTIER *rows, int a, int b, int first, int limit) noexcept nogil:
    cdef int balanced = True, partitioned = True, hint = 0, i, middle, n, pivot
    while True:
        n = b - a
        if n <= 12:
            insertion_sort(rows, a, b)
            return
        if limit == 0:
            heap_sort(rows, a, b)
            return
        if not balanced:
            break_patterns(rows, a, b)
            limit -= 1
        pivot = choose_pivot(rows, a, b, &hint)
        if hint < 0:
            for i in range((b - a) // 2):
                swap(rows, a + i, b - 1 - i)
            pivot = (b - 1) - (pivot - a)
            hint = 1
        if balanced and partitioned and hint > 0 and nearly_sorted(rows, a, b, first):
            return
        if a > first and not less(rows, a - 1, pivot):
            a = partition_equal(rows, a, b, pivot)
            continue
        middle = partition(rows, a, b, pivot, &partitioned)
        if middle - a < b - middle:
            balanced = middle - a >= n // 8
            quicksort(rows, a, middle, first, limit)
            a = middle + 1
        else:
            balanced = b - middle >= n // 8
            quicksort(rows, middle + 1, b, first, limit)
            b = middle


cdef void insertion_sort(FRONTIER *rows, int a, int b) noexcept nogil:
    cdef int i, j
    for i in range(a + 1, b):
        j = i
        while j > a and less(rows, j, j - 1):
            swap(rows, j, j - 1)
            j -= 1


cdef void heap_sort(FRONTIER *rows, int a, int b) noexcept nogil:
    cdef int i, n = b - a
    for i in range((n - 1) // 2, -1, -1):
        sink(rows, i, n, a)
    for i in range(n - 1, -1, -1):
        swap(rows, a, a + i)
        sink(rows, 0, i, a)


cdef void sink(FRONTIER *rows, int root, int end, int a) noexcept nogil:
    cdef int child
    while True:
        child = 2 * root + 1
        if child >= end:
            return
        if child + 1 < end and less(rows, a + child, a + child + 1):
            child += 1
        if not less(rows, a + root, a + child):
            return
        swap(rows, a + root, a + child)
        root = child


cdef void break_patterns(FRONTIER *rows, int a, int b) noexcept nogil:
    cdef int i, n = b - a, at, other
    cdef uint64_t power = 1, x
    if n < 8:
        return
    while power <= <uint64_t> n:
        power *= 2
    x = xorshift(<uint64_t> n)
    at = a + n // 4 * 2 - 1
    for i in range(3):
        other = <int> (x & (power - 1))
        if other >= n:
            other -= n
        swap(rows, at + i, a + other)
        x = xorshift(x)


cdef inline uint64_t xorshift(uint64_t x) noexcept nogil:
    """Return the next number of the generator that Go's sort uses to break patterns."""
    x ^= x << 13
    x ^= x >> 7
    x ^= x << 17
    return x


cdef int choose_pivot(const FRONTIER *rows, int a, int b, int *hint) noexcept nogil:
    """Return the pivot's index; set ``hint`` to 1 for an increasing range, -1 for a decreasing one, otherwise 0."""
    cdef int n = b - a, swaps = 0
    cdef int i = a + n // 4, j = a + n // 4 * 2, k = a + n // 4 * 3
    if n >= 8:
        if n >= 50:
            i = median(rows, i - 1, i, i + 1, &swaps)
            j = median(rows, j - 1, j, j + 1, &swaps)
            k = median(rows, k - 1, k, k + 1, &swaps)
        j = median(rows, i, j, k, &swaps)
    hint[0] = 1 if swaps == 0 else -1 if swaps == 12 else 0
    return j


cdef int median(const FRONTIER *rows, int x, int y, int z, int *swaps) noexcept nogil:
    if less(rows, y, x):
        swaps[0] += 1
        x, y = y, x
    if less(rows, z, y):
        swaps[0] += 1
        y = z
    if less(rows, y, x):
        swaps[0] += 1
        y = x
    return y


cdef bint nearly_sorted(FRONTIER *rows, int a, int b, int first) noexcept nogil:
    """Try to sort the range by a few moves; return True if it is sorted."""
    cdef int i = a + 1, j, _
    for _ in range(5):
        while i < b and not less(rows, i, i - 1):
            i += 1
        if i == b:
            return True
        if b - a < 50:
            return False
        swap(rows, i, i - 1)
        if i - a >= 2:
            for j in range(i - 1, first, -1):
                if not less(rows, j, j - 1):
                    break
                swap(rows, j, j - 1)
        if b - i >= 2:
            for j in range(i + 1, b):
                if not less(rows, j, j - 1):
                    break
                swap(rows, j, j - 1)
    return False


cdef int partition_equal(FRONTIER *rows, int a, int b, int pivot) noexcept nogil:
    cdef int i = a + 1, j = b - 1
    swap(rows, a, pivot)
    while True:
        while i <= j and not less(rows, a, i):
            i += 1
        while i <= j and less(rows, a, j):
            j -= 1
        if i > j:
            return i
        swap(rows, i, j)
        i += 1
        j -= 1


cdef int partition(FRONTIER *rows, int a, int b, int pivot, int *partitioned) noexcept nogil:
    cdef int i = a + 1, j = b - 1
    swap(rows, a, pivot)
    partitioned[0] = True
    while True:
        while i <= j and less(rows, i, a):
            i += 1
        while i <= j and not less(rows, j, a):
            j -= 1
        if i > j:
            swap(rows, j, a)
            return j
        partitioned[0] = False
        swap(rows, i, j)
        i += 1
        j -= 1
