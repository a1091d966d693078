# machine.I2C and SPI: the host's buses. SoftI2C and SoftSPI: made of pins.
from errno import EIO, ENODEV, EOPNOTSUPP, ETIMEDOUT
from time import sleep_us, ticks_add, ticks_diff, ticks_us
import _bus
from _pins import read, write
from machine import Pin

_MOST = 8192  # bytes of one I2C transfer


def _own(data):
    return data.encode() if isinstance(data, str) else data


# What all have. Below it: _exchange(address, out, size, stop) writes unless `out` is None, then reads unless `size` is
# negative, in one transaction; answers what was read, or how many bytes were acknowledged.
class _I2C:
    def scan(self):
        return [address for address in range(0x08, 0x78) if self._is_there(address)]

    def _is_there(self, address):
        try:
            self._probe(address)
        except OSError as e:
            if e.errno not in (ENODEV, EIO):
                raise
            return False
        return True

    def _probe(self, address):
        self._exchange(address, b'', -1)

    def readfrom(self, addr, nbytes, stop=True):
        return self._exchange(addr, None, _size(nbytes), stop)

    def readfrom_into(self, addr, buf, stop=True):
        buf[:] = self._exchange(addr, None, len(buf), stop)

    def writeto(self, addr, buf, stop=True):
        return self._exchange(addr, _own(buf), -1, stop)

    def writevto(self, addr, vector, stop=True):
        return self._exchange(addr, b''.join([bytes(_own(part)) for part in vector]), -1, stop)

    def readfrom_mem(self, addr, memaddr, nbytes, *, addrsize=8):
        return self._exchange(addr, _memory(memaddr, addrsize), _size(nbytes))

    def readfrom_mem_into(self, addr, memaddr, buf, *, addrsize=8):
        buf[:] = self._exchange(addr, _memory(memaddr, addrsize), len(buf))

    def writeto_mem(self, addr, memaddr, buf, *, addrsize=8):
        self._exchange(addr, _memory(memaddr, addrsize) + bytes(_own(buf)), -1)


def _size(nbytes):
    if not 0 <= nbytes <= _MOST:
        raise ValueError('0 to %d bytes' % _MOST)
    return nbytes


def _memory(address, size):
    if size not in (8, 16, 24, 32):
        raise ValueError('addrsize is 8, 16, 24 or 32')
    return bytes([address >> shift & 0xff for shift in range(size - 8, -1, -8)])


class I2C(_I2C):
    """Speed and timeout are the host's, as are the pins."""

    def __init__(self, id=0, *, scl=None, sda=None, freq=400000, timeout=50000):
        self._id = str(id)
        self._held = None
        self._unable = False
        _bus.open_i2c(self._id)

    def init(self, scl=None, sda=None, *, freq=400000, timeout=50000):
        pass

    def deinit(self):
        self._held = None

    def __repr__(self):
        return 'I2C(%s)' % self._id

    # Linux knows whole transactions only: a write without a stop is held back for the read that follows it.
    def _exchange(self, addr, out, size, stop=True):
        held, self._held = self._held, None
        if held:
            if held[0] == addr and out is None:
                out = held[1]
            else:
                _bus.i2c(self._id, held[0], held[1], -1)
        if size < 0 and not stop:
            self._held = (addr, bytes(out))
            return len(out)
        data = _bus.i2c(self._id, addr, out, size)
        return len(out) if size < 0 else data

    # As a write of nothing, which not every bus can do.
    def _probe(self, address):
        if not self._unable:
            try:
                return self._exchange(address, b'', -1)
            except OSError as e:
                if e.errno != EOPNOTSUPP:
                    raise
                self._unable = True
        self._exchange(address, None, 1)


def _name(pin):
    return pin._name if isinstance(pin, Pin) else str(pin)


class SoftI2C(_I2C):
    """On two pins, which need pull-ups. As fast as Python is, and not faster than `freq`."""

    def __init__(self, scl, sda, *, freq=400000, timeout=50000):
        self.init(scl, sda, freq=freq, timeout=timeout)

    def init(self, scl, sda, *, freq=400000, timeout=50000):
        if freq <= 0:
            raise ValueError('freq')
        self._scl = _name(scl)
        self._sda = _name(sda)
        self._timeout_us = timeout
        self._pause_us = 500000 // freq  # half a period
        for pin in (scl, sda):
            Pin(_name(pin)).init(Pin.OPEN_DRAIN, value=1)

    def __repr__(self):
        return 'SoftI2C(scl=%s, sda=%s)' % (self._scl, self._sda)

    def _pause(self):
        if self._pause_us > 2:
            sleep_us(self._pause_us)

    # A device may hold the clock down until it is ready.
    def _clock_up(self):
        write(self._scl, True)
        if not read(self._scl):
            end = ticks_add(ticks_us(), self._timeout_us)
            while not read(self._scl):
                if ticks_diff(end, ticks_us()) <= 0:
                    raise OSError(ETIMEDOUT)
        self._pause()

    def _clock_down(self):
        write(self._scl, False)
        self._pause()

    # One bit, in either direction: what is on the line while the clock is up.
    def _bit(self, level):
        write(self._sda, level)
        self._clock_up()
        level = read(self._sda)
        self._clock_down()
        return level

    def start(self):
        write(self._sda, True)
        self._clock_up()
        write(self._sda, False)
        self._pause()
        self._clock_down()

    def stop(self):
        write(self._sda, False)
        self._clock_up()
        write(self._sda, True)
        self._pause()

    def _write_byte(self, byte):
        for i in range(7, -1, -1):
            self._bit(bool(byte >> i & 1))
        return not self._bit(True)

    def write(self, buf):
        """How many bytes were acknowledged; the first that is not is the last."""
        acknowledged = 0
        for byte in _own(buf):
            if not self._write_byte(byte):
                break
            acknowledged += 1
        return acknowledged

    def readinto(self, buf, nack=True):
        for i in range(len(buf)):
            byte = 0
            for _ in range(8):
                byte = byte << 1 | self._bit(True)
            buf[i] = byte
            self._bit(nack and i == len(buf) - 1)

    def _address(self, addr, for_read):
        if not 0 <= addr <= 0x7f:
            raise ValueError('an address has 7 bits')
        self.start()
        if not self._write_byte(addr << 1 | for_read):
            self.stop()
            raise OSError(ENODEV)

    def _exchange(self, addr, out, size, stop=True):
        result = 0
        if out is not None:
            self._address(addr, 0)
            result = self.write(out)
        if size >= 0:
            self._address(addr, 1)
            buf = bytearray(size)
            self.readinto(buf)
            result = bytes(buf)
        if stop:
            self.stop()
        return result


