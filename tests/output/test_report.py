"""The HTML report: what stands in the file, and what a browser makes of it."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import os
import re
import struct
import subprocess
import sys
import zlib
from collections.abc import Iterator
from html import escape, unescape
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from support import browser, reference, trace_builder

import gotrace
from gotrace.analysis.history import history as collect
from gotrace.analysis.leaks import is_named
from gotrace.cli import main
from gotrace.experiments.allocfree import ANOMALIES, CAUSES
from gotrace.raw import allocfree_types
from gotrace.report.markup import NAME, ROWS
from gotrace.report.page import BOXES, LINES, survival, write_page

HOSTILE = "</script><script>alert(1)"
EXAMPLE = Path(__file__).parent.parent.parent / "examples" / "heap.trace"


def page_of(data: Any) -> str:
    out = io.StringIO()
    write_page(out, collect(data), gotrace="0")
    return out.getvalue()


def many_types(names: list[str]) -> bytes:
    types = [(1 + i, 0x400000 + 64 * i, 16, 8, name.encode()) for i, name in enumerate(names)]
    spans = [trace_builder.span(page) for page in range(len(names) // 512 + 1)]
    objects = [trace_builder.new(2 * i, i + 1) for i in range(len(names))]
    tables = [allocfree_types(types[i : i + 50]) for i in range(0, len(types), 50)]
    return trace_builder.alloc_trace([trace_builder.PROC, *spans, *objects], tables=tables)


class Parser(HTMLParser):
    """Tags with their attributes, and the text of scripts."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        if self.tags and self.tags[-1][0] == "script":
            self.scripts.append(data)


def test_one_file_that_loads_nothing() -> None:
    text = page_of(EXAMPLE)
    page = Parser()
    page.feed(text)
    for tag, attributes in page.tags:
        for name in ("src", "href", "srcset", "action", "style"):
            assert attributes.get(name, "#").startswith("#"), (tag, attributes)  # type: ignore[union-attr]
        assert not [name for name in attributes if name.startswith("on")], (tag, attributes)
    (policy,) = [a["content"] for tag, a in page.tags if tag == "meta" and a.get("http-equiv")]
    assert policy is not None
    assert policy.startswith("default-src 'none'")
    assert "unsafe" not in policy
    for script in re.findall(r"<(?:script|style)>(.*?)</(?:script|style)>", text, re.DOTALL):
        assert base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() in policy
    assert "Permission is hereby granted" in text
    assert not re.search(r"\beval\(|new Function\(", text)


def test_hostile_names_are_text() -> None:
    names = [HOSTILE, "main.<img src=x onerror=alert(1)>", "{{data}}", '"quoted" & \u2028', "main.\udcff"]
    trace = many_types([name.encode("utf-8", "replace").decode() for name in names])
    page = Parser()
    text = page_of(trace)
    page.feed(text)
    assert [tag for tag, _ in page.tags].count("script") == 3
    assert "img" not in [tag for tag, _ in page.tags]
    assert "<script>alert(1)" not in text
    data = json.loads(next(script for script in page.scripts if script.startswith("{")))
    assert HOSTILE in data["names"]
    assert "{{data}}" in data["names"]


def test_the_size_is_bounded() -> None:
    few, many = (page_of(many_types([f"pkg{i}.{'T' * 1000}{i}" for i in range(n)])) for n in (ROWS + 9, 3 * ROWS))
    assert 400_000 < len(many) < len(few) * 1.02
    assert len(many) < 2 << 20
    data = json.loads(re.search(r'id="data">(.*?)</script>', many, re.DOTALL)[1])  # type: ignore[index]
    assert len(data["names"]) == LINES + 1
    assert len(data["flame"]["c"]) == BOXES + 1
    assert max(map(len, data["names"])) == NAME
    assert f"(other): {2 * ROWS:,} types" in many


