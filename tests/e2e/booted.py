"""A board under mqboot: the real mqboot runs the real mqboardd, from the factory executable or from slots."""
import json
import os
import pathlib
import re
import signal
import subprocess

from harness import BIN, Board, EndToEnd, Peer, Process, wait_until

IMAGE_TOOL = BIN / "mqboard-image"


class BootedBoard(Board):
    """Its `process` is mqboot; slots/ is beside flash/. `options` are mqboot's, `preload` a library for it all."""

    def __init__(self, *arguments, options=(), preload=None, **named):
        self.options = options
        self.env = os.environ | {"LD_PRELOAD": str(preload)} if preload else None
        self.killed = None
        super().__init__(*arguments, **named)

    @property
    def slots(self):
        return self.directory / "slots"

    def start(self):
        self.process = Process([BIN / "mqboot", "--slots", self.slots, "--flash", self.flash, "--config", self.config,
                                "--factory", BIN / "mqboardd", *self.options], self.directory, "mqboot", self.env)

    def firmware_pid(self):
        """The process that is the firmware, or None between two."""
        children = pathlib.Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        return int(children[0]) if children else None

    def kill_firmware(self, how=signal.SIGKILL):
        def another():
            pid = self.firmware_pid()
            return pid if pid != self.killed else None
        self.killed = wait_until(another, "the firmware's process")
        os.kill(self.killed, how)


class Statuses:
    """Follows a board's status: every online announcement of it since the start, oldest first."""

    def __init__(self, board):
        self.peer = Peer(board.broker, f"{board.prefix}/mqb/status")
        self.board = board

    def lives(self):
        """The first announcement of each start, by boot count."""
        found = {}
        for message in list(self.peer.messages):
            status = json.loads(message.payload) if message.payload else {}
            if status.get("online"):
                found.setdefault(status["boot"]["count"], status)
        return found

    def wait_for(self, matches, what):
        """The first announcement of a start for which matches(status) holds."""
        def look():
            return next((status for _, status in sorted(self.lives().items()) if matches(status)), None)
        return wait_until(look, f"{what}; mqboot says:\n{self.board.process.stderr()[-3000:]}")

    def close(self):
        self.peer.close()


class BootTest(EndToEnd):
    def booted(self, broker, **options):
        board = BootedBoard(self.directory, broker, **options)
        self.addCleanup(lambda: board.process.close())
        statuses = Statuses(board)
        self.addCleanup(statuses.close)
        board.statuses = statuses
        statuses.wait_for(lambda status: True, "the first start")
        return board

    def crash_reports(self, board):
        """{name: cause and detail} of `mqboard crash ls`, oldest first."""
        lines = self.check(self.mqboard(board, "crash", "ls", "-o", "json")).text
        rows = [row for line in lines.splitlines() for row in json.loads(line)]
        return {row["name"]: row["cause"] for row in rows}

    def crash_report(self, board, cause):
        """The text of the newest report whose line in the list begins with `cause`."""
        names = [name for name, text in self.crash_reports(board).items() if text.startswith(cause)]
        self.assertTrue(names, f"no report of {cause}: {self.crash_reports(board)}\n{board.process.stderr()}")
        return self.check(self.mqboard(board, "crash", "get", names[-1])).text

    def field(self, report, name):
        return re.search(rf"^{name}: (.*)$", report, re.M).group(1)

    def section(self, report, name):
        begin = re.search(rf"^\[{name} (\d+)\]\n", report, re.M)
        return report.encode()[len(report[:begin.end()].encode()):][:int(begin.group(1))].decode()


class ImageFactory:
    """Signs images with a key the board trusts, and with one it does not."""

    def __init__(self, directory):
        self.directory = directory
        for name in ("vendor", "stranger"):
            subprocess.run([IMAGE_TOOL, "keygen", name], cwd=directory, check=True, capture_output=True)

    def trust(self, slots):
        (slots / "keys").mkdir(parents=True, exist_ok=True)
        (slots / "keys" / "vendor.pub").write_text((self.directory / "vendor.pub").read_text())

    def image(self, version, payload=BIN / "mqboardd", ending=b"", key="vendor", counter=1, more=()):
        """`ending` behind the executable changes nothing for the loader, but makes another image of it."""
        whole = self.directory / f"payload-{version}"
        whole.write_bytes(payload.read_bytes() + ending)
        path = self.directory / f"image-{version}"
        subprocess.run([IMAGE_TOOL, "build", "--key", f"{key}.key", "--version", version, "--security-counter",
                        str(counter), *more, whole, path], cwd=self.directory, check=True, capture_output=True)
        return path
