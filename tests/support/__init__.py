"""Helpers of tests: builders of traces, independent decoders, Go toolchains, a browser. Never here: assertions."""
