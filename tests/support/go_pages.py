"""Pages of Go's trace tool as it is shipped: it serves a trace, and its pages and profiles are read over HTTP.

Never here: assertions.
"""

from __future__ import annotations

import html
import os
import re
import subprocess
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote_plus
from urllib.request import urlopen

from gotrace.units import nanoseconds
from support import reference


class Group(NamedTuple):
    """Tasks, or regions, of a name: their number, and the counts of the histogram from the first one above 0."""

    n: int
    histogram: list[int]


class Pages:
    """Pages of one trace."""

    def __init__(self, url: str) -> None:
        self._url = url

    def _get(self, path: str) -> bytes:
        with urlopen(f"{self._url}/{path}", timeout=60) as answer:
            page: bytes = answer.read()
        return page

    def goroutines(self) -> dict[str, tuple[int, int]]:
        """Return number and time running of goroutines, by the function that they start with."""
        row = r'href="/goroutine\?name=([^"]*)">.*?</td>\s*<td>(\d+)</td>\s*<td>(.*?)</td>'
        rows = re.findall(row, self._get("goroutines").decode())
        return {unquote_plus(name): (int(n), nanoseconds(time)) for name, n, time in rows}

    def groups(self, page: str) -> dict[str, Group]:
        """Return what page ``usertasks`` or ``userregions`` lists, by name."""
        link = rf'href="/{page[:-1]}\?type=([^"&]*)[^"]*">(\d+)</a></td>(.*?)</table>'
        found = {}
        for name, n, cell in re.findall(link, self._get(page).decode(), re.DOTALL):
            counts = re.findall(r'<td align="right"><div style="position:relative">(\d+)</div>', cell)
            found[unquote_plus(html.unescape(name))] = Group(int(n), [int(count) for count in counts])
        return found

    def profile(self, page: str, folder: Path) -> Counter[tuple[str, ...]]:
        """Return the time of a profile in ns by stack: functions with lines, leaf first."""
        path = folder / f"{page}.pb.gz"
        path.write_bytes(self._get(f"{page}?raw=1"))
        goroot = reference.toolchain()
        assert goroot is not None
        command: list[str | Path] = [goroot / "bin" / "go", "tool", "pprof", "-raw", path]
        env = {**reference.go_env(goroot), "HOME": str(folder)}
        text = subprocess.run(command, env=env, check=True, capture_output=True, text=True).stdout
        places = {n: f"{name}:{line}" for n, name, line in re.findall(r"^ *(\d+): 0x.*? (\S+) \S*:(\d+):", text, re.M)}
        found: Counter[tuple[str, ...]] = Counter()
        for time, stack in re.findall(r"^ *\d+ +(\d+): ([\d ]*)$", text, re.M):
            found[tuple(places[n] for n in stack.split())] += int(time)
        return found


@contextmanager
def served(trace: Path) -> Iterator[Pages]:
    """Serve a trace in the block."""
    command: list[str | Path] = [reference.trace_tool(), "-http=127.0.0.1:0", trace]
    env = {**os.environ, "BROWSER": "true"}
    with subprocess.Popen(command, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as tool:
        try:
            assert tool.stderr is not None
            url = next((m[0] for line in tool.stderr if (m := re.search(r"http://127\.0\.0\.1:\d+", line))), "")
            assert url, f"{trace.name} is not served"
            yield Pages(url)
        finally:
            tool.kill()
