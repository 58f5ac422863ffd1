"""Analyses: an open trace comes in, a result of numbers and arrays goes out; one module per analysis.

Never here: output.
"""
