"""One pass over a trace, and the rows of each table.

In: segments. Out: numpy structured arrays, in chunks. Never here: decoding, or words.
"""
