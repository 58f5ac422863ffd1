"""Write the stub of each kernel from its signatures: memoryviews become numpy arrays, C numbers int, float and bool.

Run it after a change of a kernel's public functions; a test compares. Only the stub of the state machine,
``machine.pyi``, is written by hand. Never here: types that the kernel does not state.
"""

from __future__ import annotations

import argparse
import re
from pathlib import Path

import layout

ARRAYS = {
    "uint8_t": "U1",
    "int32_t": "I4",
    "int64_t": "I8",
    "uint32_t": "U4",
    "uint64_t": "U8",
    "double": "F8",
}
NUMBERS = {
    **dict.fromkeys(("int", "int32_t", "int64_t", "uint8_t", "uint32_t", "uint64_t", "Py_ssize_t"), "int"),
    "bint": "bool",
    "double": "float",
    "void": "None",
    "object": "None",
}
CLASS = re.compile(r"^(@cython\.final\n)?cdef class (\w+)(?:\((\w+)\))?:\n", re.M)
FUNCTION = re.compile(
    r"^(?P<property>    @property\n)?(?P<indent> *)(?:def|cpdef (?P<kind>\w+)) (?P<name>\w+)"
    r"\((?P<inside>(?:[^()]|\([^()]*\))*)\)(?: -> (?P<result>[^:\n]+))?[^:\n]*:",
    re.M,
)
ATTRIBUTE = re.compile(r"^    cdef (readonly|public) (\w+) ([^#\n]+)", re.M)
HIDDEN = {"__dealloc__", "__cinit__", "__getbuffer__", "__releasebuffer__"}


def kind_of(declaration: str) -> str:
    """Python type of a C type."""
    declaration = declaration.removeprefix("const ").strip()
    view = re.match(r"(\w+)\[", declaration)
    if view:
        return ARRAYS.get(view[1], "Rows")
    return NUMBERS.get(declaration, declaration)


def parameter(text: str) -> str:
    """One parameter as a stub has it."""
    text, _, default = (part.strip() for part in " ".join(text.split()).partition("="))
    declaration, _, name = text.rpartition(" ")
    if not declaration:
        return name
    kind = kind_of(declaration)
    return f"{name}: {kind} | None = None" if default == "None" else f"{name}: {kind}"


def parameters(inside: str) -> list[str]:
    parts = re.split(r",(?![^\[]*\])", inside)
    return [parameter(part) for part in parts if part.strip()]


def signature(indent: str, name: str, names: list[str], result: str) -> str:
    """A function of a stub, on one line if it fits."""
    line = f"{indent}def {name}({', '.join(names)}) -> {result}: ..."
    if len(line) <= layout.LINE:
        return line
    return "\n".join(
        [f"{indent}def {name}(", *(f"{indent}    {part}," for part in names), f"{indent}) -> {result}: ..."]
    )


def functions(text: str, header: str, name: str = "") -> list[str]:
    """Lines of the functions of a class, or of the module."""
    lines = []
    for kind, declaration, names in ATTRIBUTE.findall(header + text) if name else ():
        for attribute in names.split(","):
            if kind == "readonly":
                lines += ["    @property", f"    def {attribute.strip()}(self) -> {kind_of(declaration)}: ..."]
            else:
                lines.append(f"    {attribute.strip()}: {kind_of(declaration)}")
    for found in FUNCTION.finditer(text):
        if name and found["name"] == "__getbuffer__":
            lines.append("    def __buffer__(self, flags: int, /) -> memoryview: ...")
        if bool(found["indent"]) != bool(name) or found["name"] in HIDDEN:
            continue
        if found["property"]:
            lines.append("    @property")
        result = found["result"] or kind_of(found["kind"] or "void")
        lines.append(signature(found["indent"], found["name"], parameters(found["inside"]), result))
    return lines


def header_of(path: Path, name: str) -> str:
    """The part of a kernel's .pxd that declares a class."""
    header = path.with_suffix(".pxd")
    text = header.read_text() if header.exists() else ""
    parts = re.split(r"^(?=@cython\.final\n|cdef |cpdef )", text, flags=re.M)
    return next((part for part in parts if re.search(rf"cdef class {name}\b", part)), "")


def render(path: Path) -> str:
    """Return the stub of a kernel, empty if it has no public name."""
    text = path.read_text()
    blocks: list[str] = []
    starts = [found.start() for found in re.finditer(r"^(?=@cython\.final\n|cdef |def |cpdef )", text, re.M)]
    starts = [at for at in starts if not text[:at].endswith("@cython.final\n")]
    loose: list[str] = []
    for at, end in zip(starts, [*starts[1:], len(text)], strict=True):
        block = text[at:end]
        found = CLASS.match(block)
        if found:
            final, name, base = found.groups()
            lines = functions(block[found.end() :], header_of(path, name), name)
            head = f"class {name}({base}):" if base else f"class {name}:"
            blocks.append("\n".join([*(["@final"] if final else []), head, *(lines or ["    ..."])]))
        else:
            loose += functions(block, "")
    if loose:
        blocks.append("\n".join(loose))
    if not blocks:
        return ""
    body = "\n\n".join(blocks)
    imports = ["from typing import final\n"] if "@final" in body else []
    arrays = sorted({*re.findall(r"\b(?:U1|U4|U8|I4|I8|F8|Rows)\b", body)})
    if arrays:
        arrays.sort(key=lambda name: (not name.isupper(), name))  # as ruff sorts imports
        imports.append(f"from gotrace.dtypes import {', '.join(arrays)}")
    own = set(re.findall(r"^class (\w+)", body, re.M))
    for base, many, one in sorted(layout.CIMPORT.findall(header_and(path))):
        names = [
            name for name in re.findall(r"\w+", many or one) if name not in own and re.search(rf"\b{name}\b", body)
        ]
        classes = [name for name in names if re.search(rf"cdef class {name}\b", source_of(base))]
        if classes:
            imports.append(f"from {base} import {', '.join(sorted(classes))}")
    head = "\n".join(
        imports[:1] * ("@final" in body) + sorted({line for line in imports if line.startswith("from gotrace")})
    ).rstrip()
    return f"{head}\n\n{body}\n" if head else f"{body}\n"


def header_and(path: Path) -> str:
    header = path.with_suffix(".pxd")
    return (header.read_text() if header.exists() else "") + path.read_text()


def source_of(name: str) -> str:
    path = layout.PACKAGE.parent.joinpath(*name.split("."))
    return "".join(kernel.read_text() for kernel in (path.with_suffix(s) for s in (".pxd", ".pyx")) if kernel.exists())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-o", "--output", type=Path, default=layout.PACKAGE, help="folder to write into")
    folder = parser.parse_args().output
    for path in layout.kernels():
        stub = render(path) if path.suffix == ".pyx" else ""
        if stub:
            target = folder / path.relative_to(layout.PACKAGE).with_suffix(".pyi")
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(stub)


if __name__ == "__main__":
    main()
