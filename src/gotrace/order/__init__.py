"""The order of events: a scheduler emulated from what each thread wrote. Never here: text, tables."""
