"""What a script has printed comes before the calls that follow it.

The keeper copies the output and notes the time of each piece. A call waits until the keeper has taken what was printed
before, so that the run's page can show lines and calls in their order.
"""

from __future__ import absolute_import

import os
import stat
import struct
import sys
import time

try:
    import fcntl
    import termios
except ImportError:
    fcntl = termios = None

_PATIENCE_S = 0.05
_PAUSE_S = 0.0002
# Who has waited in vain so often is not waited for any more: the output goes somewhere else.
_MOST_IN_VAIN = 3


class _Output(object):
    """Of this process. `kept`: it goes to a keeper's pipe; at a prompt nobody reads the one end while we wait at the other."""

    kept = False
    in_vain = 0


def keep():
    """From now on this process's output goes to a keeper."""
    _Output.kept = fcntl is not None


def settle():
    """Wait, not for long, until the keeper has read what was printed. Never raises."""
    if not _Output.kept:
        return
    try:
        sys.__stdout__.flush()
        if _unread() and stat.S_ISFIFO(os.fstat(1).st_mode):
            _wait()
    except Exception:  # a script may have closed or replaced anything; its call matters more
        pass


def _wait():
    patience = int(_PATIENCE_S / _PAUSE_S)
    while _unread():
        if not patience:
            _Output.in_vain += 1
            _Output.kept = _Output.in_vain < _MOST_IN_VAIN
            return
        time.sleep(_PAUSE_S)
        patience -= 1


def _unread():
    return struct.unpack("i", fcntl.ioctl(1, termios.FIONREAD, struct.pack("i", 0)))[0]
