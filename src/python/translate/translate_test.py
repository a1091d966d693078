#!/usr/bin/env python3
"""The translation refuses what it was not made for."""

import os
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import translate


class TranslateTest(unittest.TestCase):
    def test_another_binary_is_refused(self):
        with tempfile.TemporaryDirectory() as folder:
            wasm = os.path.join(folder, "other.wasm")
            with open(wasm, "wb") as file:
                file.write(b"\0asm")
            out = os.path.join(folder, "out.c")
            run = subprocess.run([sys.executable, translate.__file__, wasm, "x.c", "x.h", out, out + ".h"],
                                 capture_output=True, text=True)
            self.assertNotEqual(run.returncode, 0)
            self.assertIn("is not the MicroPython this was made for", run.stderr)
            self.assertFalse(os.path.exists(out))

    def test_a_place_that_is_missing_or_ambiguous_is_refused(self):
        for text in ("", "here here"):
            with self.assertRaises(translate.Unexpected):
                translate.replace_once(text, "here", "there")
        with self.assertRaises(translate.Unexpected):
            translate.replace_body("static void w2c_f1(int a) {\n  other;\n}\n", 1, "int a", "expected", "new")
        with self.assertRaises(translate.Unexpected):
            translate.check_recursion_and_loops("")

    def test_cycles_are_found_direct_and_round_about(self):
        calls = {"a": {"b"}, "b": {"c"}, "c": {"b"}, "d": {"d"}, "e": {"a"}, "f": set()}
        self.assertEqual(translate.cycles(calls), {"b", "c", "d"})


if __name__ == "__main__":
    unittest.main()
