# machine.PWM and ADC: outputs of the kernel's PWM chips, inputs of its analog-to-digital converters.
from time import sleep_ms
import _analog
from machine import Pin

_GRANT_MS = 2000  # within which the host gives the right to use an output


def _name(pin):
    return pin._name if isinstance(pin, Pin) else str(pin)


class PWM:
    """Off until it has a duty."""

    def __init__(self, dest, freq=None, duty=None, duty_u16=None, duty_ns=None, *, invert=False):
        self._id = _name(dest)
        self._freq = 5000
        self._u16 = self._ns = None
        self.init(freq, duty, duty_u16, duty_ns, invert=invert)

    def _open(self):
        for _ in range(_GRANT_MS // 10):
            if _analog.open_pwm(self._id):
                return
            sleep_ms(10)
        # If it still is an error, the first use says which.

    # What is not given stays.
    def init(self, freq=None, duty=None, duty_u16=None, duty_ns=None, *, invert=None):
        self._open()
        if invert is not None:
            self._invert = bool(invert)
        new = (self._freq if freq is None else freq, self._u16, self._ns)
        if duty is not None:
            new = (new[0], _ten_to_sixteen(duty), None)
        elif duty_u16 is not None:
            new = (new[0], duty_u16, None)
        elif duty_ns is not None:
            new = (new[0], None, duty_ns)
        self._set(*new)

    def _set(self, freq, u16, ns):
        if not 0 < freq <= 1000000000:
            raise ValueError('freq')
        if u16 is not None and not 0 <= u16 <= 65535:
            raise ValueError('duty_u16 is 0 to 65535')
        period = (1000000000 + freq // 2) // freq
        if ns is not None and not 0 <= ns <= period:
            raise ValueError('duty_ns is 0 to the period')
        if u16 is not None or ns is not None:
            pulse = (period * u16 + 32767) // 65535 if ns is None else ns
            _analog.set_pwm(self._id, period, period - pulse if self._invert else pulse)
        self._freq, self._u16, self._ns, self._period = freq, u16, ns, period

    def freq(self, value=None):
        if value is None:
            return self._freq
        self._set(value, self._u16, self._ns)

    def duty_u16(self, value=None):
        if value is not None:
            return self._set(self._freq, value, None)
        if self._ns is not None:
            return self._ns * 65535 // self._period
        return self._u16 or 0

    def duty_ns(self, value=None):
        if value is not None:
            return self._set(self._freq, None, value)
        if self._ns is not None:
            return self._ns
        return (self._period * (self._u16 or 0) + 32767) // 65535

    def duty(self, value=None):
        """Of 1023, as on an ESP32."""
        if value is not None:
            return self._set(self._freq, _ten_to_sixteen(value), None)
        return (self.duty_u16() * 1023 + 32767) // 65535

    def deinit(self):
        _analog.close_pwm(self._id)

    def __repr__(self):
        return 'PWM(%s, freq=%d, duty_u16=%d)' % (self._id, self._freq, self.duty_u16())


def _ten_to_sixteen(duty):
    if not 0 <= duty <= 1023:
        raise ValueError('duty is 0 to 1023')
    return duty * 65535 // 1023


class ADC:
    ATTN_0DB = 0
    ATTN_2_5DB = 1
    ATTN_6DB = 2
    ATTN_11DB = 3
    WIDTH_9BIT = 9
    WIDTH_10BIT = 10
    WIDTH_11BIT = 11
    WIDTH_12BIT = 12

    def __init__(self, id, *, sample_ns=None, atten=None):
        self._id = _name(id)
        self._width = 12
        _analog.open_adc(self._id)

    def init(self, *, sample_ns=None, atten=None):
        pass

    def read_u16(self):
        return _analog.u16(self._id)

    def read_uv(self):
        return _analog.microvolts(self._id)

    def read(self):
        """As on an ESP32: 12 bits, unless width() says less."""
        return _analog.u16(self._id) >> 16 - self._width

    def width(self, bits):
        if not 9 <= bits <= 12:
            raise ValueError('width is 9 to 12')
        self._width = bits

    def atten(self, attenuation):
        """Has no effect: the range is the converter's."""

    def __repr__(self):
        return 'ADC(%s)' % self._id
