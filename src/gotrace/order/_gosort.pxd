# Go's unstable sort. Never here: what is sorted.
from gotrace._generated cimport FRONT

cpdef void sort_rows(FRONT[::1] front, int first, int end) noexcept nogil
