"""A virtual rack of one's own, for a script that is run at a prompt: `headend session --local --out FOLDER`.

The program prints one JSON line, `{"socket": PATH, "token": TEXT}`, serves one session there, and ends when its
standard input closes. It is found by `HEADEND_PROGRAM`, or as `headend` on `PATH`.
"""

from __future__ import absolute_import

import atexit
import json
import os
import select
import time

from stormtest._text import to_native
from stormtest.errors import StormTestError

START_S = 30.0
STOP_S = 5.0
_INSTEAD = "or run the script with `headend run SCRIPT.py`, which brings a virtual set-top box along"


class LocalRack(object):
    """The program, while it runs. `socket`, `token`: of its session."""

    def __init__(self, out_folder):
        """Start it; files go to the folder that `out_folder()` makes. Raises `StormTestError` that says what to do instead."""
        # Only needed at a prompt; under a rack the import would cost every script some milliseconds.
        import subprocess

        program = find_program()
        if program is None:
            raise StormTestError("there is no rack here, and the program `headend` is not found: put it on PATH "
                                 "or name it in HEADEND_PROGRAM, %s" % _INSTEAD)
        try:
            command = [program, "session", "--local", "--out", out_folder()]
            self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, close_fds=True)
        except OSError as error:
            raise StormTestError("cannot start %s: %s; set HEADEND_PROGRAM to a headend program, %s"
                                 % (program, error, _INSTEAD))
        self._owner = os.getpid()
        atexit.register(self.stop)
        self.socket, self.token = self._greeting(program)

    def _greeting(self, program):
        line = self._first_line()
        try:
            greeting = to_native(json.loads(line.decode("utf-8")))
            return greeting["socket"], greeting["token"]
        except (ValueError, KeyError, TypeError):
            self.stop()
            raise StormTestError("%s session --local gave no session (it said %r and ended with %s); use a headend "
                                 "that knows the command, %s" % (program, line[:80], self._process.poll(), _INSTEAD))

    def _first_line(self):
        deadline = time.time() + START_S
        pipe, line = self._process.stdout.fileno(), b""
        while b"\n" not in line and len(line) < 1 << 16:
            if time.time() >= deadline:
                break
            if not _readable(pipe, deadline - time.time()):
                continue
            chunk = os.read(pipe, 4096)
            if not chunk:
                break
            line += chunk
        return line.split(b"\n")[0]

    def stop(self):
        """Close its input, wait for its end, and kill it if that takes too long."""
        if os.getpid() != self._owner or self._process.stdin.closed:
            return
        self._process.stdin.close()
        deadline = time.time() + STOP_S
        while self._process.poll() is None and time.time() < deadline:
            # Python 2 has no wait with a deadline.
            time.sleep(0.01)
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        self._process.stdout.close()


def find_program():
    """Path of the `headend` program, or `None`."""
    named = os.environ.get("HEADEND_PROGRAM")
    if named:
        return named
    for folder in os.environ.get("PATH", "").split(os.pathsep):
        path = os.path.join(folder, "headend")
        if folder and os.access(path, os.X_OK) and os.path.isfile(path):
            return path
    return None


def _readable(descriptor, seconds):
    try:
        return bool(select.select([descriptor], [], [], max(0.0, seconds))[0])
    except select.error:
        # A signal on Python 2; the caller's loop looks at its deadline.
        return False
