#!/usr/bin/env python3
"""Keeps the house in order: who may include whom, line and file length, banned calls, names of test cases.

Run by ctest as `tidy`; prints one line a breach (`file:line: what: what to do instead`) and exits 1 if there is any.
The rules in words: docs/ARCHITECTURE.md.
"""
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
MAX_LINE = 120
MAX_FILE_LINES = 650

# A room may include itself and what stands here. Longest prefix wins.
ROOMS = {
    "src/core/base": [],
    "src/core/mqtt": ["core/base", "mqboard/mqtt"],
    "src/core/command": ["core/base"],
    "src/core/boot": ["core/base"],
    "src/core/log": ["core/base"],
    "src/mqtt": ["core/base", "core/mqtt", "mqboard/mqtt"],
    "src/python": ["core"],
    "src/port": ["core"],
    "src/board": ["core", "mqtt", "mqboard/mqtt", "python", "port"],
    "src/boot": ["core/base", "core/boot", "port"],
    "src/cli": ["core", "mqtt", "mqboard/mqtt", "port/crypto"],
    "include/mqboard/mqtt": ["mqboard/mqtt"],
}
OURS = re.compile(r'#include\s+[<"]((?:core|mqtt|python|port|board|boot|cli|mqboard)/[^>"]+)[>"]')
SYSTEM_IN_CORE = re.compile(
    r'#include\s+<(unistd\.h|sys/|fcntl\.h|thread|mutex|iostream|fstream|boost/|openssl/|ctime)')
BANNED = [
    (re.compile(r"\b(strcpy|strcat|sprintf|gets|strtok)\s*\("), "unbounded C string call",
     "use std::string_view or fmt"),
    (re.compile(r"\bsystem_clock::now\b|(\bstd)?::time\(|\bCLOCK_REALTIME\b|\bgettimeofday\b"),
     "wall clock, which jumps", "use steady_clock, or a clock parameter; tidy: allow where people are told the time",
     ("src/core", "src/mqtt", "src/port", "src/python", "src/board", "src/boot", "include")),
    (re.compile(r"\b(rand|srand)\s*\("), "rand()", "use a seeded generator given as parameter"),
    (re.compile(r"\bstd::regex\b"), "std::regex", "write the few lines of parsing"),
    (re.compile(r"\b(sleep_for|usleep|nanosleep)\s*\("), "sleeping", "wait for an event", ("src", "tests", "bench")),
]
ALLOW = "tidy: allow"


def tracked(*suffixes):
    out = subprocess.run(["git", "ls-files", "-co", "--exclude-standard", "-z"], cwd=ROOT, check=True,
                         capture_output=True).stdout.decode()
    for name in sorted(filter(None, out.split("\0"))):
        if name.endswith(suffixes) and (ROOT / name).is_file():
            yield name


def room_of(name):
    rooms = [room for room in ROOMS if name.startswith(room + "/")]
    return max(rooms, key=len) if rooms else None


def include_breaches(name, lines):
    room = room_of(name)
    if room is None:
        return
    own = room.removeprefix("src/").removeprefix("include/")
    allowed = [own, *ROOMS[room]]
    for number, line in enumerate(lines, 1):
        if ALLOW in line:
            continue
        match = OURS.match(line)
        if match and not any(match[1].startswith(prefix + "/") for prefix in allowed):
            yield number, f"{room} may not include {match[1]}", "see the rooms in docs/ARCHITECTURE.md"
        if room.startswith("src/core/") and not name.endswith("_test.cpp") and SYSTEM_IN_CORE.match(line):
            yield number, "core includes the operating system", "take it as a parameter"


def line_breaches(name, lines):
    for number, line in enumerate(lines, 1):
        if len(line) > MAX_LINE:
            yield number, f"line of {len(line)} characters", f"at most {MAX_LINE}"
        if line.rstrip() != line:
            yield number, "trailing space", "remove it"
        if ALLOW in line or name == "tests/tidy.py":
            continue
        for pattern, what, instead, *where in BANNED:
            if where and not name.startswith(where[0]):
                continue
            if pattern.search(line):
                yield number, what, instead
    if len(lines) > MAX_FILE_LINES and not name.startswith(("tests/", "bench/")):
        yield 1, f"file of {len(lines)} lines", "split it by role"


def main():
    breaches = 0
    for name in tracked(".hpp", ".cpp", ".h", ".c", ".py"):
        lines = (ROOT / name).read_text(encoding="utf-8").splitlines()
        checks = [line_breaches(name, lines)]
        if name.endswith((".hpp", ".cpp")):
            checks.append(include_breaches(name, lines))
            if name.endswith(".hpp") and not any(line == "#pragma once" for line in lines):
                checks.append([(1, "header without #pragma once", "add it")])
        for check in checks:
            for number, what, instead in check:
                print(f"{name}:{number}: {what}: {instead}")
                breaches += 1
    for name in tracked(""):
        if name.endswith((".png", ".json")) or not (ROOT / name).is_file():
            continue
        for number, line in enumerate((ROOT / name).read_text(encoding="utf-8", errors="replace").splitlines(), 1):
            if re.search(r"(^|[\s\"'=(])/(work|farm)/", line) and name != "tests/tidy.py":
                print(f"{name}:{number}: path of a work machine: use a relative one")
                breaches += 1
    return 1 if breaches else 0


if __name__ == "__main__":
    sys.exit(main())
