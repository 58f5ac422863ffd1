"""The format ``.speedscope.json``, for https://www.speedscope.app. Never here: other formats."""

from __future__ import annotations

import json
from typing import Any, BinaryIO

from gotrace.export.profile import Place, Profile

_SCHEMA = "https://www.speedscope.app/file-format-schema.json"


def write_speedscope(profile: Profile, out: BinaryIO) -> None:
    """Write one profile per measure, the last one active; leaves are object types."""
    frames: dict[Place, int] = {}
    stacks = [[frames.setdefault(place, len(frames)) for place in reversed(stack)] for stack in profile.stacks]
    profiles = []
    for i, (measure, unit) in enumerate(profile.measures):
        weights = profile.values[:, i].tolist()
        positive = [row for row, weight in enumerate(weights) if weight > 0]
        profiles.append(
            {
                "type": "sampled",
                "name": f"{measure}: {profile.title}",
                "unit": "none" if unit == "count" else unit,
                "startValue": 0,
                "endValue": sum(weights[row] for row in positive),
                "samples": [stacks[row] for row in positive],
                "weights": [weights[row] for row in positive],
            }
        )
    document = {
        "$schema": _SCHEMA,
        "exporter": "gotrace",
        "name": " ".join((profile.title + ".", *profile.comments)),
        "activeProfileIndex": len(profiles) - 1,
        "shared": {"frames": [_frame(place) for place in frames]},
        "profiles": profiles,
    }
    out.write(json.dumps(document, separators=(",", ":")).encode())


def _frame(place: Place) -> dict[str, Any]:
    frame: dict[str, Any] = {"name": place.function}
    if place.file:
        frame |= {"file": place.file, "line": place.line}
    return frame
