# The watchdog is the firmware's: it feeds itself by a round trip through the broker and this interpreter. Here is what
# the operator's tools call by name.
import _board


def reset(mode='n'):
    """Resets the board once replies and log are out: 'n' or True to normal mode, 's' a soft reset, else safe mode."""
    if mode == 's':
        _board.reset(_board.SOFT, _board.NORMAL)
    elif mode == 'n' or mode is True:
        _board.reset(_board.HARD, _board.NORMAL)
    else:
        _board.reset(_board.HARD, _board.SAFE)


def feed():
    """Has no effect: only the firmware's own round trip feeds the watchdog."""
