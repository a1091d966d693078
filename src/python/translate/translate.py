#!/usr/bin/env python3
"""Adapts the C that wasm2c made of MicroPython to the needs of a board.

usage: translate.py MICROPYTHON.wasm GENERATED.c GENERATED.h OUT.c OUT.h

Function numbers and addresses below hold for one binary only, so the script refuses any other (by SHA-256) and
fails when a place it wants to change does not look as expected. What it changes, and why, is docs/PYTHON.md.
"""

import hashlib
import re
import sys

WASM_SHA256 = "06338c955b03c5700aa0069015d3e392d76836ef8e2ce25bedbe59b88ccd373c"

# Functions of the binary, by their number.
RAISE_RECURSION_DEPTH = 424
CHECK_STACK = 440  # raises RuntimeError when the C stack is used up
GC_COLLECT_START = 78
GC_MARK_SUBTREE = 79
GC_COLLECT_END = 80
PUSH_RESULT_TOKEN = 198  # of the parser: interns string literals of up to ten bytes, for ever
HEAP_GROWTH_LIMIT = 1277  # how many bytes the heap may still grow by
GC_COLLECT = 1278
NLR_JUMP_FAIL = 1279  # loops for ever: an exception without a handler
READLINE = 1262  # waits for characters of a console
CTRL_D = 4  # what READLINE returns at the end of input

INSTANCE = "Z_micropython_instance_t"


class Unexpected(Exception):
    pass


def replace_once(text, old, new):
    """Replaces `old`, which must occur exactly once."""
    count = text.count(old)
    if count != 1:
        raise Unexpected(f"expected once, found {count} times: {old[:80]!r}")
    return text.replace(old, new)


def body_of(text, number, parameters):
    """Start and end of the body of function `number`."""
    head = re.search(rf"^static \w+ w2c_f{number}\({re.escape(parameters)}\) {{$", text, re.M)
    if not head:
        raise Unexpected(f"no function {number} with parameters ({parameters})")
    return head.end(), text.index("\n}\n", head.end())


def replace_body(text, number, parameters, must_contain, body):
    """Replaces the body of function `number`, whose old body must contain `must_contain`."""
    start, end = body_of(text, number, parameters)
    if must_contain not in text[start:end]:
        raise Unexpected(f"function {number} is not the one expected")
    return text[:start] + "\n" + body + text[end:]


def edit_body(text, number, parameters, old, new=None):
    """Replaces `old` in the body of function `number`, where it must occur once; or only checks that it does."""
    start, end = body_of(text, number, parameters)
    return text[:start] + replace_once(text[start:end], old, old if new is None else new) + text[end:]


def functions(text):
    """(name, start, end) of every function of the module in the text."""
    for head in re.finditer(r"^static \w+ w2c_(\w+)\([^;{]*\) {$", text, re.M):
        yield head.group(1), head.end(), text.index("\n}\n", head.end())


def cycles(calls):
    """The members of cycles in a graph {node: successors} (Tarjan's strongly connected components)."""
    index, low, stack, found = {}, {}, [], set()

    def visit(node):
        index[node] = low[node] = len(index)
        stack.append(node)
        for other in calls[node]:
            if other not in index:
                visit(other)
            if other in stack:
                low[node] = min(low[node], low[other])
        if low[node] == index[node]:
            component = stack[stack.index(node):]
            del stack[-len(component):]
            if len(component) > 1 or node in calls[node]:
                found.update(component)

    sys.setrecursionlimit(10 * len(calls))
    for node in calls:
        if node not in index:
            visit(node)
    return found


def check_recursion_and_loops(text):
    """Leaves FUNC_PROLOGUE only in functions that are on every way an endless recursion can take: those that call
    themselves, directly or round about, and those that call through a pointer. The loops of all others look whether
    the machine was killed: some, such as those of big integers, call nothing that does."""
    bodies = {name: (start, end) for name, start, end in functions(text)}
    called = re.compile(r"\bw2c_(\w+)\(instance")
    calls = {name: {other for other in called.findall(text, start, end) if other in bodies}
             for name, (start, end) in bodies.items()}
    if len(calls) < 1000:
        raise Unexpected(f"only {len(calls)} functions")
    checked = cycles(calls)
    pieces, at, loops = [], 0, 0
    for name, (start, end) in bodies.items():
        body = text[start:end]
        if name not in checked and "CALL_INDIRECT" not in body and "Z_envZ_invoke" not in body:
            body = replace_once(body, "  FUNC_PROLOGUE;\n", "")
            body, count = re.subn(r"^(  w2c_L\d+:) $", r"\1 LOOP_PROLOGUE;", body, flags=re.M)
            loops += count
        pieces += [text[at:start], body]
        at = end
    if loops < 300:
        raise Unexpected(f"only {loops} loops")
    return "".join(pieces) + text[at:]


