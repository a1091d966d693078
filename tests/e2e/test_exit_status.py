#!/usr/bin/env python3
"""Every exit status that docs/CLI.md promises, each brought about by what it stands for."""
import re
import signal
import unittest

from harness import ROOT, EndToEnd, free_port
from proxy import Proxy

MARKER, DAMAGED = b"as it was sent", b"as it arrived!"


class ExitStatus(EndToEnd):
    def setUp(self):
        super().setUp()
        self.server = self.broker()
        self.b = self.board(self.server)

    def status(self, *arguments, says=None, **options):
        result = self.mqboard(self.b, *arguments, **options)
        if says is not None:
            self.assertRegex(result.err, says)
            self.assertEqual(result.err.count("\n"), 1, f"one line: {result.err}")
        return result.status

    def script(self, text):
        path = self.directory / "script.py"
        path.write_text(text)
        return path

    def test_each_documented_status_is_tested_here(self):
        table = re.search(r"\| status \| \|\n(?:\|.*\n)+", (ROOT / "docs/CLI.md").read_text())[0]
        documented = {int(number) for number in re.findall(r"^\| (\d+) \|", table, re.M)}
        tested = {int(number) for name in dir(self) for number in re.findall(r"^test_(\d+)_", name)}
        self.assertEqual(tested, documented)
        self.assertEqual(documented, {int(n) for n in re.findall(r"^  (\d+)  ", self.help_of_statuses(), re.M)})

    def help_of_statuses(self):
        return self.check(self.mqboard(self.b, "--help")).text.partition("Exit status:")[2].partition("Examples:")[0]

    def test_0_when_it_is_done(self):
        self.assertEqual(self.status("eval", "1"), 0)
        self.assertEqual(self.status("--help"), 0)

    def test_1_when_the_board_reports_an_error(self):
        self.assertEqual(self.status("eval", "1/0"), 1)
        self.assertEqual(self.status("cat", "/missing", says="^mqboard: /missing: No such file or directory$"), 1)
        self.assertEqual(self.status("crash", "get", "none", says="no crash report 'none'"), 1)
        for verb in ("status", "list", "confirm", "rollback"):
            self.assertEqual(self.status("ota", verb, says="has no firmware slots"), 1)

    def test_2_when_the_call_or_a_local_file_is_wrong(self):
        self.assertEqual(self.status("frobnicate", says="'frobnicate' is no verb"), 2)
        self.assertEqual(self.status("put", self.directory / "missing", says="cannot open .*missing"), 2)
        self.assertEqual(self.status("-b", "unknown", "ls", says="no board 'unknown'"), 2)

    def test_3_when_the_broker_is_not_to_be_had(self):
        nowhere = {"MQBOARD_SERVER": f"mqtt://127.0.0.1:{free_port()}"}
        self.assertEqual(self.status("eval", "1", env=nowhere, says="broker .*: Connection refused"), 3)
        plain = {"MQBOARD_SERVER": self.server.url.replace("mqtt:", "mqtts:")}
        self.assertEqual(self.status("eval", "1", env=plain, says="TLS"), 3)

    def test_4_when_the_board_does_not_answer(self):
        self.assertEqual(self.status("-T", "2", "--topic", "no/such", "ls", says="no answer from board no/such"), 4)
        self.b.process.kill(signal.SIGTERM)
        self.assertEqual(self.status("ls", says="gateway/test"), 4)

    def test_5_when_what_arrived_is_not_what_was_sent(self):
        proxy = Proxy(self.server.port, change=lambda data: data.replace(MARKER, DAMAGED))
        self.addCleanup(proxy.close)
        through = {"MQBOARD_SERVER": proxy.url}
        content = b"." * 1000 + MARKER + b"." * 30_000  # over v1, small files are not hashed
        (self.b.flash / "file").write_bytes(content)
        local = self.directory / "local"
        local.write_bytes(content)
        for protocol in ("v1", "v2"):
            with self.subTest(protocol):
                target = self.directory / "target"
                got = ("--protocol", protocol, "-T", "5", "get", "/file", target)
                self.assertEqual(self.status(*got, env=through, says="^mqboard: .*/file"), 5)
                self.assertFalse(target.exists(), "nothing damaged is left under the name")
        (self.b.flash / "other").write_bytes(b"old")
        self.assertEqual(self.status("-T", "5", "put", local, "/other", env=through, says="^mqboard: .*/other"), 5)
        self.assertEqual((self.b.flash / "other").read_bytes(), b"old")

    def test_130_when_ctrl_c_ends_it(self):
        view = self.start_mqboard(self.b, "-v", "view")
        self.assertIn(b"connected", view.stderr.readline())
        view.send_signal(signal.SIGINT)
        _, err = view.communicate(timeout=30)
        self.assertEqual((view.returncode, err), (130, b"mqboard: interrupted\n"))

    def test_a_script_ends_with_its_own_status(self):
        for source, status in (("", 0), ("import sys\nsys.exit(0)", 0), ("import sys\nsys.exit(77)", 77),
                               ("import sys\nsys.exit('why')", 1), ("raise SystemExit", 0)):
            self.assertEqual(self.status("run", self.script(source)), status, source)
        self.assertEqual(self.status("exec", "-", stdin=b"import sys\nsys.exit(9)"), 9)


if __name__ == "__main__":
    unittest.main()
