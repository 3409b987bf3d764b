#!/usr/bin/env python3
"""The documents name only files that exist, list every room and kernel fact, and show today's picture."""

import pathlib
import re
import subprocess
import sys

TOP = pathlib.Path(__file__).resolve().parents[2]
SOURCES = {path.relative_to(TOP) for folder in ("include", "src", "tests", "bench", "tools")
           for path in (TOP / folder).rglob("*") if path.is_file()}
ENDINGS = r"(?:cpp|hpp|py|toml|md|svg|wrap)"


def documents():
    for folder in (TOP, *(TOP / name for name in ("src", "tests", "tests/kernel", "bench", "tools"))):
        if (folder / "README.md").exists():
            yield folder / "README.md"


def named_files(text):
    """Names of files in `quotes`; those with a * or capitals stand for others."""
    for name in re.findall(rf"`([a-z0-9_./-]+\.{ENDINGS})`|\b(src/[a-z0-9_/]+\.cpp)\b", text):
        yield name[0] or name[1]


def exists(name, folder):
    """A path from the top, from the document, or the end of a source's path: `rules/table.hpp`."""
    if (TOP / name).exists() or (folder / name).exists():
        return True
    return any(str(path).endswith("/" + name) for path in SOURCES)


def wrong_names(document):
    text = document.read_text(encoding="utf-8")
    for link in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", text):
        if not (document.parent / link).exists():
            yield f"a link to {link}"
    for name in named_files(text):
        if name.startswith("/") or name.startswith("conf.d") or name == "mcr.toml":
            continue
        if not exists(name, document.parent):
            yield f"`{name}`"


def unlisted():
    """Programs of tests/kernel and rooms of src that their README does not name."""
    kernel = (TOP / "tests/kernel/README.md").read_text(encoding="utf-8")
    for program in sorted((TOP / "tests/kernel").glob("*.cpp")):
        if f"`{program.stem}`" not in kernel:
            yield f"tests/kernel/README.md: {program.stem} is missing"
    house = (TOP / "src/README.md").read_text(encoding="utf-8")
    for room in sorted(path.name for path in (TOP / "src").iterdir() if path.is_dir()):
        if f"| `{room}` |" not in house:
            yield f"src/README.md: the room {room} is missing"


def main():
    wrong = [f"{document.relative_to(TOP)}: {name} does not exist"
             for document in documents() for name in wrong_names(document)]
    wrong += unlisted()
    drawing = subprocess.run([TOP / "tools/draw-path", "--check"], capture_output=True, text=True,
                             check=False)
    if drawing.returncode:
        wrong.append(drawing.stderr.strip())
    print("\n".join(wrong))
    sys.exit(1 if wrong else 0)


main()