PROLOGUE = """\
#define FUNC_PROLOGUE                                                                     \\
  {                                                                                       \\
    char probe;                                                                           \\
    if (UNLIKELY((uintptr_t)&probe < *(volatile uintptr_t*)&instance->native_stack_limit)) \\
      TRAP(EXHAUSTION);                                                                   \\
  }
#define LOOP_PROLOGUE                                                                     \\
  if (UNLIKELY(*(volatile uintptr_t*)&instance->native_stack_limit == UINTPTR_MAX))       \\
    TRAP(EXHAUSTION)
#define FUNC_EPILOGUE
"""

EXPORTS = f"""
/* What the host needs beyond the module's own exports. */
void mqb_gc_collect_start({INSTANCE}* instance) {{ w2c_f{GC_COLLECT_START}(instance); }}
void mqb_gc_mark_subtree({INSTANCE}* instance, u32 area, u32 block) {{
  w2c_f{GC_MARK_SUBTREE}(instance, area, block);
}}
void mqb_gc_collect_end({INSTANCE}* instance) {{ w2c_f{GC_COLLECT_END}(instance); }}
"""

DECLARATIONS = f"""
void mqb_gc_collect_start({INSTANCE}* instance);
void mqb_gc_mark_subtree({INSTANCE}* instance, u32 area, u32 block);
void mqb_gc_collect_end({INSTANCE}* instance);
/* Provided by the host: a whole collection, called wherever MicroPython wants one. */
void mqb_gc_collect(struct Z_env_instance_t* env);
"""


def adapt_source(text, header_name):
    text = re.sub(r'#include "[^"]*\.h"', f'#include "{header_name}"', text, count=1)
    # No recursion can leave the native stack, and any thread can end a runaway by moving the limit.
    text = replace_once(text, "#define FUNC_PROLOGUE\n\n#define FUNC_EPILOGUE\n", PROLOGUE)
    text = check_recursion_and_loops(text)
    only_instance = f"{INSTANCE}* instance"
    text = replace_body(text, GC_COLLECT, only_instance, "+ 186124, w2c_i1);",
                        "  mqb_gc_collect(instance->Z_env_instance);")
    # MicroPython's own check knows the shadow stack only; some recursions, in re for one, use none of it.
    text = edit_body(text, CHECK_STACK, only_instance, "  w2c_i0 = w2c_i0 < w2c_i1;\n",
                     "  w2c_i0 = w2c_i0 < w2c_i1 && (uintptr_t)&probe > instance->native_stack_low;\n")
    text = edit_body(text, CHECK_STACK, only_instance, f"  w2c_f{RAISE_RECURSION_DEPTH}(instance);\n")
    text = edit_body(text, CHECK_STACK, only_instance, "  u32 w2c_l0 = 0;\n", "  char probe;\n  u32 w2c_l0 = 0;\n")
    text = replace_body(text, HEAP_GROWTH_LIMIT, only_instance, "w2c_i0 = 134217728u;", "  return 0;")
    text = replace_body(text, NLR_JUMP_FAIL, f"{INSTANCE}* instance, u32 w2c_p0", "goto w2c_L0;", "  UNREACHABLE;")
    text = replace_body(text, READLINE, f"{INSTANCE}* instance, u32 w2c_p0, u32 w2c_p1", "goto w2c_L0;",
                        f"  return {CTRL_D};")
    # Interned strings are never freed: of every eval with a literal of its own 20 bytes stayed behind.
    text = edit_body(text, PUSH_RESULT_TOKEN, f"{INSTANCE}* instance, u32 w2c_p0, u32 w2c_p1",
                     "  w2c_i1 = 10u;\n  w2c_i0 = w2c_i0 > w2c_i1;\n  if (w2c_i0) {goto w2c_B10;}\n",
                     "  goto w2c_B10;\n")
    return text + EXPORTS


def adapt_header(text):
    text = replace_once(text, f"typedef struct {INSTANCE} {{\n",
                        f"typedef struct {INSTANCE} {{\n  uintptr_t native_stack_limit;\n"
                        "  uintptr_t native_stack_low;\n")
    return replace_once(text, f"void Z_micropython_free({INSTANCE}*);\n",
                        f"void Z_micropython_free({INSTANCE}*);\n" + DECLARATIONS)


def main(arguments):
    if len(arguments) != 5:
        sys.exit(__doc__.split("\n\n")[1])
    wasm, source, header, out_source, out_header = arguments
    with open(wasm, "rb") as file:
        digest = hashlib.sha256(file.read()).hexdigest()
    if digest != WASM_SHA256:
        sys.exit(f"{wasm}: SHA-256 {digest} is not the MicroPython this was made for ({WASM_SHA256})")
    try:
        with open(source, encoding="utf-8") as file:
            adapted = adapt_source(file.read(), out_header.rsplit("/", 1)[-1])
        with open(header, encoding="utf-8") as file:
            adapted_header = adapt_header(file.read())
    except Unexpected as problem:
        sys.exit(f"{source}: not as wasm2c 1.0.32 writes it: {problem}")
    with open(out_source, "w", encoding="utf-8") as file:
        file.write(adapted)
    with open(out_header, "w", encoding="utf-8") as file:
        file.write(adapted_header)


if __name__ == "__main__":
    main(sys.argv[1:])
