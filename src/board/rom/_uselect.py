# uselect, loaded when it is used: MicroPython takes its name for the built-in select, which knows no sockets.


def __getattr__(name):
    import select
    return getattr(select, name)
