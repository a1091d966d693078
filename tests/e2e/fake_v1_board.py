#!/usr/bin/env python3
"""A board that runs the Python mqboard, as far as its peers can tell: docs/WIRE.md, "v1", on CPython and Paho.

What is special about such a board is kept: it announces no status, never acknowledges the pieces of a put, writes in
place, knows no command but eval, get, put and ota, answers evals of statements with their captured output, and reports
errors as raw tracebacks with MicroPython's wording of OSError. Its uos sees a flash directory of its own.

    fake_v1_board.py PORT PREFIX FLASH_DIRECTORY     prints "ready" when it is subscribed
"""
import binascii
import builtins
import contextlib
import errno
import gc
import hashlib
import io
import os
import pathlib
import sys
import threading
import time
import traceback
import types

import paho.mqtt.client as paho

REPLY_CHUNK = 2800


class Flash:
    """MicroPython's view of a directory: absolute paths begin at its root."""

    def __init__(self, root):
        self.root = pathlib.Path(root).resolve()

    def local(self, path):
        return self.root / str(path).lstrip("/")

    def module(self):
        def ilistdir(path="/"):
            for entry in sorted(os.scandir(self.local(path)), key=lambda e: e.name):
                size = 0 if entry.is_dir() else entry.stat().st_size
                yield entry.name, 0x4000 if entry.is_dir() else 0x8000, entry.inode(), size

        def statvfs(_path):
            return 4096, 4096, 512, 400, 400, 0, 0, 0, 0, 255

        uname = types.SimpleNamespace(sysname="fake", machine="Fake board with CPython", version="v1.12",
                                      release="1.12")
        return types.SimpleNamespace(
            ilistdir=ilistdir, statvfs=statvfs, uname=lambda: uname, stat=lambda path: tuple(os.stat(self.local(path))),
            mkdir=lambda path: os.mkdir(self.local(path)), remove=lambda path: os.remove(self.local(path)),
            rmdir=lambda path: os.rmdir(self.local(path)),
            rename=lambda old, new: os.rename(self.local(old), self.local(new)),
            listdir=lambda path="/": sorted(os.listdir(self.local(path))))

    def open(self, path, mode="r", *rest, **options):
        return builtins.open(self.local(path), mode, *rest, **options)


class Interpreter:
    """eval and exec in one namespace that has the modules a board has."""

    def __init__(self, flash):
        uos = flash.module()
        board_gc = types.SimpleNamespace(mem_free=lambda: 100_000, mem_alloc=lambda: 11_000, collect=gc.collect)
        board_time = types.SimpleNamespace(ticks_ms=lambda: time.monotonic_ns() // 1_000_000, sleep=time.sleep)
        modules = {"uos": uos, "os": uos, "uhashlib": hashlib, "ubinascii": binascii, "gc": board_gc,
                   "time": board_time}

        def board_import(name, *rest):
            return modules[name] if name in modules else builtins.__import__(name, *rest)

        names = {**vars(builtins), "__import__": board_import, "open": flash.open}
        self.globals = {"__builtins__": names, "__name__": "__main__"}

    def run(self, source):
        try:
            code = compile(source, "<eval>", "eval")
        except SyntaxError:
            code = None
        if code is not None:
            return repr(eval(code, self.globals))  # its prints go to the board's console, as there
        output = io.StringIO()
        with contextlib.redirect_stdout(output):
            exec(compile(source, "<exec>", "exec"), self.globals)
        return output.getvalue()


def board_traceback(error):
    text = "".join(traceback.format_exception(type(error), error, error.__traceback__))
    if isinstance(error, OSError) and error.errno is not None:
        lines = text.rstrip("\n").split("\n")
        lines[-1] = f"OSError: [Errno {error.errno}] {errno.errorcode.get(error.errno, '')}"
        text = "\n".join(lines) + "\n"
    return text


class Board:
    def __init__(self, port, prefix, flash, host="127.0.0.1"):
        self.topic = prefix + "/mqb/"
        self.flash = Flash(flash)
        self.interpreter = Interpreter(self.flash)
        self.put_file = None
        self.put_next = None
        self.subscribed = threading.Event()
        self.client = paho.Client(client_id="", clean_session=True)
        self.client.max_inflight_messages_set(20)
        self.client.on_connect = lambda client, *_: client.subscribe(self.topic + "cmd/#", 1)
        self.client.on_subscribe = lambda *_: self.subscribed.set()
        self.client.on_message = self.on_message
        self.client.connect(host, port)

    def reply(self, kind, identity, payload):
        self.client.publish(f"{self.topic}reply/{kind}/{identity}", payload, qos=1)

    def on_message(self, _client, _data, message):
        command, identity, *tail = message.topic[len(self.topic) + 4:].split("/", 2)
        path = tail[0] if tail else None
        if len(message.payload) < 2:
            return
        header = int.from_bytes(message.payload[:2], "big")
        sequence, last, data = header & 0x7fff, bool(header & 0x8000), message.payload[2:]
        handler = {"eval": self.do_eval, "get": self.do_get, "put": self.do_put}.get(command)
        if handler is None:
            self.reply("err", identity, f"Command '{command}' not supported")
            return
        try:
            answer = handler(path, data, sequence, last)
        except ValueError as error:
            self.reply("err", identity, f"MQRepl protocol error {command}: {error}")
        except BaseException as error:  # noqa: B902: also SystemExit and KeyboardInterrupt of the code it runs
            self.reply("err", identity, board_traceback(error))
        else:
            if isinstance(answer, list):
                for number, chunk in enumerate(answer):
                    is_last = number == len(answer) - 1
                    self.reply("out", identity, ((0x8000 if is_last else 0) | number).to_bytes(2, "big") + chunk)
            elif answer is not None:
                self.reply("out", identity, b"\xff\xff" + answer.encode())

    def do_eval(self, _path, data, sequence, last):
        if sequence != 0 or not last:
            raise ValueError("only single message supported")
        return self.interpreter.run(data.decode())

    def do_get(self, path, _data, sequence, last):
        if sequence != 0 or not last:
            raise ValueError("only single message supported")
        with self.flash.open(path, "rb") as file:
            content = file.read()
        return [content[i:i + REPLY_CHUNK] for i in range(0, len(content), REPLY_CHUNK)] + [b""]

    def do_put(self, path, data, sequence, last):
        if sequence == 0:
            if self.put_file:
                self.put_file.close()
            self.put_file, self.put_next = self.flash.open(path, "wb"), 1
        elif self.put_next is None:
            raise ValueError("missing first message")
        elif sequence < self.put_next:
            return None
        elif sequence > self.put_next:
            raise ValueError(f"message missing: {sequence} vs. {self.put_next}")
        else:
            self.put_next += 1
        self.put_file.write(data)
        if not last:
            return None
        self.put_file.close()
        self.put_file = self.put_next = None
        return "OK"

    def log(self, text):
        self.client.publish(self.topic[:-len("mqb/")] + "log", text, qos=1)

    def start(self):
        self.client.loop_start()
        if not self.subscribed.wait(30):
            raise RuntimeError("no SUBACK")

    def close(self):
        self.client.disconnect()
        self.client.loop_stop()


if __name__ == "__main__":
    board = Board(int(sys.argv[1]), sys.argv[2], sys.argv[3])
    board.start()
    print("ready", flush=True)
    threading.Event().wait()
