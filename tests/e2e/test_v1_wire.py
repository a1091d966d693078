#!/usr/bin/env python3
"""Our board answers v1 requests, byte for byte, as the recorded conversations of the original system show."""
import hashlib
import itertools
import json
import unittest

from harness import EndToEnd

P = "gateway/test"
IDS = (f"tst{number:05d}" for number in itertools.count())


class V1Wire(EndToEnd):
    def setUp(self):
        super().setUp()
        self.server = self.broker()
        self.b = self.board(self.server, P, files={"g1/small": "hello\n", "g1/empty": "",
                                                   "g1/f5000": bytes(i * 7 % 251 for i in range(5000))})
        self.wire = self.peer(self.server, f"{P}/mqb/reply/#")

    def request(self, command, payload, tail=None, retain=False):
        id_ = next(IDS)
        topic = f"{P}/mqb/cmd/{command}/{id_}" + (f"/{tail}" if tail is not None else "")
        for part in payload if isinstance(payload, list) else [payload]:
            self.wire.publish(topic, part, retain=retain)
        return id_

    def replies(self, id_, count=1):
        return self.wire.wait_count(count, lambda m: m.topic.endswith(f"/{id_}"))

    def out(self, id_, *payloads):
        got = self.replies(id_, len(payloads))
        self.assertEqual([m.payload for m in got], list(payloads))
        for message in got:
            self.assertEqual(message.topic, f"{P}/mqb/reply/out/{id_}")
            self.assertFalse(message.retain)
            self.assertEqual(message.qos, 1)

    def err(self, id_):
        message = self.replies(id_)[0]
        self.assertEqual(message.topic, f"{P}/mqb/reply/err/{id_}")
        return message.payload.decode()

    def test_eval_of_an_expression_replies_its_repr(self):
        self.out(self.request("eval", b"\x80\x0045+876"), b"\xff\xff921")
        self.out(self.request("eval", b"\x80\x00'a'+'b'"), b"\xff\xff'ab'")
        self.out(self.request("eval", b"\x80\x00None"), b"\xff\xffNone")

    def test_eval_of_statements_replies_the_captured_output(self):
        self.out(self.request("eval", b"\x80\x00import sys; print(sys.implementation.name)"), b"\xff\xffmicropython\n")

    def test_eval_with_the_watchdogs_trailing_slash_is_answered(self):
        self.out(self.request("eval", b"\x80\x001+1", tail=""), b"\xff\xff2")

    def test_long_output_comes_as_one_reply_outside_the_sequence(self):
        reply = self.replies(self.request("eval", b"\x80\x00\"x\"*5000"))[0].payload
        self.assertEqual(len(reply), 5004)
        self.assertEqual(hashlib.sha256(reply).hexdigest(),
                         "80d8ba0b04e6e90c978fdb80323b05b0994aefeeb86812fc8a7b9e345797c7e1")

    def test_a_source_longer_than_the_originals_limit_is_evaluated(self):
        text = "x" * 40_000
        self.out(self.request("eval", b"\x80\x00len('" + text.encode() + b"')"), b"\xff\xff40000")

    def test_an_exception_is_a_raw_traceback_on_the_error_topic(self):
        text = self.err(self.request("eval", b"\x80\x001/0"))
        self.assertTrue(text.startswith("Traceback (most recent call last):\n"), text)
        self.assertTrue(text.rstrip().endswith("ZeroDivisionError: divide by zero"), text)

    def test_get_streams_chunks_of_2800_and_an_empty_last(self):
        content = bytes(i * 7 % 251 for i in range(5000))
        self.out(self.request("get", b"\x80\x00", "/g1/f5000"), b"\x00\x00" + content[:2800],
                 b"\x00\x01" + content[2800:], b"\x80\x02")
        self.out(self.request("get", b"\x80\x00", "/g1/small"), b"\x00\x00hello\n", b"\x80\x01")
        self.out(self.request("get", b"\x80\x00", "g1/small"), b"\x00\x00hello\n", b"\x80\x01")
        self.out(self.request("get", b"\x80\x00", "/g1/empty"), b"\x80\x00")

    def test_get_of_a_missing_file_is_enoent(self):
        self.assertIn("ENOENT", self.err(self.request("get", b"\x80\x00", "/g1/nothere")))

    def put(self, path, content, chunk=1400):
        pieces = [content[i:i + chunk] for i in range(0, len(content), chunk)] or [b""]
        return self.request("put", [(number | (0x8000 if number == len(pieces) - 1 else 0)).to_bytes(2, "big") + piece
                                    for number, piece in enumerate(pieces)], path)

    def test_put_replies_ok_once_the_file_is_stored(self):
        for size in (0, 6, 1400, 5000):
            content = bytes(i % 253 for i in range(size))
            self.out(self.put(f"/g1/p{size}", content), b"\xff\xffOK")
            self.assertEqual((self.b.flash / f"g1/p{size}").read_bytes(), content)

    def test_put_into_a_missing_directory_is_enoent_and_leaves_nothing(self):
        before = sorted(self.b.flash.rglob("*"))
        self.assertIn("ENOENT", self.err(self.put("/nodir/x", b"hello\n")))
        self.assertEqual(sorted(self.b.flash.rglob("*")), before)

    def test_a_large_put_is_acknowledged_every_eighth_message(self):
        content = bytes(i % 256 for i in range(1400 * 80 + 5))
        id_ = self.put("/big", content)
        self.out(id_, *(b"\xff\xffSEQ %d" % number for number in range(8, 80, 8)), b"\xff\xffOK")
        self.assertEqual((self.b.flash / "big").read_bytes(), content)

    def test_a_duplicated_message_is_ignored_and_a_duplicated_last_is_answered_again(self):
        parts = [b"\x00\x00one", b"\x00\x01two", b"\x00\x01two", b"\x80\x02three", b"\x80\x02three"]
        id_ = self.request("put", parts, "/twice")
        payloads = [m.payload for m in self.wire.wait_count(
            2, lambda m: m.topic.endswith(id_) and m.payload == b"\xff\xffOK")]
        self.assertEqual(payloads, [b"\xff\xffOK"] * 2)
        self.assertEqual((self.b.flash / "twice").read_bytes(), b"onetwothree")

    def test_a_gap_is_reported_once_and_the_stream_is_dead(self):
        id_ = self.request("put", [b"\x00\x00one", b"\x00\x03four", b"\x80\x04five"], "/gap")
        self.assertTrue(self.err(id_).startswith("MQRepl protocol error put:"))
        self.out(self.request("eval", b"\x80\x001"), b"\xff\xff1")  # a barrier: everything before it was handled
        self.assertEqual(len([m for m in self.wire.messages if m.topic.endswith(id_) and "/err/" in m.topic]), 1)
        self.assertFalse((self.b.flash / "gap").exists())

    def test_an_unknown_command_and_a_headerless_request_are_refused_by_name(self):
        self.assertEqual(self.err(self.request("nosuch", b"\x80\x00")), "Command 'nosuch' not supported")
        self.assertTrue(self.err(self.request("eval", b"\x80")).startswith("MQRepl protocol error eval:"))

    def test_a_retained_command_is_not_executed(self):
        id_ = next(IDS)
        topic = f"{P}/mqb/cmd/eval/{id_}"
        self.wire.publish(topic, b"\x80\x00open('/ran','w').close()", retain=True)
        self.wire.wait_count(1, lambda m: m.topic.endswith(id_))  # delivered live: executed once
        (self.b.flash / "ran").unlink()
        self.wire.clear()
        self.b.restart()
        self.wait_online(self.b)
        text = self.err(id_)
        self.assertIn("retained", text)
        self.assertFalse((self.b.flash / "ran").exists())
        self.wire.publish(topic, b"", retain=True)

    def test_what_the_originals_cli_synthesises_works(self):
        for source, expected in ((b"import uos; print(list(uos.ilistdir('/g1'))[0].__class__.__name__)", b"tuple\n"),
                                 (b"import uos; print(sorted(e[0] for e in uos.ilistdir('/g1')))",
                                  b"['empty', 'f5000', 'small']\n"),
                                 (b"import uos; print([len(e) for e in uos.ilistdir('/g1')])", b"[4, 4, 4]\n"),
                                 (b"import uos; uos.mkdir('/nd'); uos.rmdir('/nd')", b""),
                                 (b"import uos; uos.remove('/g1/empty')", b""),
                                 (b"import uhashlib, ubinascii; h=uhashlib.sha1(); h.update(b'abc'); "
                                  b"print(ubinascii.hexlify(h.digest()).decode())",
                                  b"a9993e364706816aba3e25717850c26c9cd0d89d\n")):
            self.out(self.request("eval", b"\x80\x00" + source), b"\xff\xff" + expected)

    def test_the_status_is_retained_and_the_will_sets_it_offline(self):
        late = self.peer(self.server, f"{P}/mqb/status")
        first = late.wait_for(lambda m: m.topic.endswith("/status"))
        self.assertTrue(first.retain)
        status = json.loads(first.payload)
        self.assertTrue(status["online"])
        self.b.process.kill()
        late.wait_for(lambda m: not m.retain and json.loads(m.payload)["online"] is False, "the last will")


if __name__ == "__main__":
    unittest.main()