# Below it: _exchange(out, wanted) answers what came in while `out` went out.
class _SPI:
    MSB = 0
    LSB = 1

    def read(self, nbytes, write=0):
        return bytes(self._exchange(bytes([write]) * nbytes, True))

    def readinto(self, buf, write=0):
        buf[:] = self._exchange(bytes([write]) * len(buf), True)

    def write(self, buf):
        self._exchange(_own(buf), False)

    def write_readinto(self, write_buf, read_buf):
        if len(write_buf) != len(read_buf):
            raise ValueError('buffers must be the same length')
        read_buf[:] = self._exchange(_own(write_buf), True)

    def deinit(self):
        pass


class SPI(_SPI):
    _MOST = 4096  # bytes at once

    def __init__(self, id, baudrate=1000000, *, polarity=0, phase=0, bits=8, firstbit=0, sck=None, mosi=None,
                 miso=None):
        self._id = str(id)
        self.init(baudrate, polarity=polarity, phase=phase, bits=bits, firstbit=firstbit)
        _bus.open_spi(self._id)

    # What is not given stays.
    def init(self, baudrate=None, *, polarity=None, phase=None, bits=None, firstbit=None, sck=None, mosi=None,
             miso=None):
        if baudrate is not None:
            if baudrate < 1:
                raise ValueError('baudrate')
            self._baudrate = baudrate
        if polarity is not None:
            self._polarity = bool(polarity)
        if phase is not None:
            self._phase = bool(phase)
        if bits is not None:
            self._bits = bits
        if firstbit is not None:
            self._lsb = firstbit == SPI.LSB

    def __repr__(self):
        return 'SPI(%s, baudrate=%d, polarity=%d, phase=%d, bits=%d)' % (
            self._id, self._baudrate, self._polarity, self._phase, self._bits)

    # In pieces of at most a tenth of a second, between which an operator can interrupt. The chip stays selected.
    def _exchange(self, out, wanted):
        out = memoryview(out)
        piece = max(4, min(SPI._MOST, self._baudrate // 80 & ~3))
        result = None
        for at in range(0, len(out), piece):
            data = _bus.spi(self._id, self._baudrate, self._polarity, self._phase, self._bits, self._lsb,
                            out[at:at + piece], wanted, at + piece < len(out))
            result = data if result is None or not wanted else result + data
        return result or b''


class SoftSPI(_SPI):
    """On three pins, as fast as Python is, and not faster than `baudrate`."""

    def __init__(self, baudrate=500000, *, polarity=0, phase=0, bits=8, firstbit=0, sck=None, mosi=None, miso=None):
        if sck is None or mosi is None or miso is None:
            raise ValueError('must specify all of sck/mosi/miso')
        self.init(baudrate, polarity=polarity, phase=phase, bits=bits, firstbit=firstbit, sck=sck, mosi=mosi, miso=miso)

    def init(self, baudrate=None, *, polarity=None, phase=None, bits=8, firstbit=0, sck=None, mosi=None, miso=None):
        if bits != 8 or firstbit != SoftSPI.MSB:
            raise ValueError('bits is 8, firstbit MSB')
        if baudrate is not None:
            if baudrate < 1:
                raise ValueError('baudrate')
            self._pause_us = 500000 // baudrate  # half a period
        if polarity is not None:
            self._idle = bool(polarity)
        if phase is not None:
            self._phase = bool(phase)
        if sck is not None:
            self._sck = _name(sck)
        if mosi is not None:
            self._mosi = _name(mosi)
            Pin(self._mosi).init(Pin.OUT)
        if miso is not None:
            self._miso = _name(miso)
            Pin(self._miso).init(Pin.IN)
        Pin(self._sck).init(Pin.OUT, value=self._idle)

    def __repr__(self):
        return 'SoftSPI(sck=%s, mosi=%s, miso=%s)' % (self._sck, self._mosi, self._miso)

    def _edge(self, level):
        if self._pause_us > 2:
            sleep_us(self._pause_us)
        write(self._sck, level)

    def _exchange(self, out, wanted):
        result = bytearray(len(out))
        for at, byte in enumerate(out):
            came = 0
            for i in range(7, -1, -1):
                # The first edge is for reading, the second for the next bit; with `phase` the other way round.
                if self._phase:
                    self._edge(not self._idle)
                write(self._mosi, bool(byte >> i & 1))
                self._edge(self._idle if self._phase else not self._idle)
                came = came << 1 | read(self._miso)
                if not self._phase:
                    self._edge(self._idle)
            result[at] = came
        return result
