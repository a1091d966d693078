#!/usr/bin/env python3
"""The Debian packages: what is in them, and that they install and go without a trace in a root of their own.

Packages what MQB_BUILD (build/release) holds; builds nothing.
"""
import gzip
import os
import pathlib
import shutil
import subprocess
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
BUILD = pathlib.Path(os.environ.get("MQB_BUILD", ROOT / "build/release"))
CPACK = os.environ.get("MQB_CPACK", "cpack")
CLI, BOARD, DEVELOPMENT = "mqboard", "mqboard-board", "libmqboard-mqtt-dev"


def run(*command, **options):
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, **options)
    if done.returncode != 0:
        raise AssertionError(f"{command}: status {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout


@unittest.skipIf(shutil.which("dpkg") is None, "no dpkg here")
class Packages(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.directory = pathlib.Path(tempfile.mkdtemp(prefix="mqb-package-"))
        cls.addClassCleanup(shutil.rmtree, cls.directory)
        run(CPACK, "-G", "DEB", "--config", BUILD / "CPackConfig.cmake", "-B", cls.directory)
        cls.debs = {path.name.split("_")[0]: path for path in cls.directory.glob("*.deb")}

    def field(self, package, name):
        return run("dpkg-deb", "-f", self.debs[package], name).strip()

    def files(self, package):
        lines = run("dpkg-deb", "-c", self.debs[package]).splitlines()
        return {line.split()[5].removeprefix(".") for line in lines if not line.startswith("d")}

    def content(self, package, path):
        archive = subprocess.run(["dpkg-deb", "--fsys-tarfile", self.debs[package]], capture_output=True, check=True)
        return subprocess.run(["tar", "xO", f".{path}"], input=archive.stdout, capture_output=True, check=True).stdout

    def root(self):
        """An empty system: a dpkg database, and an account file for the user the board makes."""
        root = pathlib.Path(tempfile.mkdtemp(prefix="root-", dir=self.directory))
        for name in ("var/lib/dpkg/updates", "var/lib/dpkg/info", "var/lib/dpkg/triggers", "etc", "var/log"):
            (root / name).mkdir(parents=True)
        for name in ("status", "available"):
            (root / "var/lib/dpkg" / name).touch()
        for name in ("passwd", "group", "shadow", "gshadow"):
            (root / "etc" / name).touch()
        return root

    def dpkg(self, root, *arguments):
        return run("dpkg", f"--root={root}", "--force-depends", "--force-not-root", "--force-script-chrootless",
                   "--log=/dev/null", *arguments)

    @staticmethod
    def below(root):
        """Everything but dpkg's own database and the account files."""
        paths = {"/" + str(path.relative_to(root)) for path in root.rglob("*")}
        return {path for path in paths if not path.startswith(("/var/lib/dpkg/", "/etc/"))}

    def test_the_three_packages_are_made(self):
        self.assertEqual(set(self.debs), {CLI, BOARD, DEVELOPMENT})
        for package in self.debs:
            self.assertEqual(self.field(package, "Maintainer"), "mqboard maintainers <mqboard@localhost>")
            self.assertIn(f"/usr/share/doc/{package}/copyright", self.files(package))
        synopses = {package: self.field(package, "Description").splitlines()[0] for package in self.debs}
        self.assertEqual(synopses[CLI], "operate MicroPython boards over MQTT")
        self.assertEqual(synopses[BOARD], "turn this machine into a managed MicroPython board")
        self.assertEqual(synopses[DEVELOPMENT], "C++ coroutine MQTT client library")

    def test_the_operators_package_has_its_names_page_and_completions(self):
        for path in ("/usr/bin/mqboard", "/usr/bin/mqview", "/usr/bin/mqsync", "/usr/share/man/man1/mqboard.1.gz",
                     "/usr/share/bash-completion/completions/mqboard", "/usr/share/zsh/vendor-completions/_mqboard",
                     "/usr/share/fish/vendor_completions.d/mqboard.fish"):
            self.assertIn(path, self.files(CLI))
        page = gzip.decompress(self.content(CLI, "/usr/share/man/man1/mqboard.1.gz")).decode()
        self.assertTrue(page.startswith(".TH MQBOARD 1"))
        self.assertIn("ota install", page)
        self.assertTrue(self.content(CLI, "/usr/share/zsh/vendor-completions/_mqboard").startswith(b"#compdef mqboard"))
        depends = self.field(CLI, "Depends")
        for library in ("libc6", "libssl3", "libreadline8"):
            self.assertIn(library, depends)

    def test_the_boards_unit_names_the_programs_where_they_are(self):
        unit = self.content(BOARD, "/usr/lib/systemd/system/mqboot.service").decode()
        programs = [word for word in unit.split() if "/bin/mq" in word]
        self.assertEqual([word.removeprefix("ExecStart=") for word in programs],
                         ["/usr/bin/mqboot", "/usr/bin/mqboardd"])
        self.assertLessEqual({"/usr/bin/mqboot", "/usr/bin/mqboardd", "/usr/bin/mqboard-image",
                              "/usr/lib/sysusers.d/mqboard.conf"}, self.files(BOARD))

    def test_the_development_package_has_headers_library_and_how_to_find_them(self):
        files = self.files(DEVELOPMENT)
        self.assertIn("/usr/include/mqboard/mqtt/client.hpp", files)
        for ending in ("libmqboard-mqtt.a", "cmake/mqboard/mqboardConfig.cmake", "pkgconfig/mqboard-mqtt.pc"):
            self.assertTrue(any(path.endswith(ending) for path in files), ending)

    @unittest.skipIf(os.geteuid() != 0, "dpkg gives files to root")
    def test_they_install_together_and_leave_nothing(self):
        root = self.root()
        before = self.below(root)
        self.dpkg(root, "--install", *self.debs.values())
        for package in self.debs:
            self.assertLessEqual(self.files(package), self.below(root))
        self.assertIn("mqboard 0.1.0", run(root / "usr/bin/mqview", "--version"))
        self.assertIn("sync SPEC", run(root / "usr/bin/mqsync", "--help").replace("[OPTION...] ", ""))
        passwd = root / "etc/passwd"
        self.assertIn("mqboard:", passwd.read_text() if shutil.which("systemd-sysusers") else "mqboard:")
        (root / "var/lib/mqboard/flash").mkdir(parents=True)
        (root / "etc/mqboard").mkdir()
        (root / "etc/mqboard/board.toml").write_text("[board]\n")
        self.dpkg(root, "--remove", *self.debs)
        kept = {"/var/lib/mqboard", "/var/lib/mqboard/flash"}
        self.assertEqual(self.below(root) - before, kept, "a removed board keeps its flash")
        self.assertTrue((root / "etc/mqboard/board.toml").exists())
        self.dpkg(root, "--purge", *self.debs)
        self.assertEqual(self.below(root) - before, set())
        self.assertFalse((root / "etc/mqboard").exists())
        self.assertNotIn("mqboard", passwd.read_text() + (root / "etc/group").read_text())


if __name__ == "__main__":
    unittest.main()
