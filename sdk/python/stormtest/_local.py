"""A rack for a script that is run at a prompt: `headend session --local --out FOLDER`, with virtual boxes of one's own; or,
with a slot in `HEADEND_SLOT` (`rack1/4`) that `headend reserve` has taken, `headend session --slot SLOT --out FOLDER`, with
the real one. The program finds the server by itself (`HEADEND_SERVER`, `HEADEND_TOKEN`, or its credentials file), unless the
script names one (`_reserved`). With a rack file in `HEADEND_RACK_FILE` it is `headend session --file FILE --out FOLDER`, with the
tools of that file on this machine; `HEADEND_SLOT` then is the number of the slot, or several with commas.

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
# The rack of a reserved slot has to come, and hands the session's files over at the end.
START_FAR_S = 90.0
STOP_FAR_S = 125.0
# Tools have two minutes to come up, and are tried; a film has to be closed.
START_TOOLS_S = 150.0
STOP_TOOLS_S = 30.0
_INSTEAD = "or run the script with `headend run SCRIPT.py`, which brings a virtual set-top box along"


class LocalRack(object):
    """The program, while it runs. `socket`, `token`: of its session."""

    def __init__(self, out_folder, environment=None):
        """Start it; files go to the folder that `out_folder()` makes. `environment`: variables for it besides this process's own.

        Raises `StormTestError` that says what to do instead.
        """
        # Only needed at a prompt; under a rack the import would cost every script some milliseconds.
        import subprocess

        program = find_program()
        if program is None:
            raise StormTestError("there is no rack here, and the program `headend` is not found: put it on PATH "
                                 "or name it in HEADEND_PROGRAM, %s" % _INSTEAD)
        where, self._start_s, self._stop_s = _where()
        self._command = "session " + " ".join(where)
        try:
            command = [program, "session"] + where + ["--out", out_folder()]
            self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, close_fds=True,
                                             env=dict(os.environ, **(environment or {})))
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
            raise StormTestError("%s %s gave no session (it said %r and ended with %s); see what it wrote to standard "
                                 "error, use a headend that knows the command, %s"
                                 % (program, self._command, line[:80], self._process.poll(), _INSTEAD))

    def _first_line(self):
        deadline = time.time() + self._start_s
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
        deadline = time.time() + self._stop_s
        while self._process.poll() is None and time.time() < deadline:
            # Python 2 has no wait with a deadline.
            time.sleep(0.01)
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        self._process.stdout.close()


def on_a_reserved_slot():
    """A slot of a server is meant, not devices of this machine."""
    return bool(os.environ.get("HEADEND_SLOT")) and not os.environ.get("HEADEND_RACK_FILE")


def _where():
    """Options of `headend session`, and how many seconds its start and its end may take."""
    slot, rack_file = os.environ.get("HEADEND_SLOT", ""), os.environ.get("HEADEND_RACK_FILE")
    if rack_file:
        numbers = [number.strip() for number in slot.split(",") if number.strip()]
        chosen = [word for number in numbers for word in ("--slot", number)]
        return ["--file", rack_file] + chosen, START_TOOLS_S, STOP_TOOLS_S
    if slot:
        return ["--slot", slot], START_FAR_S, STOP_FAR_S
    return ["--local"], START_S, STOP_S


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
