#!/usr/bin/env python3
"""The operator's verbs beyond files and evals, against our board over channels."""
import hashlib
import json
import os
import pathlib
import random
import signal
import subprocess
import unittest

from harness import BIN, EndToEnd


class CliVerbs(EndToEnd):
    def setUp(self):
        super().setUp()
        self.server = self.broker()
        self.b = self.board(self.server)
        self.here = self.directory / "here"
        self.here.mkdir()

    def cli(self, *arguments, **options):
        return self.mqboard(self.b, *arguments, **options)

    def ok(self, *arguments, **options):
        return self.check(self.cli(*arguments, **options))

    def test_a_script_runs_with_arguments_and_its_own_exit_status(self):
        script = self.here / "script.py"
        script.write_text("import sys\nprint(sys.argv[1:])\nsys.exit(7)\n")
        result = self.cli("run", script, "a", "b c")
        self.assertEqual((result.status, result.out, result.err), (7, b"['a', 'b c']\n", ""))
        script.write_text("print('before')\n1/0\n")
        result = self.cli("exec", script)
        self.assertEqual((result.status, result.out), (1, b"before\n"))
        self.assertIn("ZeroDivisionError", result.err)
        script.write_text("# longer than fits into a request's head\n" + "x = 1\n" * 2000 + "print(x)\n")
        self.assertEqual(self.ok("exec", script).out, b"1\n")

    def test_ctrl_c_interrupts_a_script_on_the_board(self):
        script = self.here / "loop.py"
        script.write_text("print('looping')\nwhile True: pass\n")
        run = self.start_mqboard(self.b, "run", script)
        self.addCleanup(run.kill)
        self.assertEqual(run.stdout.readline(), b"looping\n")
        run.send_signal(signal.SIGINT)
        out, err = run.communicate(timeout=30)
        self.assertEqual((run.returncode, out), (1, b""), err)
        self.assertIn(b"KeyboardInterrupt", err)
        self.assertEqual(self.ok("eval", "1+1").out, b"2\n")

    def test_cp_copies_trees_both_ways_and_on_the_board(self):
        tree = self.here / "tree"
        (tree / "sub/deep").mkdir(parents=True)
        (tree / "a.py").write_text("a")
        (tree / "sub/b.bin").write_bytes(random.Random(2).randbytes(100_000))
        self.ok("mkdir", "/lib")
        self.ok("cp", "-r", tree, ":/lib")
        self.assertEqual((self.b.flash / "lib/tree/sub/b.bin").read_bytes(), (tree / "sub/b.bin").read_bytes())
        self.assertTrue((self.b.flash / "lib/tree/sub/deep").is_dir())
        back = self.here / "back"
        self.ok("cp", "-r", ":/lib/tree", back)
        self.assertEqual(self.content(back), self.content(tree))
        self.ok("cp", ":/lib/tree/a.py", ":/copy.py")
        self.assertEqual((self.b.flash / "copy.py").read_text(), "a")
        self.ok("cp", tree / "a.py", self.here / "tree/sub/b.bin", ":/lib/")
        self.assertTrue((self.b.flash / "lib/b.bin").is_file())
        self.assertEqual(self.cli("cp", tree, ":/x").status, 2, "a directory needs -r")
        self.assertEqual(self.cli("cp", tree / "a.py", self.here / "c").status, 2, "nothing of it is on the board")

    @staticmethod
    def content(directory):
        return {str(p.relative_to(directory)): p.read_bytes() if p.is_file() else None for p in directory.rglob("*")}

    def test_sync_follows_a_specification(self):
        for name in ("one.py", "two.py", "three.txt"):
            (self.here / name).write_text(name)
        (self.b.flash / "boot.py").write_text("old")
        (self.here / "boot.py").write_text("new")
        spec = self.here / "spec"
        spec.write_text(f"#! /usr/bin/env mqsync\n/lib:\n  {self.here}: *.py three.txt->renamed.txt\n"
                        f"/: --check-only\n  {self.here}/boot.py\n")
        dry = self.ok("sync", "-n", spec).text
        self.assertIn("put  missing", dry)
        self.assertFalse((self.b.flash / "lib").exists())
        self.ok("sync", spec)
        self.assertEqual(sorted(p.name for p in (self.b.flash / "lib").iterdir()),
                         ["boot.py", "one.py", "renamed.txt", "two.py"])
        self.assertEqual((self.b.flash / "boot.py").read_text(), "old", "checked only")
        again = self.ok("sync", spec).text
        self.assertNotIn("put", again)
        self.assertIn("skip shadiff", again)
        spec.chmod(0o755)
        (self.here / "one.py").write_text("changed")
        executed = subprocess.run([spec], env=self.environment | {"PATH": f"{BIN}:{os.environ['PATH']}",
                                  "MQBOARD_SERVER": self.server.url, "MQBOARD_PREFIX": self.b.prefix},
                                  capture_output=True)
        self.assertEqual(executed.returncode, 0, executed.stderr)
        self.assertIn(b"put  shadiff", executed.stdout)
        self.assertEqual((self.b.flash / "lib/one.py").read_text(), "changed")

    def test_sync_mirrors_a_directory_and_deletes_what_is_not_there(self):
        source = self.here / "app"
        (source / "sub").mkdir(parents=True)
        (source / "main.py").write_text("main")
        (source / "sub/x").write_text("x")
        (self.b.flash / "app/old").mkdir(parents=True)
        (self.b.flash / "app/old/file").write_text("old")
        self.ok("sync", source, ":/app")
        self.assertTrue((self.b.flash / "app/old/file").exists())
        self.ok("sync", "--delete", source, ":/app")
        self.assertEqual(self.content(self.b.flash / "app"), self.content(source))

    def test_get_goes_on_where_a_killed_one_was(self):
        content = random.Random(3).randbytes(3_000_000)
        (self.b.flash / "big").write_bytes(content)
        target = self.here / "big"
        (self.here / ".big.mqb-part").write_bytes(content[:2_000_000])
        sent = self.peer(self.server, f"{self.b.prefix}/mqb/reply/#")
        self.ok("get", "/big", target)
        self.assertEqual(target.read_bytes(), content)
        self.assertEqual(os.listdir(self.here), ["big"])
        self.assertLess(sum(len(m.payload) for m in sent.messages), 1_500_000, "only the rest was sent")
        target.unlink()
        (self.here / ".big.mqb-part").write_bytes(b"something else" * 10_000)
        self.ok("get", "/big", target)
        self.assertEqual(target.read_bytes(), content)

    def test_a_put_of_what_is_there_sends_nothing(self):
        local = self.here / "local"
        local.write_bytes(random.Random(4).randbytes(500_000))
        self.ok("put", local, "/big")
        sent = self.peer(self.server, f"{self.b.prefix}/mqb/cmd/#")
        self.ok("put", local, "/big")
        self.assertLess(sum(len(m.payload) for m in sent.messages), 5_000)

    def test_small_verbs(self):
        (self.b.flash / "f").write_bytes(b"abc")
        self.ok("touch", "/t")
        self.assertEqual((self.b.flash / "t").read_bytes(), b"")
        self.assertEqual(self.ok("sha256sum", "/f").text, f"{hashlib.sha256(b'abc').hexdigest()}  /f\n")
        self.assertEqual(self.ok("tree").text, "/\n|-- f\n`-- t\n")
        space = json.loads(self.ok("-o", "json", "df").out)
        self.assertEqual(space["total"], space["used"] + space["free"])
        boards = json.loads(self.ok("-o", "json", "discover").out)
        self.assertEqual([(b["board"], b["online"]) for b in boards], [(self.b.prefix, True)])
        info = json.loads(self.ok("-o", "json", "info").out)
        self.assertIs(info["online"], True)

    def test_repl_executes_what_a_pipe_holds(self):
        result = self.cli("repl", stdin=b"x = 20\nx + 1\nfor i in range(2):\n    print(i)\n\n'None'\nNone\n")
        self.assertEqual((result.status, result.out, result.err), (0, b"21\n0\n1\n'None'\n", ""))
        result = self.cli("repl", stdin=b"1/0\nprint('on')\n")
        self.assertEqual((result.status, result.out), (1, b"on\n"))
        self.assertIn("ZeroDivisionError", result.err)

    def test_edit_puts_the_changed_file_back(self):
        (self.b.flash / "main.py").write_text("old\n")
        self.ok("edit", "/main.py", env={"EDITOR": "sed -i s/old/new/"})
        self.assertEqual((self.b.flash / "main.py").read_text(), "new\n")
        self.assertEqual(self.cli("edit", "/main.py", env={"EDITOR": "false"}).status, 2)
        self.ok("edit", "/fresh.py", env={"EDITOR": "cp /etc/hostname"})
        self.assertEqual((self.b.flash / "fresh.py").read_bytes(), pathlib.Path("/etc/hostname").read_bytes())

    def test_saved_boards(self):
        nothing = {"MQBOARD_SERVER": "", "MQBOARD_TOPIC": ""}
        self.ok("-s", self.server.url, "--prefix", self.b.prefix, "board", "add", "here", env=nothing)
        login = ("-u", "me", "-P", "secret")
        self.ok("-s", self.server.url, "--prefix", "no/body", *login, "board", "add", "gone", env=nothing)
        file = self.directory / "config/mqboard/boards.toml"
        self.assertEqual(file.stat().st_mode & 0o777, 0o600)
        self.assertEqual(self.ok("eval", "6*7", env=nothing).out, b"42\n")
        self.assertEqual(self.ok("board", "list", "--names", env=nothing).text, "gone\nhere\n")
        self.assertNotIn("secret", self.ok("-o", "json", "board", "list", env=nothing).text)
        self.ok("board", "default", "gone", env=nothing)
        self.assertEqual(self.cli("-T", "2", "eval", "1", env=nothing).status, 4)
        self.ok("board", "rm", "gone", env=nothing)
        self.assertEqual(self.cli("eval", "1", env=nothing).status, 2)


if __name__ == "__main__":
    unittest.main()
