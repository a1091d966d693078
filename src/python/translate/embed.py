#!/usr/bin/env python3
"""Writes a folder of Python files as a C++ source with its header.

usage: embed.py NAME FOLDER OUT   (writes OUT.cpp and OUT.hpp)
"""

import ast
import os
import sys

CHUNK = 100  # bytes per string literal


def literal(data):
    """C++ string literals for `data`; each byte its own escape where it is not plain text."""
    parts = []
    for start in range(0, len(data), CHUNK):
        text = ""
        for byte in data[start:start + CHUNK]:
            char = chr(byte)
            if char == "\n":
                text += "\\n"
            elif char in '"\\':
                text += "\\" + char
            elif 32 <= byte < 127 and char != "?":
                text += char
            else:
                text += f"\\{byte:03o}"
        parts.append(f'    "{text}"')
    return "\n".join(parts) or '    ""'


def files_of(folder):
    for directory, names, files in sorted(os.walk(folder)):
        names.sort()
        for file in sorted(files):
            if file.endswith(".py"):
                path = os.path.join(directory, file)
                yield os.path.relpath(path, folder), path


def main(arguments):
    if len(arguments) != 3:
        sys.exit(__doc__)
    name, folder, out = arguments
    entries = []
    for relative, path in files_of(folder):
        with open(path, "rb") as file:
            data = file.read()
        try:
            ast.parse(data, relative)
        except SyntaxError as error:
            sys.exit(f"{path}: {error}")
        entries.append(f'    {{"{relative}", std::string_view(\n{literal(data)},\n        {len(data)})}},\n')
    os.makedirs(os.path.dirname(out), exist_ok=True)
    with open(out + ".hpp", "w", encoding="ascii") as file:
        file.write("// Generated. See src/python/rom.hpp.\n#pragma once\n\n#include \"python/rom.hpp\"\n\n"
                   f"namespace mqboard::rom {{\nextern const python::Rom {name};\n}}\n")
    with open(out + ".cpp", "w", encoding="ascii") as file:
        file.write(f'#include "rom/{name}.hpp"\n\nnamespace mqboard::rom {{\n\n'
                   f"static constexpr python::RomFile kFiles[] = {{\n{''.join(entries)}}};\n\n"
                   f"const python::Rom {name} = kFiles;\n\n}}\n")


if __name__ == "__main__":
    main(sys.argv[1:])
