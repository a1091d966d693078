"""The examples of the MQTT client, docs/MQTT.md, against a real mosquitto."""
import os
import signal
import subprocess
import unittest

from harness import BIN, DEADLINE_S, EndToEnd, wait_until


class MqttExamples(EndToEnd):
    def example(self, name, *arguments, stdin=b"", status=0):
        done = subprocess.run([BIN / f"mqtt_{name}", *map(str, arguments)], input=stdin, capture_output=True,
                              timeout=DEADLINE_S, check=False)
        self.assertEqual(done.returncode, status, done.stderr.decode())
        return done.stderr.decode() if status else done.stdout.decode()

    def start(self, name, *arguments, stdin=subprocess.DEVNULL):
        process = subprocess.Popen([BIN / f"mqtt_{name}", *map(str, arguments)], stdin=stdin, stdout=subprocess.PIPE)
        self.addCleanup(self._end, process)
        return process

    def test_hello_world_greets(self):
        broker = self.broker()
        watcher = self.peer(broker, "greetings/#")
        out = self.example("hello_world", "--server", broker.url, "--count", 2)
        self.assertEqual(out, "greetings/world: Hello World #1!\ngreetings/world: Hello World #2!\n")
        self.assertEqual([m.payload for m in watcher.wait_count(2)], [b"Hello World #1!", b"Hello World #2!"])

    def test_no_broker_is_one_line_of_error(self):
        broker = self.broker()
        broker.stop()
        err = self.example("hello_world", "--server", broker.url, status=1)
        self.assertEqual(err, f"127.0.0.1:{broker.port}: Connection refused\n")

    def test_a_malformed_server_is_one_line_of_error(self):
        err = self.example("hello_world", "--server", "nonsense", status=1)
        self.assertEqual(err.count("\n"), 1, err)
        self.assertIn("nonsense", err)

    def test_a_streamed_file_arrives_whole(self):
        broker = self.broker()
        source, copy = self.directory / "source", self.directory / "copy"
        source.write_bytes(os.urandom(3_000_001))
        receiver = self.start("stream_file", "--server", broker.url, "receive", copy)
        self.assertEqual(receiver.stdout.readline(), b"ready\n")
        out = self.example("stream_file", "--server", broker.url, "send", source)
        self.assertEqual(out, "sent 3000001 bytes in 184 messages\n")
        self.assertEqual(receiver.communicate(timeout=DEADLINE_S)[0], b"received 3000001 bytes\n")
        self.assertEqual(receiver.returncode, 0)
        self.assertEqual(copy.read_bytes(), source.read_bytes())

    def test_a_client_certificate_opens_the_door(self):
        certificates = self.certificates()
        broker = self.broker(certificates=certificates, client_certificates=True)
        trust = ("--server", broker.tls_url, "--ca", certificates.ca)
        out = self.example("tls_client", *trust, "--cert", certificates.client, "--key", certificates.client_key)
        self.assertEqual(out, f"connected to 127.0.0.1:{broker.tls_port}\ngreetings/tls: Hello over TLS! (retained)\n")
        err = self.example("tls_client", *trust, status=1)
        self.assertTrue(err.startswith(f"127.0.0.1:{broker.tls_port}: "), err)
        self.assertEqual(err.count("\n"), 1, err)

    def test_lines_survive_a_kill_without_broker_and_arrive_exactly_once(self):
        broker = self.broker(persistence=True)
        session = self.directory / "lines.session"
        broker.stop()
        command = ("exactly_once", "--server", broker.url, "--session", session)
        process = self.start(*command, stdin=subprocess.PIPE)
        process.stdin.write(b"one\ntwo\nthree\n")
        process.stdin.close()
        self.assertEqual(process.stdout.readline(), b"took over 3 lines\n")
        process.send_signal(signal.SIGKILL)
        process.wait()

        broker.start()
        watcher = self.peer(broker, "lines", qos=2)
        out = self.example(*command, stdin=b"four\n")
        self.assertEqual(out, "took over 1 lines\nthe broker has them all\n")
        out = self.example(*command)
        self.assertEqual(out, "took over 0 lines\nthe broker has them all\n")
        watcher.publish("lines", "end", qos=2)
        wait_until(lambda: any(m.payload == b"end" for m in watcher.messages), "the end")
        self.assertEqual([m.payload for m in watcher.messages], [b"one", b"two", b"three", b"four", b"end"])

    @staticmethod
    def _end(process):
        if process.poll() is None:
            process.kill()
            process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe and not pipe.closed:
                pipe.close()


if __name__ == "__main__":
    unittest.main()
