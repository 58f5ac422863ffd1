"""Columns: rows of a table come in; memory of columns, Arrow arrays and Arrow streams go out.

Only the public C structs of Arrow are used, no library. Never here: reading of traces.
"""
