"""The replayed heap.

In: alloc/free events, or rows of ALLOC. Out: what is live, by type, by site, at an instant. Never here: reading of
events, or names of commands.
"""
