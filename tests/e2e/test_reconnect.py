#!/usr/bin/env python3
"""The broker goes away under a board: the board is back by itself, and what it logged meanwhile arrives."""
import json
import re
import signal
import time
import unittest

from harness import EndToEnd, wait_until
from proxy import Proxy


COUNTER = """
import asyncio, logging, os
async def main():
    number = 0
    while True:
        await asyncio.sleep_ms(20)
        logging.getLogger('count').warning('number %d.', number)
        number += 1
asyncio.run(main())
"""


def packets(stream):
    """The whole MQTT packets of a stream: type and what follows the fixed header."""
    stream = bytes(stream)
    while header := re.match(rb"(.)([\x80-\xff]*[\x00-\x7f])", stream, re.DOTALL):
        length = sum((digit & 0x7F) << 7 * place for place, digit in enumerate(header[2]))
        body, stream = stream[header.end():header.end() + length], stream[header.end() + length:]
        if len(body) == length:
            yield header[1][0] >> 4, body


class Reconnect(EndToEnd):
    def test_back_within_two_seconds_of_the_brokers_return(self):
        server = self.broker(persistence=True)
        board = self.board(server)

        def back_after(how):
            server.stop(how)
            server.start()
            up = time.monotonic()
            self.wait_online_live(server, board)
            taken = time.monotonic() - up
            self.assertEqual(self.check(self.mqboard(board, "eval", "45+876")).text, "921\n")
            return taken

        for how in (signal.SIGTERM, signal.SIGKILL):
            self.assert_at_best(lambda how=how: back_after(how), 2.0)

    def wait_online_live(self, server, board):
        """An eval sent again and again is answered: retained status may be of before the restart."""
        watcher = self.peer(server, f"{board.prefix}/mqb/reply/#")
        number = 0
        while not watcher.messages:
            watcher.publish(f"{board.prefix}/mqb/cmd/eval/back{number:04d}", b"\x80\x001+1")
            number += 1
            try:
                watcher.wait_for(lambda m: True, deadline_s=0.05)
            except AssertionError:
                continue

    def test_what_is_logged_while_the_broker_is_away_arrives_in_order(self):
        server = self.broker()
        board = self.board(server, files={"main.py": COUNTER})
        log = self.peer(server, f"{board.prefix}/log")
        log.wait_for(lambda m: b"number 5." in m.payload)
        server.stop(signal.SIGKILL)
        size = board.process.stderr_path.stat().st_size
        self.assertGreaterEqual(size, 0)
        server.start()
        after = self.peer(server, f"{board.prefix}/log")
        after.wait_for(lambda m: b"number" in m.payload)
        first = self.numbers(after)[0]
        after.wait_for(lambda m: b"number %d." % (first + 20) in m.payload)
        numbers = self.numbers(after)
        self.assertEqual(numbers, list(range(first, first + len(numbers))), "none lost, doubled or out of order")

    def test_what_was_on_its_way_when_the_link_broke_arrives_too(self):
        server = self.broker()
        link = Proxy(server.port, record=True)
        self.addCleanup(link.close)
        board = self.board(server, mqtt=f'server = "{link.url}"\nreconnect_max = 0.5\n', files={"main.py": COUNTER})
        log = self.peer(server, f"{board.prefix}/log")
        for _ in range(4):
            seen = max(self.numbers(log), default=0)
            log.wait_for(lambda m, seen=seen: self.number(m) > seen + 5, "lines over a whole link")
            link.stall()
            held = link.bytes_up
            wait_until(lambda held=held: link.bytes_up > held + 500, "lines that the link holds")
            link.cut()
            link.resume()
        seen = max(self.numbers(log))
        log.wait_for(lambda m: self.number(m) > seen + 20, "lines after the last break")
        numbers = self.numbers(log)
        firsts = list(dict.fromkeys(numbers))
        self.assertEqual(firsts, list(range(firsts[0], firsts[0] + len(firsts))), "none lost or out of order")
        acknowledged = set()
        for connection in link.passed:
            sent = self.sent_lines(connection["bytes_up"])
            self.assertEqual(acknowledged.intersection(sent.values()), set(), "acknowledged, and sent again")
            acknowledged.update(sent[identifier] for kind, body in packets(connection["bytes_down"])
                                if kind == 4 and (identifier := body[:2]) in sent)
        self.assertGreater(len(acknowledged), 0)

    def sent_lines(self, stream):
        """The numbers of the lines that the PUBLISH packets of a stream carry, by packet id."""
        lines = {}
        for kind, body in packets(stream):
            if kind == 3 and (found := re.search(rb"number (\d+)\.", body)):
                end = 2 + int.from_bytes(body[:2])
                self.assertNotIn(body[end:end + 2], lines, "a packet id in use")
                lines[body[end:end + 2]] = int(found[1])
        return lines

    @staticmethod
    def number(message):
        text = message.payload.decode()
        return int(text.split("number ")[1].split(".")[0]) if "number " in text else -1

    @staticmethod
    def numbers(peer):
        found = []
        for message in list(peer.messages):
            for line in message.payload.decode().splitlines():
                if "number " in line:
                    found.append(int(line.split("number ")[1].split(".")[0]))
        return found

    def test_a_board_cut_in_the_middle_of_long_replies_says_that_it_is_online_again(self):
        server = self.broker()
        proxy = Proxy(server.port)
        self.addCleanup(proxy.close)
        board = self.board(server, mqtt=f'server = "{proxy.url}"\n', files={"big": b"x" * 1_000_000})
        watcher = self.peer(server, f"{board.prefix}/mqb/status")
        replies = self.peer(server, f"{board.prefix}/mqb/reply/out/#")
        for number in range(6):
            watcher.publish(f"{board.prefix}/mqb/cmd/get/long{number:04d}/big", b"\x80\x00")
        replies.wait_for(lambda m: True, "the first of the replies")
        proxy.cut()
        wait_until(lambda: [json.loads(m.payload)["online"] for m in list(watcher.messages)][-2:] == [False, True],
                   "the last will, and then the status")

    def asked_of_a_broker_without_the_board(self, persistence, *arguments):
        """What mqboard prints when it asks a broker that was restarted, and the board is not back there yet."""
        server = self.broker(persistence=persistence)
        link = Proxy(server.port)
        self.addCleanup(link.close)
        board = self.board(server, mqtt=f'server = "{link.url}"\nreconnect_max = 0.5\n', files={"main.py": b""})
        if persistence:
            saved = self.directory / "mosquitto.db"
            wait_until(lambda: saved.exists() and b'"online":true' in saved.read_bytes(), "the status on the disk")
        link.stall()
        server.restart(signal.SIGKILL)
        asked = self.peer(server, f"{board.prefix}/mqb/cmd/#")
        call = self.start_mqboard(board, "-T", "60", *arguments)
        asked.wait_for(lambda m: True, "the request")
        link.resume()
        out, err = call.communicate(timeout=30)
        self.assertEqual((call.returncode, err), (0, b""))
        return out.decode()

    def test_what_was_asked_of_a_board_that_was_not_back_yet_is_done_when_it_is(self):
        self.assertEqual(self.asked_of_a_broker_without_the_board(True, "eval", "45+876"), "921\n")

    def test_what_was_asked_of_it_over_a_channel_is_done_too(self):
        self.assertEqual(self.asked_of_a_broker_without_the_board(True, "ls"), "main.py\n")

    def test_what_was_asked_of_a_board_the_broker_forgot_is_done_when_it_is_back(self):
        self.assertEqual(self.asked_of_a_broker_without_the_board(False, "eval", "45+876"), "921\n")

    def test_a_clean_stop_says_offline(self):
        server = self.broker()
        board = self.board(server)
        watcher = self.peer(server, f"{board.prefix}/mqb/status")
        self.assertEqual(board.process.kill(signal.SIGTERM), 0)
        watcher.wait_for(lambda m: json.loads(m.payload)["online"] is False)


if __name__ == "__main__":
    unittest.main()
