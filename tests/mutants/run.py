#!/usr/bin/env python3
"""Shows that `power_cuts` has teeth: breaks the recovery code in one place at a time and expects the test to fail.

Builds the test outside the tree with the system's C++ compiler, once as it is (it must pass) and once with each mutant
(it must end with lost boards). Prints one line a mutant; exits 1 if any survives. Run: tests/mutants/run.py [NAME...]
"""
import os
import pathlib
import re
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
FLAGS = ["-std=c++23", "-O1", "-w"]
ARGUMENTS = ["--first", "4", "--second", "2"]

# name, file, what stands there exactly once, what the mutant has instead
MUTANTS = [
    ("slot-record-not-synced", "core/boot/slot_store.cpp",
     "if (result) result = files.sync(*file);", ""),
    ("slot-record-overwrites-the-copy-that-counts", "core/boot/sealed.cpp",
     ".next = 1 - current", ".next = current"),
    ("older-copy-of-a-record-counts", "core/boot/sealed.cpp",
     "copies[1]->sequence > copies[0]->sequence", "copies[1]->sequence < copies[0]->sequence"),
    ("image-recorded-before-it-is-synced", "core/boot/installer.cpp",
     "if (const auto synced = files.sync(file_); !synced) return fail(synced.error());", ""),
    ("directory-of-the-image-not-synced", "core/boot/installer.cpp",
     "if (const auto synced = files.sync_directory(SlotStore::directory(target_)); !synced) {",
     "if (FsResult<void> synced; !synced) {"),
    ("replacement-renamed-before-it-is-synced", "core/base/replace_file.cpp",
     "if (const auto synced = files_.sync(file_); !synced) return abandon(), synced;", ""),
    ("replacement-without-directory-sync", "core/base/replace_file.cpp",
     "return files_.sync_directory(parent_directory(path()));", "return {};"),
    ("attempts-of-a-trial-compared-the-wrong-way", "core/boot/boot_table.cpp",
     "attempts >= kMaxTrialAttempts", "attempts < kMaxTrialAttempts"),
    ("start-of-a-trial-not-recorded", "core/boot/bootloader.cpp",
     "return update(slot, record);", "return true;"),
    ("failed-trial-not-recorded", "core/boot/bootloader.cpp",
     "  observer_.became_bad(slot, record);\n  (void)update(slot, record);", "  observer_.became_bad(slot, record);"),
    ("put-renamed-before-it-is-synced", "core/command/transfer.cpp",
     "files_.sync(file_)", "FsResult<void>{}"),
]


def sources():
    rooms = ["core/base", "core/boot", "core/command", "port/crypto", "port/sim"]
    for room in rooms:
        for path in sorted((ROOT / "src" / room).glob("*.cpp")):
            if not path.name.endswith("_test.cpp"):
                yield path.relative_to(ROOT / "src").as_posix()


def compile_source(source, text, build):
    """Compiles `text` in the place of `source` and returns the object file."""
    where = build / source
    where.parent.mkdir(parents=True, exist_ok=True)
    where.write_text(text, encoding="utf-8")
    target = where.with_suffix(".o")
    subprocess.run(["c++", *FLAGS, "-I", ROOT / "src", "-c", where, "-o", target], check=True)
    return target


def link_and_run(objects, program):
    subprocess.run(["c++", *objects, "-lcrypto", "-o", program], check=True)
    done = subprocess.run([program, *ARGUMENTS], capture_output=True, text=True, timeout=3600)
    match = re.search(r"power cuts: (\d+), lost boards: (\d+)", done.stdout)
    return done.returncode, match and int(match[1]), match and int(match[2]), done.stdout


def mutate(source, before, after):
    text = (ROOT / "src" / source).read_text(encoding="utf-8")
    if text.count(before) != 1:
        raise SystemExit(f"{source}: {text.count(before)} places read {before!r}; there must be one")
    return text.replace(before, after)


def main(names):
    unknown = set(names) - {mutant[0] for mutant in MUTANTS}
    if unknown:
        raise SystemExit(f"no such mutant: {', '.join(sorted(unknown))}")
    survivors = 0
    with tempfile.TemporaryDirectory() as directory:
        build = pathlib.Path(directory)
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            tasks = {source: pool.submit(compile_source, source, (ROOT / "src" / source).read_text(encoding="utf-8"),
                                         build / "whole") for source in sources()}
            objects = {source: task.result() for source, task in tasks.items()}
        status, cuts, lost, output = link_and_run(objects.values(), build / "power_cuts")
        print(f"unchanged: power cuts {cuts}, lost boards {lost}", flush=True)
        if status != 0:
            raise SystemExit(output)
        for name, source, before, after in MUTANTS:
            if names and name not in names:
                continue
            mutant = compile_source(source, mutate(source, before, after), build / name)
            status, cuts, lost, output = link_and_run({**objects, source: mutant}.values(), build / name / "power_cuts")
            survived = status == 0
            survivors += survived
            figures = "not even a board can be prepared" if cuts is None else f"power cuts {cuts}, lost boards {lost}"
            print(f"{name}: {'SURVIVED' if survived else 'killed'}: {figures}", flush=True)
    return 1 if survivors else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
