#!/usr/bin/env python3
"""What goes wrong is said in one line that names the thing, with the documented exit status; nothing is left behind."""
import os
import unittest

from harness import EndToEnd, free_port

USERS = {"board": "board-pw", "operator": "operator-pw"}


class Errors(EndToEnd):
    def setUp(self):
        super().setUp()
        self.certs = self.certificates()
        self.server = self.broker(certificates=self.certs, passwords=USERS)
        self.b = self.board(self.server, mqtt='user = "board"', secrets='[mqtt]\npassword = "board-pw"\n',
                            watch_as={"user": "operator", "password": "operator-pw"}, board='flash_size = "1MB"',
                            files={"file": "content", "dir/inner": "x"})
        self.operator = {"MQBOARD_USERNAME": "operator", "MQBOARD_PASSWORD": "operator-pw", "MQBOARD_TIMEOUT": "3"}

    def refused(self, status, *names, arguments=("eval", "1"), env=None, board=None):
        """One line on stderr that names each of `names`, nothing on stdout, and that status."""
        result = self.mqboard(board or self.b, *arguments, env=self.operator | (env or {}))
        self.assertEqual((result.status, result.out), (status, b""), result)
        self.assertEqual(result.err.count("\n"), 1, result.err)
        for name in names:
            self.assertIn(str(name), result.err)
        return result.err

    def test_right_password_works(self):
        self.assertEqual(self.check(self.mqboard(self.b, "eval", "45+876", env=self.operator)).text, "921\n")

    def test_wrong_password(self):
        self.refused(3, "127.0.0.1", "operator", env={"MQBOARD_PASSWORD": "wrong"})

    def test_no_broker(self):
        port = free_port()
        self.refused(3, "127.0.0.1", port, env={"MQBOARD_SERVER": f"mqtt://127.0.0.1:{port}"})

    def test_no_such_board(self):
        self.refused(4, "gateway/nobody", arguments=("--topic", "gateway/nobody", "-T", "2", "eval", "1"))

    def test_a_board_that_is_offline_is_named_at_once(self):
        self.b.process.kill()
        self.refused(4, self.b.prefix, "offline", arguments=("ls",))

    def test_tls_with_the_right_ca_works_and_with_a_wrong_one_is_refused(self):
        tls = {"MQBOARD_SERVER": self.server.tls_url}
        right = self.mqboard(self.b, "--cafile", self.certs.ca, "eval", "45+876", env=self.operator | tls)
        self.assertEqual(self.check(right).text, "921\n")
        wrong = self.certificates("other").ca
        self.refused(3, "certificate", arguments=("--cafile", wrong, "eval", "1"), env=tls)
        missing = self.directory / "nosuch.crt"
        self.refused(2, missing, arguments=("--cafile", missing, "eval", "1"), env=tls)

    def test_missing_files_and_directories(self):
        self.refused(1, "/nosuch", arguments=("get", "/nosuch", self.directory / "x"))
        self.assertFalse((self.directory / "x").exists())
        self.refused(1, "/nosuch", arguments=("cat", "/nosuch"))
        self.refused(1, "/nosuch", arguments=("ls", "/nosuch"))
        self.refused(1, "/nosuch", arguments=("rm", "/nosuch"))
        self.refused(2, "nothere", arguments=("put", self.directory / "nothere", "/x"))
        self.refused(1, "/nodir", arguments=("put", __file__, "/nodir/x"))

    def test_a_directory_where_a_file_is_expected(self):
        self.refused(1, "/dir", "irectory", arguments=("get", "/dir", self.directory / "x"))
        self.refused(1, "/dir", "irectory", arguments=("--protocol", "v1", "put", __file__, "/dir"))
        self.refused(1, "/dir", "irectory", arguments=("rm", "/dir"))
        self.refused(1, "/file", arguments=("rmdir", "/file"))
        self.refused(1, "/dir", arguments=("rmdir", "/dir"))

    def test_paths_cannot_leave_the_flash_directory(self):
        secret = self.b.directory / "secrets.toml"
        os.symlink(secret, self.b.flash / "link")
        os.symlink(self.b.directory, self.b.flash / "linkdir")
        for path in ("../secrets.toml", "/../secrets.toml", "/dir/../../secrets.toml", "/link",
                     "/linkdir/secrets.toml"):
            with self.subTest(path=path):
                for protocol in ("v1", "v2"):
                    self.refused(1, path, arguments=("--protocol", protocol, "get", path, "-"))
                    before = secret.read_text()
                    result = self.mqboard(self.b, "--protocol", protocol, "put", __file__, path, env=self.operator)
                    if path != "/link":  # replacing the link itself is harmless: what it points to stays
                        self.assertEqual(result.status, 1, result)
                    self.assertEqual(secret.read_text(), before)
                result = self.mqboard(self.b, "eval", f"open({path!r}).read()", env=self.operator)
                replaced = path == "/link" and not (self.b.flash / "link").is_symlink()
                self.assertEqual(result.status, 0 if replaced else 1)
                self.assertNotIn(b"board-pw", result.out)

    def test_a_full_flash_is_said_and_leaves_the_old_file(self):
        big = self.directory / "big"
        big.write_bytes(bytes(2_000_000))
        for protocol in ("v1", "v2"):
            self.refused(1, "/file", "space", arguments=("--protocol", protocol, "put", big, "/file"))
            self.assertEqual((self.b.flash / "file").read_text(), "content")
            self.assertEqual(sorted(path.name for path in self.b.flash.iterdir()), ["dir", "file"])

    def test_usage_errors(self):
        for arguments in (("nosuchverb",), ("eval",), ("--port", "70000", "eval", "1"), ("-T", "soon", "eval", "1"),
                          ()):
            with self.subTest(arguments=arguments):
                result = self.mqboard(self.b, *arguments, env=self.operator)
                self.assertEqual((result.status, result.out), (2, b""), result)

    def test_an_exception_of_the_boards_python_is_status_1_with_its_traceback_on_stderr(self):
        result = self.mqboard(self.b, "eval", "1/0", env=self.operator)
        self.assertEqual((result.status, result.out), (1, b""))
        self.assertIn("ZeroDivisionError", result.err)


if __name__ == "__main__":
    unittest.main()
