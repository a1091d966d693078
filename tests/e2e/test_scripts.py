#!/usr/bin/env python3
"""Scripts as MicroPython's tutorials have them run as main.py, and their operator can look in meanwhile."""
import contextlib
import http.server
import json
import socket
import threading
import unittest

from harness import EndToEnd, free_port, wait_until

# A web server that blocks in accept(), after the boot.py everybody copies.
WEB_SERVER = """
try:
    import usocket as socket
except:
    import socket
from machine import Pin
import network, esp, gc
esp.osdebug(None)
gc.collect()

station = network.WLAN(network.STA_IF)
station.active(True)
station.connect('ssid', 'password')
print(station.ifconfig())

led = Pin(2, Pin.OUT)
s = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
s.bind(('', %d))
s.listen(5)
hits = 0
while True:
    conn, addr = s.accept()
    request = str(conn.recv(1024))
    hits += 1
    if request.find('/?led=on') == 6:
        led.value(1)
    if request.find('/?led=off') == 6:
        led.value(0)
    conn.send('HTTP/1.1 200 OK\\n')
    conn.send('Content-Type: text/html\\n')
    conn.send('Connection: close\\n\\n')
    conn.sendall('<html>LED is %%d</html>' %% led.value())
    conn.close()
"""

SENSOR = """
import time, ubinascii, machine, micropython
from umqtt.%s import MQTTClient
micropython.alloc_emergency_exception_buf(100)

def sub_cb(topic, msg):
    print('got', topic, msg)
    if msg == b'stop':
        raise SystemExit

client = MQTTClient(ubinascii.hexlify(machine.unique_id()), '127.0.0.1', port=%d, keepalive=60)
client.set_callback(sub_cb)
client.set_last_will(b'lab/gone', b'sensor', qos=1)
client.connect()
client.subscribe(b'lab/command', 1)
count = 0
while True:
    client.check_msg()
    client.publish(b'lab/count', b'%%d' %% count, qos=1)
    count += 1
    time.sleep_ms(20)
"""


class Answers(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_GET(self):
        if self.path == "/moved":
            self.send_response(302)
            self.send_header("Location", "/chunks")
            self.send_header("Content-Length", "0")
            return self.end_headers()
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for chunk in (b"one,", b"two"):
            self.wfile.write(b"%x\r\n%s\r\n" % (len(chunk), chunk))
        self.wfile.write(b"0\r\n\r\n")
        return None

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        answer = json.dumps({"got": json.loads(body), "type": self.headers["Content-Type"]}).encode()
        self.send_response(201)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)


class Scripts(EndToEnd):
    def setUp(self):
        super().setUp()
        self.server = self.broker()
        self.log = self.peer(self.server, "gateway/test/log")

    def evaluate(self, board, source):
        return self.check(self.mqboard(board, "eval", source)).text.rstrip("\n")

    def ask(self, port, path):
        with socket.create_connection(("127.0.0.1", port), 10) as s:
            s.sendall(f"GET {path} HTTP/1.1\r\n\r\n".encode())
            return b"".join(iter(lambda: s.recv(4096), b"")).decode()

    def reachable(self, port):
        with contextlib.suppress(OSError):
            return self.ask(port, "/")

    def test_a_web_server_that_blocks_in_accept(self):
        port = free_port()
        board = self.board(self.server, files={"main.py": WEB_SERVER % port})
        wait_until(lambda: self.reachable(port), "the web server")
        self.assertIn("LED is 1", self.ask(port, "/?led=on"))
        self.assertEqual(self.evaluate(board, "led.value(), hits > 1"), "(1, True)")
        self.assertIn("LED is 0", self.ask(port, "/?led=off"))
        self.check(self.mqboard(board, "interrupt"))
        self.log.wait_for(lambda m: b"main.py interrupted" in m.payload, "the end of main.py")

    def sensor(self, kind):
        counts = self.peer(self.server, "lab/#")
        board = self.board(self.server, files={"main.py": SENSOR % (kind, self.server.port)})
        counts.wait_for(lambda m: m.topic == "lab/count" and m.payload == b"3", "what it publishes")
        counts.publish("lab/command", "hello")
        self.log.wait_for(lambda m: b"got b'lab/command' b'hello'" in m.payload, "the message")
        self.assertGreater(int(self.evaluate(board, "count")), 3)
        return counts

    def test_umqtt_simple(self):
        counts = self.sensor("simple")
        counts.publish("lab/command", "stop")
        self.log.wait_for(lambda m: b"main.py exited" in m.payload, "the end of main.py")

    def test_umqtt_robust_connects_again(self):
        self.sensor("robust")
        self.server.restart()
        self.peer(self.server, "lab/#").wait_count(3, lambda m: m.topic == "lab/count")

    def test_requests(self):
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answers)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        url = f"http://127.0.0.1:{server.server_port}"
        board = self.board(self.server)
        self.assertEqual(self.evaluate(board, f"import urequests; r = urequests.get('{url}/'); print(r.status_code, "
                                              "r.text); r.close()"), "200 one,two")
        self.assertEqual(self.evaluate(board, f"import requests; print(requests.get('{url}/moved').content)"),
                         "b'one,two'")
        self.assertEqual(self.evaluate(board, f"r = requests.post('{url}/', json={{'t': 21}}); print(r.status_code, "
                                              "r.json()['got'], r.json()['type'])"), "201 {'t': 21} application/json")
        self.assertIn("NotImplementedError: http:// and https:// only",
                      self.mqboard(board, "eval", "requests.get('ftp://example.org/')").err)


if __name__ == "__main__":
    unittest.main()
