from typing import final

from gotrace.dtypes import I4, I8, U1, U8

@final
class LineForms:
    def __init__(
        self,
        names: U1,
        name_ends: I4,
        types: U1,
        n_args: U1,
        pieces: U1,
        bounds: I4,
        frame: U1,
        frame_bounds: I4,
    ) -> None: ...

def wrong(types: U1, times: U8, n_args: U1, columns: int) -> int: ...
def events(types: U1, times: U8, args: U8, n_args: U1, first: int, base: int, out: U1) -> tuple[int, int]: ...
def lines(forms: LineForms, data: U1, at: int, state: I8, out: U1) -> tuple[int, int, int]: ...
