"""The format ``.collapsed`` or ``.folded``: one line per stack, for flame graph tools. Never here: other formats."""

from __future__ import annotations

from typing import BinaryIO

from gotrace.export.profile import Profile

_NOT_IN_NAMES = str.maketrans({";": ",", "\n": " ", "\r": " "})


def write_collapsed(profile: Profile, out: BinaryIO) -> None:
    """Write root, frames and type, separated by semicolons, and the value of the last measure.

    The format has no comments, so the root frame is the title of the profile.
    """
    lines: dict[str, int] = {}
    for stack, values in zip(profile.stacks, profile.values.tolist(), strict=True):
        names = [profile.title, *(place.function for place in reversed(stack))]
        line = ";".join(name.translate(_NOT_IN_NAMES) for name in names)
        lines[line] = lines.get(line, 0) + values[-1]
    out.writelines(f"{line} {value}\n".encode() for line, value in lines.items() if value > 0)
