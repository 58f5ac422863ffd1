from typing import final

from gotrace.dtypes import I4, I8, U1, U4, U8, Rows

@final
class EventForms:
    def __init__(self, pieces: U1, bounds: I4, words: I4, n_args: U1, ranges: U4) -> None: ...

@final
class Strings:
    def __init__(self, data: U1, rows: Rows, base: int) -> None: ...

@final
class Stacks:
    def __init__(self, rows: Rows, base: int, frames: I4, pcs: Rows, functions: I8, files: I8) -> None: ...

@final
class SegmentText:
    def __init__(self, forms: EventForms, strings: Strings, stacks: Stacks, clocks: U1, clock_at: I8) -> None: ...

@final
class RecordForms:
    def __init__(self, n_args: U1, pieces: U1, bounds: I4, ranges: U4, end_marks: bool) -> None: ...

def parsed(rows: Rows, at: int, segment: SegmentText, names: Rows, letters: U1, text: U1) -> tuple[int, int]: ...
def quote(data: U1, ranges: U4, out: U1) -> int: ...
def wire(
    forms: RecordForms,
    data: U1,
    base: int,
    at: int,
    last: bool,
    state: U8,
    text: U1,
    faults: Rows,
) -> tuple[int, int]: ...
