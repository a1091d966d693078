"""What the MQTT client promises while everything around it breaks: the link, the broker, the client itself.

A numbered stream goes from one mqb_mqtt_load to another through a proxy and a mosquitto. Both ends keep a journal of
what the library told them. Afterwards: no message the publisher saw acknowledged is lost, no QoS 2 message came twice,
the numbers came in order. Message counts and the seed of the faults: MQB_FAULT_MESSAGES (200; 10,000 for the full
run), MQB_FAULT_SEED. Figures go to stderr.
"""
import collections
import os
import random
import re
import signal
import socket
import sys
import threading
import unittest

from harness import BIN, EndToEnd, Process, wait_until
from proxy import Proxy

MESSAGES = int(os.environ.get("MQB_FAULT_MESSAGES", "200"))
SEED = int(os.environ.get("MQB_FAULT_SEED", "1"))
FAULTS = MESSAGES // 100
ONE_WAY_S = 0.010  # slows the stream down to where faults hit it
TOPIC = "faults/stream"
STREAM_DEADLINE_S = 30 + MESSAGES / 20
INFLIGHT = 200


class Journal:
    """What one end has seen, read as it grows."""

    def __init__(self, path):
        self.path = path
        self.path.touch()
        self.events = collections.Counter()
        self.received = []  # (number, whether marked DUP)
        self.acknowledged = set()
        self.submitted = set()
        self._offset = 0

    def read(self):
        with open(self.path, "rb") as file:
            file.seek(self._offset)
            data = file.read()
        whole = data[:data.rfind(b"\n") + 1]
        self._offset += len(whole)
        for line in whole.decode().splitlines():
            event, number = line.split()
            self.events[event] += 1
            if event in ("received", "again"):
                self.received.append((int(number), event == "again"))
            elif event == "acknowledged":
                self.acknowledged.add(int(number))
            elif event == "submitted":
                self.submitted.add(int(number))
        return self


class End:
    """A running mqb_mqtt_load; kill() and start() go on with the same journal and session file."""

    def __init__(self, test, verb, url, qos, keep_session=False):
        self.test, self.verb = test, verb
        self.id = f"{verb}-{qos}"
        self.journal = Journal(test.directory / f"{verb}-{qos}.journal")
        self.command = [BIN / "mqb_mqtt_load", verb, "--server", url, "--id", self.id, "--qos", str(qos), "--topic",
                        TOPIC, "--count", str(MESSAGES), "--journal", self.journal.path]
        if keep_session:
            self.command += ["--session", test.directory / f"{verb}-{qos}.session"]
        self.start()

    def start(self):
        self.process = Process(self.command, self.test.directory, self.id)
        self.test.addCleanup(self.process.close)

    def kill(self):
        self.process.kill()
        self.process.close()

    def ended(self):
        """Whether it ended by itself; it must have ended well."""
        status = self.process.popen.poll()
        if status is not None:
            self.test.assertEqual(status, 0, self.process.stderr())
        return status is not None


