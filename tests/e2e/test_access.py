#!/usr/bin/env python3
"""A broker that allows each what docs/BOARD.md says, and no more; and one that does not let a board work."""
import re
import unittest

from harness import ROOT, Board, EndToEnd

USERS = {"board": "board-pw", "operator": "operator-pw"}
SECRETS = '[mqtt]\npassword = "board-pw"\n'
OPERATOR = {"MQBOARD_USERNAME": "operator", "MQBOARD_PASSWORD": "operator-pw"}
DOCUMENTED = re.compile(r"^## Access at the broker$.*?^```\n(.*?)^```$", re.MULTILINE | re.DOTALL)


class Access(EndToEnd):
    def with_access(self, lists, config=""):
        file = self.directory / "acl"
        file.write_text(lists)
        server = self.broker(passwords=USERS, extra=[f"acl_file {file}"])
        board = Board(self.directory, server, mqtt='user = "board"\n', secrets=SECRETS, config=config,
                      files={"main.py": "print('runs')\n"})
        self.addCleanup(lambda: board.process.close())
        log = self.peer(server, "gateway/test/log", user="operator", password="operator-pw")
        return board, log

    def test_what_the_documentation_lists_is_enough(self):
        text = (ROOT / "docs/BOARD.md").read_text()
        lists = DOCUMENTED.search(text).group(1).replace("<prefix>", "gateway/test")
        board, log = self.with_access(lists, '[watchdog]\ntimeout = "60s"\nallok = "1s"\n')
        log.wait_for(lambda m: b"in order: manageable for 1 s" in m.payload, "the watchdog's round trip")
        local, back = self.directory / "local", self.directory / "back"
        local.write_bytes(bytes(200_000))
        for arguments in (("eval", "45+876"), ("put", local, "/file"), ("get", "/file", back), ("info",),
                          ("crash", "ls"), ("reset", "--wait"), ("--protocol", "v1", "get", "/file", back), ("ls",)):
            self.check(self.mqboard(board, *arguments, env=OPERATOR))
        self.assertEqual(back.read_bytes(), local.read_bytes())
        self.assertNotIn(b"not manageable", b"".join(m.payload for m in log.messages))

    def test_a_board_that_may_not_hear_its_commands_says_so(self):
        _, log = self.with_access("user board\ntopic write gateway/test/#\nuser operator\ntopic read #\n",
                                  '[watchdog]\ntimeout = "60s"\n')
        said = log.wait_for(lambda m: b"not manageable" in m.payload, "the reason").payload.decode()
        self.assertIn("nothing published beneath gateway/test/mqb/cmd/ comes back: does the broker allow the user "
                      'board to subscribe to it and to publish there? (docs/BOARD.md, "Access', said)

    def test_boards_of_the_same_name_say_so(self):
        server = self.broker()
        log = self.peer(server, "+/+/log")
        names = 'client_id = "twin"\n'
        for prefix in ("gateway/one", "gateway/two"):
            board = Board(self.directory, server, prefix, mqtt=names)
            self.addCleanup(lambda board=board: board.process.close())
        log.wait_for(lambda m: b"is another client called twin?" in m.payload, "the suspicion")


if __name__ == "__main__":
    unittest.main()
