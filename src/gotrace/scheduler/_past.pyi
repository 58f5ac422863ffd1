from typing import final

from gotrace._hashmap import HashMap
from gotrace.dtypes import U8

@final
class Past:
    def __init__(self) -> None: ...
    def bind(self, words: U8, word_map: HashMap, again_map: HashMap) -> None: ...
    def used(self) -> tuple[int, int]: ...