class MqttFaults(EndToEnd):
    def stream(self, qos, fault, kept=()):
        """Streams MESSAGES numbers while fault(self) is called FAULTS times, evenly over the messages received."""
        self.random = random.Random(SEED * 10 + qos)
        self.server = self.broker(persistence=True, extra=[f"max_inflight_messages {INFLIGHT}",
                                                           "max_queued_messages 0", "log_type all"])
        self.proxy = Proxy(self.server.port, ONE_WAY_S)
        self.addCleanup(self.proxy.close)
        self.receiver = End(self, "receive", self.proxy.url, qos, "receive" in kept)
        wait_until(lambda: self.receiver.journal.read().events["subscribed"], "the subscription")
        self.publisher = End(self, "publish", self.proxy.url, qos, "publish" in kept)
        made = 0
        for number in range(1, FAULTS + 1):
            mark = number * MESSAGES // (FAULTS + 1)
            wait_until(lambda: self.publisher.ended() or self.receiver.ended()  # noqa: B023
                       or len(self.receiver.journal.read().received) >= mark, f"message {mark}", STREAM_DEADLINE_S)
            if self.publisher.ended() or self.receiver.ended():
                break
            fault()
            made += 1
        wait_until(self.publisher.ended, "the publisher to end", STREAM_DEADLINE_S)
        wait_until(self.receiver.ended, "the receiver to end", STREAM_DEADLINE_S)
        return self.findings(qos, made)

    def findings(self, qos, faults):
        sent, got = self.publisher.journal.read(), self.receiver.journal.read()
        numbers = [number for number, _ in got.received]
        first = list(dict.fromkeys(numbers))
        found = {
            "test": self.id().rsplit(".", 1)[1], "qos": qos, "faults": faults, "submitted": len(sent.submitted),
            "acknowledged": len(sent.acknowledged), "received": len(first),
            "lost": sorted(sent.acknowledged - set(numbers)),
            "again": len(numbers) - len(first),
            "broker_doubled": self.doubled_by_broker(f"receive-{qos}"),
            "unmarked_again": self.unmarked_again(got.received),
            "out_of_order": sum(1 for a, b in zip(first, first[1:]) if a > b),
            "sessions_lost": sent.events["lost"] + got.events["lost"],
            "connections": sent.events["connected"] + got.events["connected"],
        }
        print(found | {"lost": len(found["lost"]), "seed": SEED}, file=sys.stderr)
        # A short stream may end within a fault that slows it down.
        self.assertGreaterEqual(faults, 1, "the stream was over before a fault")
        self.assertEqual(set(numbers) - sent.submitted, set())
        self.assertEqual(sent.submitted, set(range(1, MESSAGES + 1)))
        return found

    def doubled_by_broker(self, receiver):
        """How often the broker sent a QoS 2 PUBLISH again after its PUBREL [MQTT-4.3.3-1], by its own log.

        mosquitto 2.0.11 does so after a connection too short to answer: it repeats the PUBREL on that, the PUBLISH on
        the next one.
        """
        released, doubled = set(), 0
        packet = re.compile(rf"Sending PUB(LISH|REL) to {receiver} \((?:d(\d), q2, r\d, )?m(\d+)")
        for kind, dup, packet_id in packet.findall(self.server.process.stderr()):
            if kind == "REL":
                released.add(packet_id)
            elif packet_id in released:
                released.remove(packet_id)
                doubled += dup == "1"
        return doubled

    @staticmethod
    def unmarked_again(received):
        """How many came again without the DUP flag."""
        seen, count = set(), 0
        for number, marked in received:
            count += number in seen and not marked
            seen.add(number)
        return count

    def assert_kept(self, found, again_allowed=0):
        self.assertEqual(found["lost"], [], found)
        self.assertEqual(found["out_of_order"], 0, found)
        if found["qos"] == 2:
            self.assertLessEqual(found["again"], found["broker_doubled"] + again_allowed, found)

    # --- The link

    def link_fault(self):
        self.random.choice([self.proxy.cut, self.proxy.hang_up, self.stall, self.slice, self.take_over])()

    def stall(self):
        """Sometimes longer than response_time, so that the client gives the link up."""
        self.proxy.stall()
        threading.Event().wait(self.random.choice([0.05, 0.3, 1.5]))
        self.proxy.resume()

    def slice(self):
        """A byte at a time for a while, then a reset in the middle of it."""
        self.proxy.slice_bytes = 1
        self.proxy.cut()
        threading.Event().wait(0.3)
        self.proxy.slice_bytes = 65536
        self.proxy.cut()

    def take_over(self):
        """A second connection under the client id of one of the ends: the broker drops that end's own."""
        name = self.random.choice([self.publisher, self.receiver]).id.encode()
        body = b"\x00\x04MQTT\x04\x00\x00\x3c" + len(name).to_bytes(2, "big") + name
        with socket.create_connection(("127.0.0.1", self.server.port), 10) as other:
            other.sendall(b"\x10" + bytes([len(body)]) + body)
            self.assertEqual(other.recv(2), b"\x20\x02")

    def test_link_faults_qos1(self):
        self.assert_kept(self.stream(1, self.link_fault))

    def test_link_faults_qos2(self):
        self.assert_kept(self.stream(2, self.link_fault))

    # --- The broker

    def test_broker_restarted_qos1(self):
        self.assert_kept(self.stream(1, lambda: self.server.restart(signal.SIGTERM)))

    def test_broker_restarted_qos2(self):
        self.assert_kept(self.stream(2, lambda: self.server.restart(signal.SIGTERM)))

    # --- The client

    def killed(self, which, qos):
        def kill():
            end = getattr(self, which)
            end.kill()
            end.start()
        return self.stream(qos, kill, kept=("publish" if which == "publisher" else "receive",))

    def test_publisher_killed_qos1(self):
        self.assert_kept(self.killed("publisher", 1))

    def test_publisher_killed_qos2(self):
        self.assert_kept(self.killed("publisher", 2))

    def test_receiver_killed_qos1(self):
        self.assert_kept(self.killed("receiver", 1))

    def test_receiver_killed_qos2(self):
        """A message is handed over, then acknowledged: one that a kill finds in between comes again, marked."""
        found = self.killed("receiver", 2)
        self.assert_kept(found, again_allowed=found["faults"] * INFLIGHT)
        self.assertEqual(found["unmarked_again"], 0, found)

    # --- What the broker itself loses

    # mosquitto acknowledges before it writes: killed, it loses what it holds.

    def test_broker_killed_qos1(self):
        held = set()

        def kill():
            before = max((n for n, _ in self.receiver.journal.read().received), default=0)
            self.server.restart(signal.SIGKILL)
            held.update(range(before, max(self.publisher.journal.read().submitted) + 1))

        found = self.stream(1, kill)
        self.assertEqual(set(found["lost"]) - held, set(), found)
        self.assertEqual(found["out_of_order"], 0, found)

    def test_broker_killed_qos2(self):
        """It also takes new messages for repetitions of those whose end it forgot: nothing can be said of numbers."""
        found = self.stream(2, lambda: self.server.restart(signal.SIGKILL))
        self.assertEqual(found["out_of_order"], 0, found)
        self.assertEqual(found["acknowledged"], MESSAGES, found)


if __name__ == "__main__":
    unittest.main()
