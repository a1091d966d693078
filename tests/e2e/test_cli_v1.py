#!/usr/bin/env python3
"""mqboard against boards that run the Python mqboard: verbs through a real mosquitto, and recorded conversations."""
import hashlib
import json
import random
import signal
import unittest

from fake_v1_board import Board as FakeV1Board
from harness import EndToEnd, Peer, free_port

P = "esp32/test"


class V1Cli(EndToEnd):
    def setUp(self):
        super().setUp()
        self.server = self.broker()
        self.prefix = P
        self.flash = self.directory / "flash"
        self.flash.mkdir()

    def start_board(self):
        board = FakeV1Board(self.server.port, P, self.flash)
        board.start()
        self.addCleanup(board.close)
        return board

    def run_cli(self, *arguments, **options):
        target = type("Target", (), {"broker": self.server, "prefix": P})
        return self.mqboard(target, *arguments, **options)

    def refused(self, status, *names, arguments):
        result = self.run_cli(*arguments)
        self.assertEqual((result.status, result.out), (status, b""), result)
        self.assertEqual(result.err.count("\n"), 1, result.err)
        for name in names:
            self.assertIn(str(name), result.err)


class Verbs(V1Cli):
    def setUp(self):
        super().setUp()
        self.b = self.start_board()

    def test_eval_prints_the_value_or_the_output(self):
        self.assertEqual(self.check(self.run_cli("eval", "45+876")).out, b"921\n")
        self.assertEqual(self.check(self.run_cli("eval", "print('a'); print('b')")).out, b"a\nb\n")
        self.assertEqual(self.check(self.run_cli("eval", "x = 1")).out, b"")
        self.assertEqual(self.check(self.run_cli("eval", "-", stdin=b"for i in range(3): print(i)")).out, b"0\n1\n2\n")
        self.assertEqual(json.loads(self.check(self.run_cli("-o", "json", "eval", "'a'*3")).out), {"result": "'aaa'"})
        long = self.check(self.run_cli("eval", "'x'*100000"))
        self.assertEqual(long.out, b"'" + b"x" * 100_000 + b"'\n")

    def test_an_exception_is_status_1_with_its_traceback_on_stderr(self):
        result = self.run_cli("eval", "1/0")
        self.assertEqual((result.status, result.out), (1, b""))
        self.assertIn("Traceback (most recent call last):", result.err)
        self.assertIn("ZeroDivisionError", result.err)
        error = json.loads(self.run_cli("-o", "json", "eval", "1/0").err)
        self.assertEqual(error["status"], 1)
        self.assertIn("ZeroDivisionError", error["detail"])

    def test_exec_runs_a_file_as_statements(self):
        script = self.directory / "script.py"
        script.write_text("print('only one expression')")
        self.assertEqual(self.check(self.run_cli("exec", script)).out, b"only one expression\n")

    def test_files_and_directories(self):
        local = self.directory / "local name"
        local.write_bytes(b"content\n")
        self.check(self.run_cli("mkdir", "-p", "/a/b c/it's"))
        self.check(self.run_cli("mkdir", "-p", "/a"))
        self.check(self.run_cli("put", local, "/a/"))
        self.check(self.run_cli("mv", "/a/local name", "/a/b c"))
        self.check(self.run_cli("mv", "/a/b c/local name", "/a/b c/new"))
        self.assertEqual((self.flash / "a/b c/new").read_bytes(), b"content\n")
        self.assertEqual(self.check(self.run_cli("ls", "/a")).text, "b c/\n")
        self.assertEqual(self.check(self.run_cli("ls", "-r", "/a")).text, "/a/b c/\n/a/b c/it's/\n/a/b c/new\n")
        listed = json.loads(self.check(self.run_cli("-o", "json", "ls", "--sha", "-r", "/a")).out)
        self.assertEqual(listed[-1], {"path": "/a/b c/new", "type": "file", "size": 8,
                                      "sha256": hashlib.sha256(b"content\n").hexdigest()})
        self.assertEqual(self.check(self.run_cli("cat", "/a/b c/new", "/a/b c/new")).out, b"content\n" * 2)
        self.check(self.run_cli("rmdir", "/a/b c/it's"))
        self.check(self.run_cli("rm", "/a/b c/new"))
        self.check(self.run_cli("rm", "-r", "/a"))
        self.check(self.run_cli("rm", "-f", "/a"))
        self.assertEqual(list(self.flash.iterdir()), [])

    def test_transfers_of_all_sizes_are_identical_and_silent_in_a_pipe(self):
        for size in (0, 1, 1399, 1400, 1401, 2800, 22_400, 22_401, 1_500_000):
            content = random.Random(size).randbytes(size)
            local, back = self.directory / "local", self.directory / "back"
            local.write_bytes(content)
            put = self.check(self.run_cli("put", local, "/file"))
            self.assertEqual((put.out, put.err), (b"", ""))
            self.assertEqual((self.flash / "file").read_bytes(), content)
            get = self.check(self.run_cli("get", "/file", back))
            self.assertEqual((get.out, get.err), (b"", ""))
            self.assertEqual(back.read_bytes(), content)
        self.assertEqual([entry.name for entry in self.flash.iterdir()], ["file"])
        self.check(self.run_cli("put", "-", "/piped", stdin=content))
        self.assertEqual(self.check(self.run_cli("get", "/piped", "-")).out, content)

    def test_a_large_put_keeps_few_messages_under_way(self):
        content = bytes(1400 * 400)
        wire = self.peer(self.server, f"{P}/mqb/cmd/#", f"{P}/mqb/reply/#")
        local = self.directory / "local"
        local.write_bytes(content)
        self.check(self.run_cli("put", local, "/file"))
        pieces = evals = 0
        for message in list(wire.messages):
            pieces += "/cmd/put/" in message.topic
            evals += "/reply/out/" in message.topic and message.payload == b"\xff\xff0"
            self.assertLessEqual(pieces, 32 * (evals + 2))
        self.assertEqual(pieces, 400)

    def test_a_larger_put_is_verified_on_the_board_and_replaces_the_file_at_once(self):
        (self.flash / "file").write_bytes(b"old")
        board_put = self.b.do_put

        def damaging(path, data, sequence, last):
            return board_put(path, data if sequence != 20 else bytes(len(data)), sequence, last)

        self.b.do_put = damaging
        local = self.directory / "local"
        local.write_bytes(random.Random(1).randbytes(100_000))
        self.refused(5, "/file", arguments=("put", local, "/file"))
        self.assertEqual((self.flash / "file").read_bytes(), b"old")
        self.assertEqual([entry.name for entry in self.flash.iterdir()], ["file"])

    def test_errors_are_one_line_that_names_the_thing(self):
        (self.flash / "dir").mkdir()
        (self.flash / "dir/inner").write_text("x")
        (self.flash / "file").write_text("x")
        self.refused(1, "/nosuch", "No such file", arguments=("cat", "/nosuch"))
        self.refused(1, "/nosuch", "No such file", arguments=("get", "/nosuch", self.directory / "x"))
        self.assertFalse((self.directory / "x").exists())
        self.refused(1, "/nosuch", "No such file", arguments=("ls", "/nosuch"))
        self.refused(1, "/nosuch", "No such file", arguments=("rm", "/nosuch"))
        self.refused(1, "/dir", "s a directory", arguments=("rm", "/dir"))
        self.refused(1, "/dir", "not empty", arguments=("rmdir", "/dir"))
        self.refused(1, "/file", "Not a directory", arguments=("rmdir", "/file"))
        self.refused(1, "/dir", "xists", arguments=("mkdir", "/dir"))
        self.refused(1, "/file", "Not a directory", arguments=("mkdir", "-p", "/file/sub"))
        self.refused(1, "/dir", "s a directory", arguments=("put", __file__, "/dir"))
        self.refused(1, "/nodir/x", "No such file", arguments=("put", __file__, "/nodir/x"))
        self.refused(1, "interrupt", "not support", arguments=("interrupt",))
        self.refused(2, "nothere", arguments=("put", self.directory / "nothere", "/x"))
        self.refused(2, self.directory, arguments=("put", self.directory, "/x"))
        self.refused(2, "nodir/x", arguments=("get", "/file", self.directory / "nodir/x"))
        self.refused(2, "root", arguments=("rm", "-r", "/"))

    def test_info_says_what_the_board_is(self):
        info = json.loads(self.check(self.run_cli("-o", "json", "info")).out)
        self.assertEqual((info["board"], info["machine"]), (P, "Fake board with CPython"))

    def test_view_shows_messages_as_they_come_and_ends_after_the_count(self):
        view = self.start_mqboard(type("Target", (), {"broker": self.server, "prefix": P}), "view", "-n", "2")
        self.addCleanup(view.kill)
        while view.poll() is None:  # until it is subscribed, what is logged is not for it
            self.b.log("W 12 main: hot\n")
        out, err = view.communicate()
        self.assertEqual((view.returncode, out, err), (0, b"W 12 main: hot\n" * 2, b""))

    def test_view_json_has_severity_and_name(self):
        view = self.start_mqboard(type("Target", (), {"broker": self.server, "prefix": P}), "view", "-n", "1", "--json")
        self.addCleanup(view.kill)
        while view.poll() is None:
            self.b.log("E 12 main: on fire\nTraceback\n")
        line = json.loads(view.communicate()[0])
        self.assertEqual((line["level"], line["name"], line["message"], line["topic"]),
                         ("error", "main", "on fire\nTraceback", f"{P}/log"))

    def test_ctrl_c_ends_a_get_and_leaves_nothing(self):
        self.b.do_get = lambda *_: None  # never answers
        target = type("Target", (), {"broker": self.server, "prefix": P})
        wire = self.peer(self.server, f"{P}/mqb/cmd/#")
        get = self.start_mqboard(target, "get", "/file", self.directory / "back")
        self.addCleanup(get.kill)
        wire.wait_for(lambda m: "/get/" in m.topic)
        get.send_signal(signal.SIGINT)
        out, err = get.communicate(timeout=30)
        self.assertEqual((get.returncode, out), (130, b""), err)
        self.assertEqual([entry.name for entry in self.directory.iterdir() if "back" in entry.name], [])


