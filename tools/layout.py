"""The layout of the package: its layers, its modules and kernels, and who imports whom.

``python tools/layout.py`` prints the names of the kernels that have a stub, one a line. Never here: a rule that the
code could state itself.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

PACKAGE = Path(__file__).parent.parent / "src" / "gotrace"

LAYERS: tuple[tuple[str, ...], ...] = (
    ("_generated", "dtypes", "spec", "units", "plots"),
    ("_varint", "_hashmap", "errors", "views"),
    ("hashing",),
    ("wire", "varint"),
    ("experiments",),
    ("order", "heap", "columns"),
    ("scheduler",),
    ("tables",),
    ("text",),
    ("trace", "raw"),
    ("fleet",),
    ("analysis", "simulation", "dask"),
    ("report", "export", "__init__"),
    ("cli",),
    ("__main__",),
)
"""Folders of the package and modules directly in it, lowest layer first. Each imports from its own folder and lower
layers."""

LINE = 120
"""Characters of a line at most."""

CIMPORT = re.compile(r"^[ \t]*from[ \t]+(gotrace[\w.]*)[ \t]+c?import[ \t]+(?:\(([^)]*)\)|([^\n#]*))", re.M)
SIGNATURE = re.compile(r"^[ \t]*(?:cp?def|def)\b[^\n(=]*?(\w+)\(((?:[^()]|\([^()]*\))*)\)[^\n]*:\s*(?:#.*)?$", re.M)


def sources() -> list[Path]:
    """Every module, kernel, header and stub, apart from the generated one."""
    found = (path for path in PACKAGE.rglob("*") if path.suffix in (".py", ".pyi", ".pyx", ".pxd"))
    return sorted(path for path in found if path.name != "_generated.pxd")


def module(path: Path) -> str:
    """Dotted name of a source file."""
    name = ".".join(("gotrace", *path.relative_to(PACKAGE).with_suffix("").parts))
    return name.removesuffix(".__init__")


def layer(name: str) -> int:
    """Number of a module's layer, -1 if there is none."""
    place = name.split(".")[1] if "." in name else "__init__"
    return next((i for i, places in enumerate(LAYERS) if place in places), -1)


def kernels() -> list[Path]:
    """Sources of all kernels: every .pyx, and every .py with a .pxd beside it."""
    typed = (path for path in PACKAGE.rglob("*.py") if path.with_suffix(".pxd").exists())
    return sorted([*PACKAGE.rglob("*.pyx"), *typed])


def imports(path: Path, modules: set[str]) -> Iterator[str]:
    """Yield the modules of the package that a file imports or cimports, anywhere in it."""
    text = path.read_text()
    found: Iterable[tuple[str, list[str]]]
    if path.suffix in (".pyx", ".pxd"):
        found = ((base, re.findall(r"\w+", many or one)) for base, many, one in CIMPORT.findall(text))
    else:
        found = list(_python_imports(text))
    for base, names in found:
        for name in names or [""]:
            target = f"{base}.{name}" if f"{base}.{name}" in modules else base
            if target.split(".")[0] == "gotrace" and target != module(path):
                yield target


def _python_imports(text: str) -> Iterator[tuple[str, list[str]]]:
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.ImportFrom):
            yield node.module or "", [name.name for name in node.names]
        elif isinstance(node, ast.Import):
            yield from ((name.name, []) for name in node.names)


def graph() -> dict[str, set[str]]:
    """Return who imports whom, by module; a module, its header and its stub are one."""
    modules = {module(path) for path in sources()}
    found: dict[str, set[str]] = {name: set() for name in modules}
    for path in sources():
        found[module(path)] |= {name for name in imports(path, modules) if name in modules and name != "gotrace"}
    return found


def cycles(edges: dict[str, set[str]]) -> list[list[str]]:
    """Return groups of modules that import each other, by Tarjan's algorithm."""
    number: dict[str, int] = {}
    lowest: dict[str, int] = {}
    stack: list[str] = []
    groups: list[list[str]] = []

    def visit(name: str) -> None:
        number[name] = lowest[name] = len(number)
        stack.append(name)
        for other in edges[name]:
            if other not in number:
                visit(other)
                lowest[name] = min(lowest[name], lowest[other])
            elif other in stack:
                lowest[name] = min(lowest[name], number[other])
        if lowest[name] == number[name]:
            at = stack.index(name)
            if len(stack) - at > 1:
                groups.append(sorted(stack[at:]))
            del stack[at:]

    for name in sorted(edges):
        if name not in number:
            visit(name)
    return groups


def parameters(path: Path) -> dict[str, int]:
    """Count the parameters of each function of a kernel, without ``self``."""
    found: dict[str, int] = {}
    for name, inside in SIGNATURE.findall(path.read_text()):
        flat = re.sub(r"\[[^\]]*\]|\([^)]*\)", "", inside)
        names = [part.strip() for part in flat.split(",") if part.strip() not in ("", "self", "*", "/")]
        found[name] = max(len(names), found.get(name, 0))
    return found


def private_members(path: Path) -> list[str]:
    """Attributes with an underscore that a module uses of objects that it does not define."""
    text = path.read_text()
    tree = ast.parse(text)
    imported = {"self", "cls"}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            imported |= {name.asname or name.name for name in node.names}
    own = set(re.findall(r"(?:self\.|def |^    )(_[a-z]\w*)", text, re.M))
    return [
        f"{path.relative_to(PACKAGE)}:{node.lineno} {ast.unparse(node)}"
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute)
        and re.match(r"_[a-z]", node.attr)
        and node.attr not in own
        and not (isinstance(node.value, ast.Name) and node.value.id in imported)
    ]


if __name__ == "__main__":
    print(*(module(path) for path in kernels() if path.with_suffix(".pyi").exists()), sep="\n")
