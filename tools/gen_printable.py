"""Write ``src/gotrace/spec/printable.py``: the code points that Go prints unescaped.

They come from ``strconv.IsPrint`` of the Go toolchain whose GOROOT is given. Never here: facts of its own.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import tempfile
from pathlib import Path

PROGRAM = """
package main

import (
	"fmt"
	"runtime"
	"strconv"
	"unicode"
)

func main() {
	fmt.Println(runtime.Version(), unicode.Version)
	first := rune(-1)
	for r := rune(0x80); r <= 0x110000; r++ {
		printable := r < 0x110000 && strconv.IsPrint(r)
		if printable && first < 0 {
			first = r
		} else if !printable && first >= 0 {
			fmt.Println(first, r-1)
			first = -1
		}
	}
}
"""


def printable_ranges(goroot: Path) -> tuple[str, list[tuple[int, int]]]:
    """Return the versions of Go and Unicode, and the printable ranges from 0x80 on."""
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder, "main.go")
        source.write_text(PROGRAM)
        env = {**os.environ, "GOROOT": str(goroot), "GOTOOLCHAIN": "local", "GOFLAGS": "-mod=mod"}
        run = subprocess.run(
            [goroot / "bin" / "go", "run", source], env=env, check=True, capture_output=True, text=True
        )
    first, *rest = run.stdout.splitlines()
    return first, [(int(a), int(b)) for a, b in (line.split() for line in rest)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("goroot", type=Path)
    parser.add_argument("-o", "--output", type=Path, default=Path("src/gotrace/spec/printable.py"))
    args = parser.parse_args()
    versions, ranges = printable_ranges(args.goroot)
    go, unicode = versions.split()
    lines = [
        f'"""Code points that {go} prints as they are (Unicode {unicode}), from 0x80 on.',
        "",
        "Written by tools/gen_printable.py; run it with a newer toolchain to renew. Never here: anything else.",
        '"""',
        "",
        "PRINTABLE: tuple[tuple[int, int], ...] = (",
    ]
    row = "   "
    for first, last in ranges:
        cell = f" (0x{first:X}, 0x{last:X}),"
        if len(row) + len(cell) > 110:
            lines.append(row)
            row = "   "
        row += cell
    args.output.write_text(
        "\n".join([*lines, row, ")  # fmt: skip", '"""First and last code point of each range."""', ""])
    )


if __name__ == "__main__":
    main()
