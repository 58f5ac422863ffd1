"""The replayed heap: alloc/free events or rows of ALLOC come in, live objects by group at an instant go out.

Never here: reading of events, or names of commands.
"""
