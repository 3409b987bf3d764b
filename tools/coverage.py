"""Prints the lines that ran, by room: coverage.py SUMMARY, which is gcovr's --json-summary.

A room is the first folder below src/ and include/ (include/mcr/).
"""

import json
import sys


def room(path):
    """Of src/ROOM/NAME.cpp and include/mcr/ROOM/NAME.hpp."""
    folders = [part for part in path.split("/")[1:-1] if part != "mcr"]
    return folders[0] if folders else "(none)"


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        files = json.load(file)["files"]
    rooms = {}
    for entry in files:
        ran, lines = rooms.get(room(entry["filename"]), (0, 0))
        rooms[room(entry["filename"])] = ran + entry["line_covered"], lines + entry["line_total"]
    rooms = dict(sorted(rooms.items()))
    rooms["all"] = tuple(map(sum, zip(*rooms.values())))
    print(f"{'room':<12} {'lines':>6} {'ran':>6} {'share':>7}")
    for name, (ran, lines) in rooms.items():
        print(f"{name:<12} {lines:>6} {ran:>6} {ran / max(1, lines):>7.1%}")


main()
