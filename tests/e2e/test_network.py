#!/usr/bin/env python3
"""A board follows its host's network: in a network namespace of its own, where this test takes the network away."""
import json
import os
import subprocess
import sys
import unittest

from harness import EndToEnd, free_port

ADDRESS = "10.87.65.1"


def ip(*arguments):
    subprocess.run(["ip", *arguments], check=True, capture_output=True)


class Network(EndToEnd):
    def test_the_board_connects_as_soon_as_the_network_is_back(self):
        ip("link", "set", "lo", "up")
        ip("link", "add", "board0", "type", "veth", "peer", "name", "board1")
        for interface in ("board0", "board1"):
            ip("link", "set", interface, "up")
        ip("address", "add", f"{ADDRESS}/24", "dev", "board0")
        port = free_port()
        server = self.broker(extra=(f"listener {port} 0.0.0.0", "allow_anonymous true"))
        log = self.peer(server, "gateway/test/log")
        status = self.peer(server, "gateway/test/mqb/status")
        # Without the network's news it would wait for minutes between attempts.
        board = self.board(server, mqtt=f'server = "mqtt://{ADDRESS}:{port}"\nkeepalive = 2\nresponse_time = 2\n'
                                        'reconnect_max = 300\n')
        told = self.check(self.mqboard(board, "eval", "__import__('network').LAN().ifconfig()[0]"))
        self.assertEqual(told.text, f"'{ADDRESS}'\n")
        ip("address", "flush", "dev", "board0")
        status.wait_for(lambda m: not json.loads(m.payload)["online"], "the last will")
        status.clear()
        ip("address", "add", f"{ADDRESS}/24", "dev", "board0")
        status.wait_for(lambda m: json.loads(m.payload)["online"], "the board")
        log.wait_for(lambda m: b"network: the network is down" in m.payload)
        log.wait_for(lambda m: b"network: the network is up: board0" in m.payload)


if __name__ == "__main__":
    if os.environ.get("MQB_TEST_NAMESPACE") is None:
        rights = ["unshare", "--net"] if os.geteuid() == 0 else ["unshare", "--map-root-user", "--net"]
        if subprocess.run([*rights, "ip", "link", "add", "x", "type", "veth"], capture_output=True).returncode != 0:
            print("skipped: this system allows no network namespaces with virtual interfaces")
            sys.exit(0)
        os.execvpe("unshare", [*rights, sys.executable, "-B", *sys.argv], os.environ | {"MQB_TEST_NAMESPACE": "1"})
    unittest.main()