def test_the_first_rows_are_those_of_heap() -> None:
    text = page_of(EXAMPLE)
    with gotrace.open(EXAMPLE) as trace:
        table = trace.heap().table
    tiles = dict(re.findall(r'class="what">(.*?)</span><b>(.*?)</b>', text))
    assert tiles["Live at the end"] == f"{table['inuse_bytes'].sum() / 2**20:.1f} MiB"
    assert tiles["Allocated"] == f"{table['alloc_bytes'].sum() / 2**20:.1f} MiB"
    assert tiles["Freed"] == f"{table['free_bytes'].sum() / 2**20:.1f} MiB"
    untyped = sum(int(row["inuse_bytes"]) for row in table if row["name"].startswith("(untyped)"))
    assert tiles["Untyped"] == f"{100 * untyped / table['inuse_bytes'].sum():.1f}%"


def test_survival_of_a_known_lot() -> None:
    """Of ten objects four die at age 0, two of the other six at age 1, and one is last seen alive at age 1."""
    history = collect(EXAMPLE)
    history.ages[:] = history.left[:] = 0
    history.ages[0] = 4, 40
    history.ages[1] = 2, 20
    history.left[1] = 1, 10
    history.left[2] = 3, 30
    sizes, objects = survival(history)
    assert sizes == objects == [0.6, 0.4, 0.4]


def test_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "page.html"
    assert main(["report", str(EXAMPLE), "-o", str(out)]) == 0
    assert out.read_text().startswith("<!DOCTYPE html>")
    with pytest.raises(SystemExit) as usage:
        main(["report", str(EXAMPLE), "-o", str(out)])
    assert usage.value.code == 2
    assert main(["report", str(EXAMPLE), "-o", str(out), "--force"]) == 0
    with pytest.raises(SystemExit) as usage:
        main(["report", "-", "-o", str(out), "--force"])
    assert usage.value.code == 2
    assert "save it to a file first" in capsys.readouterr().err
    cut = tmp_path / "cut.trace"
    cut.write_bytes(EXAMPLE.read_bytes()[:-20_000])
    assert main(["report", str(cut), "-o", str(out), "--force"]) == 3
    assert 'role="alert">The trace is damaged' in out.read_text()
    assert main(["report", str(tmp_path / "none"), "-o", str(tmp_path / "none.html")]) == 3
    assert not (tmp_path / "none.html").exists()


def test_command_to_standard_output() -> None:
    run = subprocess.run(
        [sys.executable, "-m", "gotrace", "report", EXAMPLE, "-o", "-"], capture_output=True, check=True
    )
    assert run.stdout.startswith(b"<!DOCTYPE html>")
    assert run.stdout.rstrip().endswith(b"</html>")


# --- in a browser -------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[browser.Page]:
    if browser.executable() is None:
        if os.environ.get("CI"):
            pytest.fail("there is no Chromium: apt-get install chromium")
        pytest.skip("no Chromium to look at the page with: apt-get install chromium")
    with browser.browser(tmp_path_factory.mktemp("chromium")) as one:
        yield one


def show(page: browser.Page, data: Any, folder: Path, *, width: int = 1280, dark: bool = False) -> None:
    path = folder / "page.html"
    path.write_text(page_of(data))
    page.complaints.clear()
    page.requests.clear()
    page.resize(width, 900, dark=dark)
    page.open(path)
    assert page.requests == [path.as_uri()]


