#!/usr/bin/env python3
"""A board and its operator reach the broker through ws:// and wss://, and come back when the broker does."""
import unittest

from harness import EndToEnd, free_port


class WebSocket(EndToEnd):
    def setUp(self):
        super().setUp()
        self.ws, self.wss = free_port(), free_port()
        self.certs = self.certificates()
        self.server = self.broker(extra=(
            f"listener {self.ws} 127.0.0.1", "protocol websockets",
            f"listener {self.wss} 127.0.0.1", "protocol websockets", f"cafile {self.certs.ca}",
            f"certfile {self.certs.server}", f"keyfile {self.certs.server_key}"))
        self.b = self.board(self.server, mqtt=f'server = "wss://localhost:{self.wss}"\ncafile = "{self.certs.ca}"')

    def operator(self, server):
        return {"MQBOARD_SERVER": server, "MQBOARD_TIMEOUT": "30"}

    def test_operated_through_both(self):
        plain = self.operator(f"ws://127.0.0.1:{self.ws}/mqtt")
        secure = self.operator(f"wss://localhost:{self.wss}") | {"MQBOARD_CAFILE": str(self.certs.ca)}
        for environment in (plain, secure):
            self.assertEqual(self.check(self.mqboard(self.b, "eval", "45+876", env=environment)).text, "921\n")

    def test_board_comes_back(self):
        self.server.restart()
        self.wait_online(self.b)
        plain = self.operator(f"ws://127.0.0.1:{self.ws}")
        self.assertEqual(self.check(self.mqboard(self.b, "eval", "45+876", env=plain)).text, "921\n")

    def test_plain_listener_is_named(self):
        result = self.mqboard(self.b, "eval", "1", env=self.operator(f"ws://127.0.0.1:{self.server.port}"))
        self.assertEqual(result.status, 3, result)
        self.assertIn(f"127.0.0.1:{self.server.port}", result.err)
        self.assertIn("WebSocket", result.err)


if __name__ == "__main__":
    unittest.main()
