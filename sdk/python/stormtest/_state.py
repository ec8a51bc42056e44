"""What this process knows: its session if it has one, and where its files go.

Under a rack (or `headend run`) the session is opened once, when `stormtest.ClientAPI` is imported. At a prompt there
is none until `ConnectToServer` starts a local virtual rack; until then log lines go to standard error.
"""

from __future__ import absolute_import

import datetime
import os
import re
import sys

from stormtest import _text
from stormtest._session import ENV_SOCKET, ENV_TOKEN, Session
from stormtest.errors import CallRefused

# Refusals that a script sees as a false result, as the Client API has it. The others are raised.
SOFT_CODES = ("not_connected", "no_slot", "device")
# Refusals after which no call of the run can do any good. They are raised by every call.
FINAL_CODES = ("lease_lost",)
# Calls during which time passes at the devices: what came in meanwhile is then looked at.
_PASSING = frozenset(("wait", "press", "power", "watch", "armed", "serial_send"))
# While somebody listens, a long wait is cut into parts of this length.
_PART_MS = 500
# A log line goes out in parts of this size, other texts are cut to it: with every character escaped twelvefold
# a line still fits the session's megabyte.
TEXT_CHARS = 64 << 10
NAME_CHARS = 8 << 10


class State(object):
    """Of one process. All fields are read by the calls; only this package writes them."""

    def __init__(self):
        self.session = None
        self.local_rack = None
        self.connected_to = None
        self.reserved = []
        self.debug_level = 4
        self.master = None
        self.log_dir = None
        self.project_dir = None
        self.image_dir = None
        self.languages = []
        # Called after every call during which time passes, once something is observed.
        self.observer = None
        self._out = None

    def join_from_environment(self):
        """Open the session that the environment names, if it names one and none is open. Raises `SessionLost`."""
        path = os.environ.get(ENV_SOCKET)
        if path and self.session is None:
            self.session = Session(path, os.environ.get(ENV_TOKEN, ""))

    @property
    def under_daemon(self):
        """A rack's daemon runs this script."""
        return self.session is not None and bool(self.session.info.get("under_daemon"))

    @property
    def public(self):
        """The public area under a daemon, else `None` (document 4.9)."""
        return self.session.info.get("public") if self.session else None

    def ask(self, call_, **args):
        """A call. Raises `CallRefused`, with `not_connected` while there is no session."""
        if self.session is None:
            raise CallRefused("not_connected", "not connected: call ConnectToServer first")
        answer = self.session.call(call_, args)
        if self.observer is not None and call_ in _PASSING:
            self.observer.catch_up()
        return answer

    def pass_time(self, ms):
        """Wait at the devices for so many milliseconds; while something is observed in parts, so that it is heard."""
        while self.observer is not None and ms > _PART_MS:
            self.ask("wait", ms=_PART_MS)
            ms -= _PART_MS
        self.ask("wait", ms=ms)

    def ask_gently(self, failure_, call_, default_=None, **args):
        """A call whose refusals become an ERROR line `failure_: reason` and `default_`, unless the run is over."""
        try:
            return self.ask(call_, **args)
        except CallRefused as refusal:
            if refusal.code in FINAL_CODES:
                raise
            self.log("error", u"%s: %s" % (_text.to_text(failure_), _text.to_text(refusal)))
            return default_

    def ask_softly(self, failure_, default_, call_, **args):
        """A call whose soft refusals become an ERROR line `failure_: reason` and the answer `default_`."""
        try:
            return self.ask(call_, **args)
        except CallRefused as refusal:
            if refusal.code not in SOFT_CODES:
                raise
            self.log("error", u"%s: %s" % (_text.to_text(failure_), _text.to_text(refusal)))
            return default_

    def log(self, level, text):
        """A line in the run's log; on standard error while there is no session."""
        text = _text.to_text(text)
        if self.session is None:
            to_stderr(u"%s %s" % (level.upper(), text))
            return
        for piece in _text.pieces(text, TEXT_CHARS):
            self.ask("log", level=level, text=piece)

    def out_folder(self):
        """Absolute folder of this run's files; made on the first call at a prompt."""
        if self.session is not None:
            return self.session.info["out"]
        if self._out is None:
            self._out = self._make_out_folder()
        return self._out

    def _make_out_folder(self):
        base = os.path.join(self.project_dir or os.getcwd(), self.log_dir or "log")
        script = os.path.splitext(os.path.basename(getattr(sys, "argv", [""])[0] or "interactive"))[0]
        now = datetime.datetime.now()
        name = "%s_%s_%02d" % (script, now.strftime("%Y%m%d_%H%M%S"), now.microsecond // 10000)
        folder = os.path.abspath(os.path.join(base, name))
        if not os.path.isdir(folder):
            os.makedirs(folder)
        return folder

    def find_file(self, path):
        """A script's file name on this system: `\\` or `/`, below `SetDirectories` or the working folder."""
        path = re.sub(r"[\\/]+", "/", path)
        return os.path.join(self.image_dir or "", path)


def to_stderr(text):
    """A line for people at a prompt, whatever their terminal can show."""
    line = (u"stormtest: %s\n" % text).encode("utf-8", "replace")
    getattr(sys.stderr, "buffer", sys.stderr).write(line)
    sys.stderr.flush()


STATE = State()
