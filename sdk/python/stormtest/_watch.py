"""Waiting on several descriptors and on children at once, the same way on Python 2.7 and 3."""

from __future__ import absolute_import

import errno
import fcntl
import os
import select
import signal
import time

now = getattr(time, "monotonic", time.time)


class Watch(object):
    """Waits for descriptors, and wakes up when a child ends."""

    def __init__(self):
        self._wake, self._ring = os.pipe()
        for descriptor in (self._wake, self._ring):
            fcntl.fcntl(descriptor, fcntl.F_SETFL, fcntl.fcntl(descriptor, fcntl.F_GETFL) | os.O_NONBLOCK)
        signal.set_wakeup_fd(self._ring)
        # Without a handler of its own the signal would not reach the wake-up descriptor.
        signal.signal(signal.SIGCHLD, _heard)

    def ready(self, descriptors, seconds=None):
        """Those of `descriptors` that can be read or have ended; may be none of them. `seconds`: at most so long."""
        poll = select.poll()
        poll.register(self._wake, select.POLLIN)
        for descriptor in descriptors:
            poll.register(descriptor, select.POLLIN)
        try:
            events = poll.poll(None if seconds is None else max(0, int(seconds * 1000) + 1))
        except select.error as error:
            if error.args[0] != errno.EINTR:
                raise
            return []
        found = [descriptor for descriptor, _ in events]
        if self._wake in found:
            found.remove(self._wake)
            try:
                os.read(self._wake, 4096)
            except OSError:
                pass
        return found

    def close(self):
        """Undo it all; for a forked child."""
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        os.close(self._wake)
        os.close(self._ring)


def _heard(_number, _frame):
    pass


def ended_children():
    """`(pid, status)` of all children that have ended, taken off the process table."""
    ended = []
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except OSError as error:
            if error.errno == errno.EINTR:
                continue
            return ended, False
        if pid == 0:
            return ended, True
        ended.append((pid, status))


def read_some(descriptor, most=1 << 16):
    """What can be read now; empty at the end, and when the other side is broken."""
    while True:
        try:
            return os.read(descriptor, most)
        except OSError as error:
            if error.errno != errno.EINTR:
                return b""


def write_all(descriptor, data):
    """Write all of `data`; gives False when the other side has gone."""
    while data:
        try:
            data = data[os.write(descriptor, data):]
        except OSError as error:
            if error.errno != errno.EINTR:
                return False
    return True
