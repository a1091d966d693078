# Starts the application in a fresh interpreter: boot.py, the modules of board.toml, main.py. Each failure is logged and
# reported, and the others go on. Afterwards the tasks run for as long as the interpreter does.
import sys
from errno import ENOENT

# A module that takes longer to start is worth a warning.
START_PATIENCE_S = 10

# Applications that come with the firmware; those of the same name on flash win.
_APPS = '/rom/apps'


def _import_own():
    # While sys.path is what launcher_source() made it: none of the board's own modules may come from a file on flash of
    # the same name.
    import asyncio, gc, json, logging, machine, micropython, os, time
    import _gc, _micropython, _tasks, _time, _uselect, board, mqtt, watchdog
    sys.modules['gc'] = _gc
    sys.modules['micropython'] = _micropython
    sys.modules['uselect'] = _uselect
    sys.modules['uasyncio'] = asyncio
    sys.modules['uasyncio.core'] = asyncio.core
    sys.path[:] = ['', '/rom', '.frozen', '/lib', _APPS]


def _fill_namespace(main):
    # What main.py of the Python mqboard leaves in the REPL's namespace, and what its tools count on.
    import gc, machine, os, time, micropython, logging, board, mqtt, watchdog
    main.update({'gc': gc, 'sys': sys, 'machine': machine, 'os': os, 'time': time, 'micropython': micropython,
                 'logging': logging, 'board': board, 'mqtt': mqtt, 'watchdog': watchdog,
                 'log': logging.getLogger('main'), 'safemode': board.safemode, 'GLOBALS': lambda: main})


def _run_file(name, main):
    from _tasks import failed
    try:
        with open('/' + name) as file:
            code = compile(file.read(), name, 'exec')
    except OSError as e:
        if e.errno != ENOENT:
            failed(name, e)
        return
    except Exception as e:
        failed(name, e)
        return
    try:
        exec(code, main)
    except SystemExit:
        if main['machine']._going_down:
            raise
        main['log'].info('%s exited', name)
    except BaseException as e:
        failed(name, e)


async def _grow_impatient(name):
    # Gets its turn when what blocks the start sleeps or waits for the network. Those that did start shall work.
    import asyncio, logging, mqtt
    await asyncio.sleep(START_PATIENCE_S)
    log = logging.getLogger('main')
    log.warning('%s blocks: the modules after it and main.py wait for its start() to return', name)
    mqtt._begin()


def _start(name):
    import asyncio, board, logging, machine, mqtt
    from _tasks import failed, guarded_task
    impatience = asyncio.create_task(_grow_impatient(name))
    try:
        __import__(name)
        start = getattr(sys.modules[name], 'start', None)
        if start is None:
            logging.getLogger('main').info('%s has no start()', name)
            return
        config = board.table(name)
        level = config.pop('log', None)
        if level:
            logging.getLogger(name).setLevel(level)
        guarded_task(name, start(mqtt, config))
    except BaseException as e:
        if machine._going_down:
            raise
        failed(name, e, 'cannot be started')
    finally:
        impatience.cancel()


def _stream(name):
    # open_connection() and its like, loaded when they are first used.
    if name in ('Stream', 'StreamReader', 'StreamWriter', 'Server', 'open_connection', 'start_server'):
        import asyncio.stream
        return getattr(asyncio.stream, name)
    raise AttributeError(name)


def _close_all():
    # Sockets and devices of the interpreter before this one.
    for name in ('_socket', '_uart', '_bus', '_analog'):
        try:
            module = __import__(name)
        except ImportError:
            continue
        module.close_all()


def _cause(machine):
    number = machine.reset_cause()
    for name in dir(machine):
        if name.endswith('_RESET') and getattr(machine, name) == number:
            return name
    return str(number)


def run(main):
    _import_own()
    import asyncio, board, machine, mqtt
    import _board
    from _tasks import on_exception
    _fill_namespace(main)
    log = main['log']
    asyncio.get_event_loop().set_exception_handler(on_exception)
    # A script that starts over with its tasks, as MicroPython's documentation advises, must not end the modules'.
    asyncio.new_event_loop = asyncio.get_event_loop
    asyncio.__getattr__ = _stream
    _close_all()
    mode = ', SAFE MODE' if board.safemode else ''
    log.info('mqboard %s, %s, %s%s', board.version, board.prefix, _cause(machine), mode)
    if board.safemode:
        log.warning('safe mode: boot.py, modules and main.py are left out')
    else:
        _run_file('boot.py', main)
        for name in board.modules:
            if name not in _board.NATIVE.split(','):
                log.info('starting %s', name)
                _start(name)
    mqtt._begin()
    if not board.safemode:
        _run_file('main.py', main)