def colours(png: bytes) -> int:
    """How many different pixels a picture has."""
    width, height = struct.unpack(">II", png[16:24])
    at, packed = 8, b""
    while at < len(png):
        (size,) = struct.unpack(">I", png[at : at + 4])
        if png[at + 4 : at + 8] == b"IDAT":
            packed += png[at + 8 : at + 8 + size]
        at += 12 + size
    raw = zlib.decompress(packed)
    depth = (len(raw) // height - 1) // width
    return len({raw[i : i + depth] for i in range(1, len(raw) - depth, depth * 7)})


PAINTED = """
[...document.querySelectorAll("canvas")].map((canvas) => {
  const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  const seen = new Set();
  for (let i = 0; i < data.length; i += 4) if (data[i + 3]) seen.add(`${data[i]} ${data[i + 1]} ${data[i + 2]}`);
  return seen.size;
})
"""


@pytest.mark.parametrize("width", [1280, 400])
@pytest.mark.parametrize("dark", [False, True])
def test_charts_are_drawn(page: browser.Page, tmp_path: Path, width: int, dark: bool) -> None:
    show(page, EXAMPLE, tmp_path, width=width, dark=dark)
    painted = page.ask(PAINTED)
    assert len(painted) == 5  # four charts and the map
    assert min(painted) > 8, painted
    assert page.ask("document.querySelectorAll('.flame button').length") > 20
    assert page.ask("[...document.querySelectorAll('.bars i')].filter((bar) => bar.clientHeight > 1).length") > 5
    assert page.ask("document.documentElement.scrollWidth") <= width
    assert colours(page.picture(whole=False)) > 30
    light = int(re.findall(r"\d+", page.ask("getComputedStyle(document.body).backgroundColor"))[0])
    assert (light < 60) if dark else (light > 200)
    assert page.complaints == []


def test_tables_sort_and_filter(page: browser.Page, tmp_path: Path) -> None:
    show(page, EXAMPLE, tmp_path)
    rows = "[...document.querySelectorAll('#types tbody tr')]"

    def click(i: int) -> list[str]:
        page.ask(f"document.querySelectorAll('#types thead button')[{i}].click()")
        return list(page.ask(f"{rows}.map((row) => row.cells[{i}].dataset.v ?? row.cells[{i}].textContent)"))

    sizes = [int(n) for n in click(4)]
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[0] > sizes[-1]
    sizes = [int(n) for n in click(4)]
    assert sizes == sorted(sizes)
    names = click(0)
    assert names == sorted(names)
    assert page.ask("document.querySelectorAll('#types thead th')[0].ariaSort") == "ascending"
    page.ask("{const f = document.getElementById('filter-types'); f.value = 'MAIN. order';}")
    page.ask("document.getElementById('filter-types').dispatchEvent(new Event('input'))")
    shown = page.ask(f"{rows}.filter((row) => row.offsetHeight).map((row) => row.cells[0].textContent)")
    assert shown
    assert all("main." in name and "rder" in name for name in shown)
    assert page.ask("document.getElementById('count-types').textContent").startswith(f"{len(shown)} of ")
    assert page.complaints == []


def test_flame_graph_zooms_by_keyboard(page: browser.Page, tmp_path: Path) -> None:
    show(page, EXAMPLE, tmp_path)
    labels = "[...document.querySelectorAll('.flame button')].map((box) => box.title)"
    assert page.ask(labels)[0].startswith("all objects")
    page.ask("document.querySelector('.flame [data-name=main]').focus()")
    page.press("Enter")
    zoomed = page.ask(labels)
    assert zoomed[1].startswith("main\n")
    assert all("main" in label or "B" in label for label in zoomed[1:])
    assert page.ask("document.activeElement.dataset.name") == "main"
    page.ask("document.querySelector('.flame button').focus()")
    assert page.ask("document.querySelectorAll('.flame button')[1].style.width") == "100%"
    page.press("Enter")
    assert page.ask(labels)[1] != zoomed[1] or len(page.ask(labels)) > len(zoomed)
    page.ask("document.querySelector('#flame-by [data-by=\"2\"]').click()")
    assert page.ask("document.querySelector('#flame-by [data-by=\"2\"]').ariaPressed") == "true"
    assert page.complaints == []


def test_who_allocated(page: browser.Page, tmp_path: Path) -> None:
    """Call stacks where CPU samples tell them, each type with all bytes that it allocated, and that are live."""
    show(page, EXAMPLE, tmp_path)
    assert page.ask("document.getElementById('who').offsetHeight") == 0
    data = reference.load(next(path for path in reference.fixtures() if "sites-go1.27" in path.name))
    (tmp_path / "sites.trace").write_bytes(data)
    assert main(["report", str(tmp_path / "sites.trace"), "-q", "-o", str(tmp_path / "sites.html")]) == 0
    page.resize(1280, 900)
    page.open(tmp_path / "sites.html")
    with gotrace.open(data) as trace:
        table = trace.heap().table
    for by, column in ((0, "alloc_bytes"), (1, "inuse_bytes")):
        page.ask(f"document.querySelector('#who-by [data-by=\"{by}\"]').click()")
        found = page.ask(
            "[...document.querySelectorAll('#plot-who button')].map((b) => [b.dataset.name, b.style.width])"
        )
        names = [name for name, _ in found]
        assert names[0] == "all objects"
        assert {"main.(*keep).round", "main.(*keep).six", "main.(*keep).toLeft"} <= set(names)
        assert ("(there at the start)" in names) == (column == "inuse_bytes")
        whole = table[column].sum()
        for name in ("main.Shared", "main.Left", "main.Right"):
            width = sum(float(width[:-1]) for label, width in found if label == name)
            assert width == pytest.approx(100 * table[column][table["name"] == name].sum() / whole, abs=0.1)
    assert page.complaints == []


def test_light_and_dark(page: browser.Page, tmp_path: Path) -> None:
    show(page, EXAMPLE, tmp_path, dark=True)
    before = page.ask("getComputedStyle(document.body).backgroundColor")
    assert page.ask("document.getElementById('theme').textContent") == "Light"
    page.ask("document.getElementById('theme').click()")
    assert page.ask("document.getElementById('theme').textContent") == "Dark"
    assert page.ask("getComputedStyle(document.body).backgroundColor") != before
    assert min(page.ask(PAINTED)) > 8
    assert page.printed().startswith(b"%PDF")
    assert page.complaints == []


def test_hostile_names_run_nothing(page: browser.Page, tmp_path: Path) -> None:
    show(page, many_types([HOSTILE, "main.<img src=x onerror=alert(1)>", "<b>bold</b>"]), tmp_path)
    assert page.ask("document.querySelectorAll('img, b:not(.tile b, .legend b)').length") == 0
    cells = "[...document.querySelectorAll('#types td:first-child')].map((cell) => cell.textContent)"
    assert page.ask(cells).count(HOSTILE) == 1
    assert HOSTILE in page.ask("[...document.querySelectorAll('#legend-live button')].map((button) => button.title)")
    page.ask("[...document.querySelectorAll('.legend button')].find((b) => b.title.includes('alert(1)')).click()")
    assert page.ask("document.getElementById('picked').hidden") is False
    assert page.complaints == []


def test_a_trace_without_alloc_free_events(page: browser.Page, tmp_path: Path) -> None:
    path = next(path for path in reference.fixtures() if "heap-go1.22" in path.name)
    show(page, reference.load(path), tmp_path)
    assert "GODEBUG=traceallocfree=1" in page.ask("document.querySelector('.alert').textContent")
    assert page.ask("[...document.querySelectorAll('#live, #types')].every((part) => part.offsetHeight === 0)")
    assert page.complaints == []


def picked(page: browser.Page) -> tuple[str, str, set[str], str]:
    """The bar, the legend, rows of tables and boxes of flame graphs that are selected, and the address."""
    found = "[...document.querySelectorAll('tr.on, button.on')].map((node) => node.dataset.type)"
    bar = page.ask("document.getElementById('picked').hidden ? '' : document.querySelector('#picked b').textContent")
    legend = page.ask("[...document.querySelectorAll('.legend .on')].map((node) => node.title).join()")
    return bar, legend, set(page.ask(found)), page.ask("location.hash")


@pytest.mark.parametrize(
    "place", ["#legend-live button", "#types td button", "#types tr", "#spans td button", "#plot-flame button"]
)
def test_a_click_on_a_type_selects_it_everywhere(page: browser.Page, tmp_path: Path, place: str) -> None:
    show(page, EXAMPLE, tmp_path)
    assert picked(page) == ("", "", set(), "")
    nodes = f"[...document.querySelectorAll({place!r})].filter((node) => node.dataset.type)"
    name = page.ask(f"({nodes}.find((node) => node.dataset.type === 'main.Order') || {nodes}[0]).dataset.type")
    page.ask(f"{nodes}.find((node) => node.dataset.type === {name!r}).click()")
    bar, legend, found, address = picked(page)
    assert (bar, found) == (name, {name})
    assert legend in (name, "")
    assert address.startswith("#type=")
    page.ask("document.querySelector('.contents a').click()")
    page.ask("document.getElementById('theme').click()")
    page.ask("document.querySelector('#flame-by [data-by=\"2\"]').click()")
    assert picked(page) == (bar, legend, found, address)
    page.open(tmp_path / "page.html")
    assert picked(page)[0] == ""
    page.ask(f"location.hash = {address!r}")
    page.ask("new Promise((done) => setTimeout(done, 50))")
    assert picked(page) == (bar, legend, found, address)
    page.ask("document.dispatchEvent(new KeyboardEvent('keydown', { key: 'Escape' }))")
    assert picked(page) == ("", "", set(), "")
    assert page.complaints == []


def test_flame_graphs_search_and_invert(page: browser.Page, tmp_path: Path) -> None:
    show(page, EXAMPLE, tmp_path)
    with gotrace.open(EXAMPLE) as trace:
        table = trace.heap().table
    of_main = int(table["inuse_bytes"][["main." in name for name in table["name"]]].sum())

    def search(text: str) -> str:
        page.ask(f"{{const f = document.getElementById('flame-search'); f.value = {text!r}}}")
        page.ask("document.getElementById('flame-search').dispatchEvent(new Event('input'))")
        return str(page.ask("document.getElementById('flame-found').textContent"))

    boxes = "[...document.querySelectorAll('#plot-flame button')]"
    colours = page.ask(f"{boxes}.map((box) => [box.dataset.name, box.style.background])")
    found = search("MAIN.")
    assert found == f"{of_main / 1024:.1f} KiB, {100 * of_main / table['inuse_bytes'].sum():.1f}% found"
    hits = page.ask(f"{boxes}.filter((box) => box.classList.contains('hit')).map((box) => box.dataset.name)")
    assert "main.Order" in hits
    assert all("main." in name.lower() for name in hits)
    page.ask("document.getElementById('flame-invert').click()")
    assert search("main.") == found
    names = page.ask(f"{boxes}.map((box) => box.dataset.name)")
    assert names[0] == "all objects"
    assert re.fullmatch(r"\d+ B( noscan)?|large( noscan)?", names[1]), "size classes come first"
    page.ask("document.getElementById('flame-invert').click()")
    assert search("") == ""
    assert page.ask(f"{boxes}.map((box) => [box.dataset.name, box.style.background])") == colours
    assert len({colour for name, colour in colours if name.startswith("main.")}) == 1
    assert page.complaints == []


def test_named_types_come_first() -> None:
    text = page_of(EXAMPLE)
    rows = re.findall(r'<tr data-type="(.*?)">', text.split('id="types"')[1].split("</table>")[0])
    named = [is_named(unescape(name)) for name in rows]
    assert named == sorted(named, reverse=True)
    assert 10 < sum(named) < len(named)
    assert "Largest type at the end: unsafe.Pointer, 256.0 KiB" in text


def test_contents() -> None:
    for text in (page_of(EXAMPLE), page_of(reference.load(reference.DATA / "sched-go1.27.trace.gz"))):
        links = re.findall(r'<li><a href="#([\w-]+)">', text)
        assert links[-1] == "about"
        assert "who" not in links
        for link in links:
            assert f'<section class="card" id="{link}">' in text
        assert ("types-table" in links) == ("GODEBUG" not in text)


def test_every_anomaly_has_a_cause() -> None:
    assert set(CAUSES) == set(ANOMALIES)
    text = page_of(EXAMPLE)
    with gotrace.open(EXAMPLE) as trace:
        anomalies = trace.heap().anomalies
    for name, n in anomalies.items():
        assert f"<dt>{escape(name)}: {n:,}</dt>" in text
    assert "docs/" not in text


def test_without_scripts(page: browser.Page, tmp_path: Path) -> None:
    page.call("Emulation.setScriptExecutionDisabled", value=True)
    try:
        show(page, EXAMPLE, tmp_path)
    finally:
        page.call("Emulation.setScriptExecutionDisabled", value=False)

    def visible(selector: str) -> int:
        nodes = f"[...document.querySelectorAll('{selector}')]"
        return int(page.ask(f"{nodes}.filter((node) => node.checkVisibility()).length"))

    assert visible("button, input, .plot, .flame") == 0
    assert visible("table.rows") == 3
    assert visible("#types tbody tr") > 20
    assert visible("noscript .alert") == 1
    assert page.ask("document.querySelector('#types th').textContent") == "type"


def test_print_has_the_whole_width(page: browser.Page, tmp_path: Path) -> None:
    show(page, EXAMPLE, tmp_path, dark=True)
    widths = "[...document.querySelectorAll('canvas')].map((canvas) => canvas.clientWidth)"
    ground = "getComputedStyle(document.body).backgroundColor"
    page.ask("dispatchEvent(new Event('beforeprint'))")
    assert max(page.ask(widths)) < 720
    assert int(re.findall(r"\d+", page.ask(ground))[0]) > 200
    page.ask("dispatchEvent(new Event('afterprint'))")
    assert max(page.ask(widths)) > 1000
    assert int(re.findall(r"\d+", page.ask(ground))[0]) < 60
    assert page.complaints == []


@pytest.mark.parametrize("trace", ["heap", "sites"])
def test_accessibility(page: browser.Page, tmp_path: Path, trace: str) -> None:
    """No rule of axe is violated."""
    axe = browser.axe()
    if axe is None:
        pytest.skip("no axe-core: it is fetched with npm")
    source = EXAMPLE if trace == "heap" else tmp_path / "sites.trace"
    if trace == "sites":
        source.write_bytes(reference.load(reference.DATA / "sites-go1.27-allocfree.trace.gz"))
    assert main(["report", str(source), "-q", "-o", str(tmp_path / "axe.html")]) == 0
    for width, dark in ((1280, False), (1280, True), (400, False)):
        page.resize(width, 900, dark=dark)
        page.open(tmp_path / "axe.html")
        page.ask("document.querySelector('#types td button').click()")
        page.ask(axe + "; 0")
        violations = page.ask(
            "axe.run(document, { resultTypes: ['violations'] }).then(({ violations }) =>"
            " violations.map((rule) => [rule.id, ...rule.nodes.slice(0, 3).map((node) => node.html)]))"
        )
        assert violations == []


def test_contrast_of_words(page: browser.Page, tmp_path: Path) -> None:
    """Words stand out from their ground by 4.5 to 1, as WCAG asks."""
    for dark in (False, True):
        show(page, EXAMPLE, tmp_path, dark=dark)
        for selector in ("h1", ".sub", ".tile b", ".tile span", "figcaption", ".rows td", ".hint", "#theme"):
            pair = page.ask(
                f"(() => {{ const e = document.querySelector('{selector}'); let p = e, ground;"
                "do { ground = getComputedStyle(p).backgroundColor; p = p.parentElement; }"
                "while (ground.endsWith(', 0)'));"
                "return [getComputedStyle(e).color, ground]; })()"
            )
            lightness = []
            for colour in pair:
                parts = [int(n) / 255 for n in re.findall(r"\d+", colour)[:3]]
                linear = [c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
                lightness.append(0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2])
            ratio = (max(lightness) + 0.05) / (min(lightness) + 0.05)
            assert ratio >= 4.5, (selector, dark, ratio)