class NoBoard(V1Cli):
    def test_nobody_there_is_status_4_after_the_timeout(self):
        for verb in (("eval", "1"), ("ls",), ("get", "/x", "-")):
            self.refused(4, P, f"127.0.0.1:{self.server.port}", arguments=("-T", "2", *verb))

    def test_a_board_that_announced_its_end_is_status_4_at_once(self):
        peer = self.peer(self.server)
        status = {"online": False, "reason": "stopped", "connected_at": 1777900455}
        peer.publish(f"{P}/mqb/status", json.dumps(status), retain=True)
        watcher = self.peer(self.server, f"{P}/mqb/status")
        watcher.wait_for(lambda m: True)  # retained, or passed on: either way the broker has it
        for verb in (("eval", "1"), ("ls",)):
            self.refused(4, P, "offline since 2026-05-04", "stopped", arguments=("-T", "30", *verb))

    def test_no_broker_is_status_3(self):
        port = free_port()
        self.refused(3, f"127.0.0.1:{port}", arguments=("-s", f"127.0.0.1:{port}", "eval", "1"))

    def test_no_prefix_is_status_2(self):
        result = self.run_cli("eval", "1", env={"MQBOARD_TOPIC": ""})
        self.assertEqual((result.status, result.out), (2, b""), result)

    def test_a_profile_names_broker_and_board(self):
        board = self.start_board()
        config = self.directory / "config/mqboard"
        config.mkdir(parents=True)
        (config / "boards.toml").write_text(
            f'default = "here"\n[here]\nserver = "127.0.0.1"\nport = {self.server.port}\nprefix = "{P}"\n'
            f'[gone]\nserver = "{self.server.url}"\nprefix = "no/body"\n')
        nothing = {"MQBOARD_SERVER": "", "MQBOARD_TOPIC": ""}
        self.assertEqual(self.check(self.run_cli("eval", "6*7", env=nothing)).out, b"42\n")
        self.assertEqual(self.run_cli("-b", "gone", "-T", "2", "eval", "1", env=nothing).status, 4)
        self.assertEqual(self.run_cli("-b", "unknown", "eval", "1", env=nothing).status, 2)
        named = self.run_cli("-b", "gone", "-T", "2", "eval", "1")
        self.assertEqual(named.status, 4, "-b is the board's address given on the command line")
        board.close()


