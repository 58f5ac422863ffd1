# Go's unstable sort of frontier rows. Never here: rules of the order.
from gotrace._generated cimport FRONTIER

cpdef void sort_rows(FRONTIER[::1] front, int first, int end) noexcept nogil
