# Python's logging onto the board's log, which adds the time, keeps what is logged while offline, and publishes it.
import sys
import io
import _board
import _mqb

CRITICAL = 50
ERROR = 40
WARNING = 30
INFO = 20
DEBUG = 10
NOTSET = 0

_NAMES = {CRITICAL: 'CRITICAL', ERROR: 'ERROR', WARNING: 'WARNING', INFO: 'INFO', DEBUG: 'DEBUG', NOTSET: 'NOTSET'}
_loggers = {}


def getLevelName(level):
    return _NAMES.get(level) or 'Level %s' % level


def addLevelName(level, name):
    _NAMES[level] = name


def _level(level):
    if isinstance(level, str):
        for number, name in _NAMES.items():
            if name == level.upper():
                return number
        raise ValueError('unknown level: ' + level)
    return int(level)


# Frames that only say how an application's code came to be called.
_OWN_FRAMES = ('  File "/rom/_', '  File "/rom/asyncio/core', '  File "/rom/mqtt')


def traceback(e):
    """The traceback of an exception as text, without the frames of the board's own modules."""
    out = io.StringIO()
    sys.print_exception(e, out)
    lines = out.getvalue().rstrip().split('\n')
    return '\n'.join([line for line in lines if not any([line.startswith(own) for own in _OWN_FRAMES])])


class LogRecord:
    def __init__(self, name, level, message):
        self.name = name
        self.levelno = level
        self.levelname = getLevelName(level)
        self.message = message
        self.msg = message

    def getMessage(self):
        return self.message


class Formatter:
    def __init__(self, fmt=None, datefmt=None, style='%'):
        self.fmt = fmt or '%(levelname)s:%(name)s:%(message)s'

    def format(self, record):
        return self.fmt % record.__dict__


class Handler:
    """Receives the records of the logger it is added to, beside the board's log."""

    def __init__(self, level=NOTSET):
        self.level = _level(level)
        self.formatter = None

    def setLevel(self, level):
        self.level = _level(level)

    def setFormatter(self, formatter):
        self.formatter = formatter

    def format(self, record):
        return (self.formatter or Formatter()).format(record)

    def emit(self, record):
        pass

    def close(self):
        pass


class StreamHandler(Handler):
    terminator = '\n'

    def __init__(self, stream=None):
        super().__init__()
        self.stream = stream or sys.stderr

    def emit(self, record):
        self.stream.write(self.format(record) + self.terminator)


class FileHandler(StreamHandler):
    def __init__(self, filename, mode='a', encoding='UTF-8'):
        super().__init__(open(filename, mode))

    def emit(self, record):
        super().emit(record)
        self.stream.flush()

    def close(self):
        self.stream.close()


class Logger:
    def __init__(self, name):
        self.name = name
        self.level = _board.log_level(name)
        self.handlers = []
        dot = name.rfind('.')
        self.parent = getLogger(name[:dot]) if dot > 0 else root

    def setLevel(self, level):
        self.level = _level(level)

    def getEffectiveLevel(self):
        logger = self
        while not logger.level:
            logger = logger.parent
        return logger.level

    def isEnabledFor(self, level):
        return level >= (self.level or self.getEffectiveLevel())

    def addHandler(self, handler):
        self.handlers.append(handler)

    def removeHandler(self, handler):
        if handler in self.handlers:
            self.handlers.remove(handler)

    def hasHandlers(self):
        logger = self
        while logger and not logger.handlers:
            logger = logger.parent
        return logger is not None

    def log(self, level, msg, *args):
        if level < (self.level or self.getEffectiveLevel()):
            return
        if args:
            try:
                msg = msg % (args[0] if len(args) == 1 and isinstance(args[0], dict) else args)
            except (TypeError, ValueError, KeyError) as e:
                msg = '%s %r (cannot be formatted: %s)' % (msg, args, e)
        elif not isinstance(msg, (str, bytes, bytearray, memoryview)):
            msg = str(msg)
        _board.log(level, self.name, msg)
        if self.hasHandlers():
            self._handle(LogRecord(self.name, level, msg))

    def _handle(self, record):
        logger = self
        while logger:
            for handler in logger.handlers:
                if record.levelno >= handler.level:
                    handler.emit(record)
            logger = logger.parent

    def debug(self, msg, *args):
        self.log(DEBUG, msg, *args)

    def info(self, msg, *args):
        self.log(INFO, msg, *args)

    def warning(self, msg, *args):
        self.log(WARNING, msg, *args)

    def error(self, msg, *args):
        self.log(ERROR, msg, *args)

    def critical(self, msg, *args):
        self.log(CRITICAL, msg, *args)

    def exc(self, e, msg, *args):
        """The message and the traceback of the exception, at level ERROR."""
        if self.isEnabledFor(ERROR):
            if args:
                msg = msg % args
            self.log(ERROR, '%s\n%s', msg, traceback(e))

    def exception(self, msg, *args, exc_info=True):
        # MicroPython does not say which exception is being handled, unless it is passed.
        if isinstance(exc_info, BaseException):
            self.exc(exc_info, msg, *args)
        else:
            self.log(ERROR, msg, *args)


root = None
root = Logger('')
root.level = root.level or INFO
root.name = 'root'


def getLogger(name=None):
    if not name or name == 'root':
        return root
    logger = _loggers.get(name)
    if logger is None:
        logger = _loggers[name] = Logger(name)
    return logger


def set_level(name, level):
    """Sets the level of a logger ('' for those without a level of their own), now and after every reset."""
    level = _level(level)
    _board.set_log_level(name, level)
    _on_level(name, level)


def _on_level(name, level):
    if name:
        if name in _loggers:
            _loggers[name].level = level
    else:
        root.level = level or INFO


def basicConfig(level=None, filename=None, filemode='a', stream=None, format=None, datefmt=None, style='%',
                handlers=None, encoding='UTF-8', force=False):
    if force:
        shutdown()
    if level is not None:
        root.level = _level(level)
    handlers = list(handlers or ())
    if filename:
        handlers.append(FileHandler(filename, filemode))
    elif stream:
        handlers.append(StreamHandler(stream))
    for handler in handlers:
        if handler.formatter is None:
            handler.setFormatter(Formatter(format))
        root.addHandler(handler)


def shutdown():
    for logger in [root] + list(_loggers.values()):
        for handler in logger.handlers:
            handler.close()
        logger.handlers = []


def log(level, msg, *args):
    root.log(level, msg, *args)


def debug(msg, *args):
    root.log(DEBUG, msg, *args)


def info(msg, *args):
    root.log(INFO, msg, *args)


def warning(msg, *args):
    root.log(WARNING, msg, *args)


def error(msg, *args):
    root.log(ERROR, msg, *args)


def critical(msg, *args):
    root.log(CRITICAL, msg, *args)


def exception(msg, *args):
    root.exception(msg, *args)


def exc(e, msg, *args):
    root.exc(e, msg, *args)


_mqb.on_event('log_level', _on_level)