# Conversations of the original system: what its CLI sent and its board replied, ids and long payloads shortened.
MISSING = (b'Traceback (most recent call last):\n  File "mqrepl.py", line 324, in _msg_cb\n'
           b'  File "mqrepl.py", line %d, in %s\nOSError: [Errno 2] ENOENT\n')
F5000 = bytes(i * 7 % 251 for i in range(5000))


class Recorded(V1Cli):
    """mqboard sends what the original's CLI sent, and takes the original board's replies as that did."""

    def converse(self, arguments, topic, requests, replies, status=0):
        wire = Peer(self.server, f"{P}/mqb/cmd/#")
        self.addCleanup(wire.close)
        process = self.start_mqboard(type("Target", (), {"broker": self.server, "prefix": P}), *arguments)
        self.addCleanup(process.kill)
        got = wire.wait_count(len(requests))
        identity = got[0].topic.split("/")[5]
        self.assertRegex(identity, "^[A-Za-z0-9_-]{8}$")
        for message, expected in zip(got, requests):
            self.assertEqual((message.topic, message.payload, message.qos, message.retain),
                             (f"{P}/mqb/cmd/{topic.replace('ID', identity)}", expected, 1, False))
        for kind, payload in replies:
            wire.publish(f"{P}/mqb/reply/{kind}/{identity}", payload)
        out, err = process.communicate(timeout=30)
        self.assertEqual(process.returncode, status, err)
        return out, err.decode()

    def test_eval(self):
        self.assertEqual(self.converse(["eval", "45+876"], "eval/ID", [b"\x80\x0045+876"], [("out", b"\xff\xff921")]),
                         (b"921\n", ""))
        statements = "import sys; print(sys.implementation)"
        self.assertEqual(self.converse(["eval", statements], "eval/ID", [b"\x80\x00" + statements.encode()],
                                       [("out", b"\xff\xff(name='micropython', version=(1, 12, 0))\r\n")]),
                         (b"(name='micropython', version=(1, 12, 0))\r\n", ""))
        long = b"'" + b"x" * 5000 + b"'"
        self.assertEqual(self.converse(["eval", '"x"*5000'], "eval/ID", [b'\x80\x00"x"*5000'],
                                       [("out", b"\xff\xff" + long)]), (long + b"\n", ""))
        traceback = "Traceback (most recent call last):\nZeroDivisionError: divide by zero\n"
        self.assertEqual(self.converse(["eval", "1/0"], "eval/ID", [b"\x80\x001/0"], [("err", traceback)], status=1),
                         (b"", traceback))

    def test_get(self):
        def get(path, *replies, status=0):
            return self.converse(["get", path, "-"], f"get/ID/{path}", [b"\x80\x00"], replies, status)

        self.assertEqual(get("/g1/small", ("out", b"\x00\x00hello\n"), ("out", b"\x80\x01")), (b"hello\n", ""))
        self.assertEqual(get("/g1/empty", ("out", b"\x80\x00")), (b"", ""))
        self.assertEqual(get("/g1/f5000", ("out", b"\x00\x00" + F5000[:2800]), ("out", b"\x00\x01" + F5000[2800:]),
                             ("out", b"\x80\x02")), (F5000, ""))
        self.assertEqual(get("/g1/nothere", ("err", MISSING % (213, b"_do_get")), status=1),
                         (b"", "mqboard: /g1/nothere: No such file or directory\n"))

    def test_get_with_a_lost_piece_is_damaged_not_done(self):
        out, err = self.converse(["get", "/f", self.directory / "f"], "get/ID//f", [b"\x80\x00"],
                                 [("out", b"\x00\x00abc"), ("out", b"\x00\x02ghi"), ("out", b"\x80\x03")], status=5)
        self.assertEqual((out, err.count("\n")), (b"", 1))
        self.assertFalse((self.directory / "f").exists())

    def test_put(self):
        def put(content, path, *replies, status=0):
            local = self.directory / "local"
            local.write_bytes(content)
            pieces = [content[i:i + 1400] for i in range(0, len(content), 1400)] or [b""]
            last = len(pieces) - 1
            requests = [((0x8000 if n == last else 0) | n).to_bytes(2, "big") + piece for n, piece in enumerate(pieces)]
            return self.converse(["put", local, path], f"put/ID/{path}", requests, replies, status)

        for content in (b"hello\n", b"", F5000[:1400], F5000):
            self.assertEqual(put(content, "/g1/file", ("out", b"\xff\xffOK")), (b"", ""))
        self.assertEqual(put(b"hello\n", "/nodir/x", ("err", MISSING % (221, b"_do_put")), status=1),
                         (b"", "mqboard: /nodir/x: No such file or directory\n"))


if __name__ == "__main__":
    unittest.main()
