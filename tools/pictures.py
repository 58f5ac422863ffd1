"""Make the pictures of the documentation: pages of ``gotrace report`` in a headless Chromium.

Needs a Go toolchain, Chromium, Pillow, and the trace of the compiler that ``benchmarks/corpus.py gotypes`` records.
Never here: a check of the page.
"""

from __future__ import annotations

import argparse
import base64
import io
import sys
import tempfile
from pathlib import Path

PROJECT = Path(__file__).parent.parent
sys.path.insert(0, str(PROJECT / "tests"))
from PIL import Image  # noqa: E402
from support import browser, reference  # noqa: E402

from gotrace.cli import main as gotrace  # noqa: E402

COLOURS = 256
MARGIN = 18  # pixels around a part of a page
OLD_TYPES = """
const card = document.getElementById("types-table"), search = card.querySelector("input");
search.value = "main";
search.dispatchEvent(new Event("input"));
[...card.querySelectorAll("th")].find(head => head.textContent.startsWith("old")).querySelector("button").click();
"""
DARK = 'document.getElementById("theme").click(); location.hash = "type=ir.Name";'


class Pages:
    """A browser, and the folder of its pages."""

    def __init__(self, page: browser.Page, folder: Path) -> None:
        self._page = page
        self._folder = folder

    def write(self, trace: Path) -> Path:
        """Write the page of a trace."""
        html = self._folder / f"{trace.stem}.html"
        assert gotrace(["report", str(trace), "-o", str(html), "-q"]) == 0
        return html

    def take(self, html: Path, name: str, width: int, height: int, *, part: str = "", script: str = "") -> None:
        """Write a picture of the top of a page, or of the element with an id, after a script has run in the page."""
        page = self._page
        page.resize(width, height)
        page.open(html)
        page.ask(f"(async () => {{ {script} await new Promise(done => setTimeout(done, 500)); }})()")
        clip = {"x": 0, "y": 0, "width": width, "height": height, "scale": 1}
        if part:
            box = page.ask(f"document.getElementById({part!r}).getBoundingClientRect().toJSON()")
            clip |= {"x": box["x"] - MARGIN, "y": box["y"] - MARGIN / 2 + page.ask("scrollY")}
            clip |= {"width": box["width"] + 2 * MARGIN, "height": min(box["height"] + MARGIN, height)}
        png = page.call("Page.captureScreenshot", captureBeyondViewport=True, clip=clip)["data"]
        picture = Image.open(io.BytesIO(base64.b64decode(png))).convert("RGB")
        picture = picture.quantize(COLOURS, dither=Image.Dither.NONE)
        picture.save(PROJECT / "docs" / "pictures" / f"{name}.png", optimize=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("compiler", type=Path, help="trace of the compiler")
    args = parser.parse_args()
    goroot = reference.toolchain()
    if goroot is None or browser.executable() is None:
        raise SystemExit("no Go toolchain, or no Chromium")
    with tempfile.TemporaryDirectory() as place, browser.browser(Path(place, "profile")) as page:
        folder = Path(place)
        binary = reference.build(reference.PROGRAMS / "leak.go", goroot, folder)
        for name, mode in (("leak", []), ("fixed", ["fixed"])):
            reference.record(binary, folder / f"{name}.trace", *mode, debug="traceallocfree=1")
        pages = Pages(page, folder)
        leak, fixed, compiler = map(pages.write, (folder / "leak.trace", folder / "fixed.trace", args.compiler))
        pages.take(leak, "leak-first", 1200, 1040)
        pages.take(leak, "leak-table", 1300, 900, part="types-table", script=OLD_TYPES)
        pages.take(fixed, "leak-fixed", 1000, 900, part="live")
        pages.take(compiler, "report-light", 1100, 1142)
        pages.take(compiler, "report-dark", 1100, 1142, script=DARK)
        pages.take(compiler, "report-map", 1100, 900, part="map")


if __name__ == "__main__":
    main()
