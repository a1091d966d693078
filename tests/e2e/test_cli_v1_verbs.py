#!/usr/bin/env python3
"""The verbs for which v1 has no command, against a board that runs the Python mqboard: done by evals, or refused."""
import hashlib
import json
import random
import unittest

from test_cli_v1 import V1Cli


class VerbsByEval(V1Cli):
    def setUp(self):
        super().setUp()
        self.b = self.start_board()
        self.here = self.directory / "here"
        self.here.mkdir()

    def ok(self, *arguments, **options):
        return self.check(self.run_cli(*arguments, **options))

    def test_scripts_end_with_their_own_status(self):
        script = self.here / "script.py"
        script.write_text("import sys\nprint('on')\nsys.exit(3)\n")
        result = self.run_cli("run", script)
        self.assertEqual(result.status, 3, result)
        self.assertEqual(self.run_cli("exec", "-", stdin=b"1/0").status, 1)

    def test_a_repl_executes_what_a_pipe_holds(self):
        result = self.run_cli("repl", stdin=b"x = 20\nx + 1\nfor i in range(2):\n    print(i)\n\n")
        self.assertEqual((result.status, result.out), (0, b"21\n0\n1\n"), result)

    def test_small_verbs(self):
        (self.flash / "lib").mkdir()
        (self.flash / "lib/f").write_bytes(b"abc")
        self.ok("touch", "/t")
        self.assertEqual((self.flash / "t").read_bytes(), b"")
        self.assertEqual(self.ok("tree", "-s").text, "/\n|-- lib/\n|   `-- [     3 B]  f\n`-- [     0 B]  t\n")
        self.assertEqual(self.ok("sha256sum", "/lib/f").text, f"{hashlib.sha256(b'abc').hexdigest()}  /lib/f\n")
        space = json.loads(self.ok("-o", "json", "df").out)
        self.assertEqual((space["total"], space["used"] + space["free"]), (512 * 4096, 512 * 4096))
        info = json.loads(self.ok("-o", "json", "info").out)
        self.assertEqual((info["flash_size"], info["machine"]), (512 * 4096, "Fake board with CPython"))
        self.assertRegex(self.ok("info").text, r"(?m)^flash_size +2\.1 MB$")
        self.assertEqual(self.ok("discover").text, "", "such a board announces nothing")

    def test_edit_puts_the_changed_file_back(self):
        (self.flash / "main.py").write_text("old\n")
        self.ok("edit", "/main.py", env={"EDITOR": "sed -i s/old/new/"})
        self.assertEqual((self.flash / "main.py").read_text(), "new\n")

    def test_cp_copies_trees_both_ways(self):
        tree = self.here / "tree"
        (tree / "sub").mkdir(parents=True)
        (tree / "a.py").write_text("a")
        (tree / "sub/b.bin").write_bytes(random.Random(7).randbytes(60_000))
        self.ok("cp", "-r", tree, ":/tree")
        self.ok("cp", "-r", ":/tree", self.here / "back")
        for path in ("a.py", "sub/b.bin"):
            self.assertEqual((self.here / "back" / path).read_bytes(), (tree / path).read_bytes())
            self.assertEqual((self.flash / "tree" / path).read_bytes(), (tree / path).read_bytes())
        self.ok("cp", ":/tree/a.py", ":/copy.py")
        self.assertEqual((self.flash / "copy.py").read_text(), "a")

    def test_sync_brings_files_up_to_date(self):
        (self.here / "one.py").write_text("one")
        (self.flash / "lib").mkdir()
        (self.flash / "lib/one.py").write_text("old")
        (self.flash / "lib/other.py").write_text("other")
        spec = self.here / "spec"
        spec.write_text(f"/lib:\n  {self.here}: one.py\n")
        self.assertIn("put  shadiff", self.ok("sync", spec).text)
        self.assertEqual((self.flash / "lib/one.py").read_text(), "one")
        self.assertNotIn("put", self.ok("sync", spec).text)
        self.ok("sync", "--delete", spec)
        self.assertFalse((self.flash / "lib/other.py").exists())

    def test_levels_are_set_by_pythons_logging(self):
        self.ok("log-level", "net.wifi", "debug")
        self.assertEqual(self.ok("eval", "__import__('logging').getLogger('net.wifi').level").text, "10\n")

    def test_what_needs_mqboardd_is_refused_in_one_line(self):
        for arguments in (("interrupt",), ("crash", "ls"), ("crash", "get", "x"), ("crash", "rm", "x"), ("log-level",),
                          ("view", "--since-boot"), ("ota", "status"), ("ota", "confirm"), ("ota", "rollback")):
            result = self.run_cli(*arguments)
            self.assertEqual((result.status, result.out, result.err.count("\n")), (1, b"", 1), (arguments, result))


if __name__ == "__main__":
    unittest.main()
