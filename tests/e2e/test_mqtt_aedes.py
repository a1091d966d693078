"""The MQTT client with a second, unrelated broker: aedes, from npm. The same conversation with mosquitto beside it."""
import contextlib
import os
import pathlib
import re
import shutil
import socket
import subprocess
import unittest

from harness import BIN, DEADLINE_S, EndToEnd, Process, free_port, wait_until

PIN = pathlib.Path(__file__).parent / "aedes"
INSTALL_TRIES = 3


def installed_aedes():
    """The folder that holds node_modules with the pinned aedes; installed from the npm registry once a build folder."""
    folder = BIN.parent / "third_party/aedes"
    lock = (PIN / "package-lock.json").read_bytes()
    mark = folder / "installed-lock.json"
    if mark.is_file() and mark.read_bytes() == lock:
        return folder
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for name in ("package.json", "package-lock.json"):
        shutil.copy(PIN / name, folder)
    for attempt in range(INSTALL_TRIES):
        done = subprocess.run(["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"],
                              cwd=folder, capture_output=True, text=True, timeout=120, check=False)
        if done.returncode == 0:
            mark.write_bytes(lock)
            return folder
    raise AssertionError(f"npm ci of aedes failed {attempt + 1} times:\n{done.stdout}{done.stderr}")


class MqttAedes(EndToEnd):
    def aedes(self):
        """The URL of a running aedes."""
        folder, port = installed_aedes(), free_port()
        process = Process(["node", PIN / "broker.js", folder, port], self.directory, "aedes")
        self.addCleanup(process.close)

        def accepts():
            self.assertTrue(process.running(), process.stderr())
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                return True
            return False

        wait_until(accepts, "aedes to listen")
        return f"mqtt://127.0.0.1:{port}"

    def converse(self, url):
        done = subprocess.run([BIN / "mqb_mqtt_interop_test"], env=os.environ | {"MQB_BROKER_URL": url}, text=True,
                              capture_output=True, timeout=8 * DEADLINE_S, check=False)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        passed = re.search(r"\[  PASSED  \] (\d+) tests", done.stdout)
        self.assertGreaterEqual(int(passed[1]), 7, done.stdout)

    def test_aedes(self):
        self.converse(self.aedes())

    def test_mosquitto(self):
        # Above its default of 20, mosquitto 2.0.11 forgets to go on with QoS 2 messages it queued.
        self.converse(self.broker(extra=["max_inflight_messages 100"]).url)


if __name__ == "__main__":
    unittest.main()
