"""Scheduling: rows of ORDERED come in; what goroutines, procs, threads, regions, tasks and the GC did goes out.

Never here: the order of events, or text.
"""
