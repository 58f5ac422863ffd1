"""Fuzzing: mutations of traces, and what is done with each mutated input. Never here: the command line."""
