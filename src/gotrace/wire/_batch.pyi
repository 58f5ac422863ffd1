from gotrace.dtypes import U1, Rows

def resume(data: U1, at: int, stop: int, last: bool, enough: int) -> int: ...
def scan(
    data: U1,
    base: int,
    at: int,
    stop: int,
    last: bool,
    sync_batches: bool,
    end_marks: bool,
    rows: Rows,
    n: int,
    faults: Rows,
) -> tuple[int, int]: ...
