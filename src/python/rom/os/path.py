import os

sep = '/'


def exists(path):
    try:
        os.stat(path)
        return True
    except OSError:
        return False


def _mode(path):
    try:
        return os.stat(path)[0] & 0xf000
    except OSError:
        return 0


def isdir(path):
    return _mode(path) == 0x4000


def isfile(path):
    return _mode(path) == 0x8000


def split(path):
    i = path.rfind('/') + 1
    head = path[:i]
    return (head.rstrip('/') or head, path[i:])


def dirname(path):
    return split(path)[0]


def basename(path):
    return split(path)[1]


def splitext(path):
    i = path.rfind('.')
    return (path[:i], path[i:]) if i > path.rfind('/') + 1 else (path, '')


def join(path, *parts):
    for part in parts:
        if part.startswith('/') or not path:
            path = part
        else:
            path = path + part if path.endswith('/') else path + '/' + part
    return path


def isabs(path):
    return path.startswith('/')


def normpath(path):
    parts = []
    for part in path.split('/'):
        if part == '..' and parts and parts[-1] != '..':
            parts.pop()
        elif part not in ('', '.') and not (part == '..' and path.startswith('/')):
            parts.append(part)
    return ('/' if path.startswith('/') else '') + '/'.join(parts) or '.'


def abspath(path):
    return normpath(path if isabs(path) else join(os.getcwd(), path))
