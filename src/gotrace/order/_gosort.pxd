# Go's unstable sort. Never here: what is sorted.
from gotrace._generated cimport FRONTIER

cpdef void sort_rows(FRONTIER[::1] front, int first, int end) noexcept nogil
