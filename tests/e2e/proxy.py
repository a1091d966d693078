"""A TCP proxy of the tests' own between a client and a broker on loopback: a long way, and the faults of one.

Runs an asyncio loop on a thread of its own. Every byte arrives `one_way_s` after it was sent. Capacity is not limited,
so that what is measured is round trips, unless `bytes_per_s` says so: for all connections together, each way. bytes_up
and bytes_down count what came in. cut() resets all connections, stall() holds everything back until resume(). With
`record`, `passed` has for each connection the bytes that went out at either end.
"""
import asyncio
import contextlib
import socket
import struct
import threading


class Proxy:
    def __init__(self, target_port, one_way_s=0.0, slice_bytes=65536, bytes_per_s=None, change=None,
                 record=False):
        self.target_port = target_port
        self.one_way_s = one_way_s
        self.bytes_per_s = bytes_per_s
        self.slice_bytes = min(slice_bytes, bytes_per_s // 200) if bytes_per_s else slice_bytes
        self._buffer_bytes = self.slice_bytes if bytes_per_s else 1 << 20
        self._free_at = {"bytes_up": 0.0, "bytes_down": 0.0}  # when the next byte may pass
        self.change = change or (lambda data: data)  # what becomes of a slice on its way; of the same length
        self.passed = [] if record else None
        self.accepted = 0
        self.bytes_up = self.bytes_down = 0
        self._writers = set()
        self._flowing = None
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self.port = self._call(self._listen())

    def _call(self, coroutine):
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(10)

    async def _listen(self):
        self._flowing = asyncio.Event()
        self._flowing.set()
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, limit=self._buffer_bytes)
        return self._server.sockets[0].getsockname()[1]

    async def _serve(self, reader, writer):
        self.accepted += 1
        try:
            up_reader, up_writer = await asyncio.open_connection("127.0.0.1", self.target_port,
                                                                 limit=self._buffer_bytes)
        except OSError:
            writer.close()
            return
        both = (writer, up_writer)
        passed = {"bytes_up": bytearray(), "bytes_down": bytearray()}
        if self.passed is not None:
            self.passed.append(passed)
        self._writers.update(both)
        for end in both:
            end.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            await asyncio.gather(self._pump(reader, up_writer, "bytes_up", passed),
                                 self._pump(up_reader, writer, "bytes_down", passed))
        finally:
            for end in both:
                self._writers.discard(end)
                end.close()

    async def _pump(self, reader, writer, counter, passed):
        queue = asyncio.Queue(0 if self.bytes_per_s is None else 1)  # a slow link does not take in what it cannot carry
        sender = asyncio.ensure_future(self._send(queue, writer, passed[counter]))
        try:
            while data := await reader.read(self.slice_bytes):
                await self._wait_for_capacity(counter, len(data))
                setattr(self, counter, getattr(self, counter) + len(data))
                await queue.put((self._loop.time() + self.one_way_s, self.change(data)))
        except OSError:
            pass
        await queue.put((self._loop.time() + self.one_way_s, None))
        await sender

    async def _wait_for_capacity(self, counter, count):
        if not self.bytes_per_s:
            return
        start = max(self._free_at[counter], self._loop.time())
        self._free_at[counter] = start + count / self.bytes_per_s
        await asyncio.sleep(start - self._loop.time())

    async def _send(self, queue, writer, passed):
        with contextlib.suppress(OSError):
            while True:
                due, data = await queue.get()
                if (wait := due - self._loop.time()) > 0:
                    await asyncio.sleep(wait)
                await self._flowing.wait()
                if data is None:
                    break
                writer.write(data)
                if self.passed is not None and not writer.transport.is_closing():
                    passed += data
                await writer.drain()
        writer.close()

    def cut(self):
        """Resets every connection; new ones are accepted."""
        async def reset():
            for writer in list(self._writers):
                end = writer.get_extra_info("socket")
                with contextlib.suppress(OSError):
                    end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                writer.transport.abort()
        self._call(reset())

    def hang_up(self):
        """Ends every connection in good order; new ones are accepted."""
        async def close():
            for writer in list(self._writers):
                writer.close()
        self._call(close())

    def stall(self):
        async def hold():
            self._flowing.clear()
        self._call(hold())

    def resume(self):
        async def flow():
            self._flowing.set()
        self._call(flow())

    @property
    def url(self):
        return f"mqtt://127.0.0.1:{self.port}"

    def close(self):
        async def end():
            self._server.close()
            tasks = [task for task in asyncio.all_tasks(self._loop) if task is not asyncio.current_task()]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        with contextlib.suppress(Exception):
            self._call(end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()
