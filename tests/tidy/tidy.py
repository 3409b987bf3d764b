"""What the tree promises its readers, by text alone: nothing is built.

    tidy.py [CHECK...]      all checks, or some: rooms sizes theories words format

Each offender is told as FILE:LINE: what is wrong. Exit code 1 if there are any, 77 if the only check
asked for is not available here.
"""

import pathlib
import re
import shutil
import subprocess
import sys

TOP = pathlib.Path(__file__).resolve().parents[2]
FUNCTION_LINES = 55
FILE_LINES = 600
THEORY_LINES = 150  # a source of more lines than this begins with a comment
SKIPPED = 77
SUFFIXES = {".c", ".cpp", ".h", ".hpp"}


def sources(*folders):
    """(path, its name from the top, its lines) of every C++ and C file in the folders."""
    for folder in folders:
        for path in sorted(p for p in (TOP / folder).rglob("*.*") if p.suffix in SUFFIXES):
            yield path, str(path.relative_to(TOP)), path.read_text(encoding="utf-8").splitlines()


def room_order():
    """The rooms in the order of the top meson.build."""
    text = (TOP / "meson.build").read_text(encoding="utf-8")
    table = text[text.index("\nrooms = {"):]
    return re.findall(r"^  '(\w+)': \[", table[:table.index("\n}")], re.MULTILINE)


def room_of(name):
    found = re.match(r"(?:include/mcr|src|tests/unit)/(\w+)/", name)
    return found and found[1]


def rooms():
    """A file includes what is in its own room or in one above it."""
    order = room_order()
    for _, name, lines in sources("include", "src", "tests/unit"):
        room = room_of(name)
        if room is not None and room not in order:
            yield f"{name}:1: {room} is no room of meson.build"
            continue
        for number, line in enumerate(lines, 1):
            include = re.match(r'\s*#\s*include "mcr/(\w+)/', line)
            if not include or room is None:
                continue
            if include[1] not in order or order.index(include[1]) > order.index(room):
                yield f"{name}:{number}: {room} stands above {include[1]} and does not use it"


def without_text(lines):
    """The code with its comments, strings and characters blanked; as many lines."""
    token = re.compile(r'//[^\n]*|/\*.*?\*/|R"(\w*)\(.*?\)\1"|"(?:\\.|[^"\\\n])*"'
                       r"|(?<!\w)'(?:\\.|[^'\\\n])+'", re.DOTALL)
    return token.sub(lambda found: "\n" * found[0].count("\n") or " ", "\n".join(lines))


def functions(lines):
    """(first line, number of lines) of every function outside another function."""
    scope = re.compile(r"(?:^|\s)(?:namespace|class|struct|union|enum|extern)\b[^()=]*$")
    statement, line, start, depths = "", 1, 1, []
    for char in without_text(lines):
        if char == "{":
            inside = depths and depths[-1] != "scope"
            is_scope = not inside and scope.search(statement.split(">")[-1]) is not None
            is_body = not inside and not is_scope and "(" in statement
            depths.append("scope" if is_scope else start if is_body else "block")
        elif char == "}":
            opened = depths.pop() if depths else "block"
            if isinstance(opened, int):
                yield opened, line - opened + 1
        if char in "{};":
            statement = ""
        elif char == "\n":
            line += 1
            if statement.lstrip().startswith("#"):
                statement = ""
        if not statement.strip():
            start = line
        if char not in "{};":
            statement += char


def sizes():
    """Functions and files end before a reader tires."""
    for _, name, lines in sources("include", "src", "tests", "bench"):
        for first, count in functions(lines):
            if count > FUNCTION_LINES:
                yield f"{name}:{first}: a function of {count} lines (at most {FUNCTION_LINES})"
    for _, name, lines in sources("include", "src", "tests/unit"):
        if len(lines) > FILE_LINES:
            yield f"{name}:{FILE_LINES}: a file of {len(lines)} lines (at most {FILE_LINES})"


def theories():
    """A header says what it is for; so does a source that is long enough to have a theory."""
    for _, name, lines in sources("include", "src"):
        owed = name.endswith((".h", ".hpp")) or len(lines) > THEORY_LINES
        if owed and not lines[0].startswith("//"):
            yield f"{name}:1: no comment at the top tells what this file does and why so"


def words():
    """Comments are plain sentences: they begin with what they speak of."""
    for _, name, lines in sources("include", "src", "tests", "bench"):
        for number, line in enumerate(lines, 1):
            begins = re.search(r"//[/!<]* *(Of|What|Whether|Lest) ", line)
            if begins and '"' not in line[: begins.start()]:
                yield f'{name}:{number}: a comment begins with "{begins[1]}"'


def formatted():
    """The layout is clang-format's."""
    paths = [path for path, _, _ in sources("include", "src", "tests", "bench")]
    done = subprocess.run(["clang-format", "--dry-run", "-Werror", *paths], text=True,
                          capture_output=True, check=False)
    for line in done.stderr.splitlines():
        if "error:" in line:
            yield line.removeprefix(f"{TOP}/")
    if done.returncode != 0 and "error:" not in done.stderr:
        yield f"clang-format: {done.stderr.strip()}"


CHECKS = {"rooms": rooms, "sizes": sizes, "theories": theories, "words": words, "format": formatted}


def main():
    asked = sys.argv[1:] or list(CHECKS)
    if "format" in asked and not shutil.which("clang-format"):
        print("skip: clang-format is not installed: the layout is not checked")
        asked.remove("format")
        if not asked:
            return SKIPPED
    failed = False
    for check in asked:
        offenders = list(CHECKS[check]())
        print("\n".join(offenders) or f"{check}: ok")
        failed = failed or bool(offenders)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
