"""The session: calls to the rack, one JSON object per line over a Unix stream socket.

One lock around a call makes it safe for threads. A signal handler may call while its own thread waits for an answer:
the lock is re-entrant and answers are told apart by their number. A forked child is refused before it touches the
lock or the socket.
"""

from __future__ import absolute_import

import errno
import json
import os
import socket
import struct
import threading

try:
    import fcntl
except ImportError:
    # No Linux and no macOS: the package can be imported, and a connect says what is missing.
    fcntl = None

from stormtest import _printed, _text
from stormtest._source import Sources
from stormtest._text import to_native
from stormtest.errors import CallRefused, SessionLost, StormTestError, WrongProcess

PROTOCOL = 1
MAX_LINE_BYTES = 1 << 20
ENV_SOCKET = "HEADEND_SESSION"
ENV_TOKEN = "HEADEND_SESSION_TOKEN"
_CHUNK = 1 << 16
_WHOLE_BYTES = 1 << 14
_LOOK_UP = struct.pack("ll", 0, 250000)


class Session(object):
    """An open session. `info`: what the rack said about it (job, run, script, public, out, rack, port, slots, ...)."""

    def __init__(self, path, token, script=None):
        """Connect to the socket at `path` and say hello with the run's `token`.

        `script`: the script's file, for a rack that has not started it.

        Raises `SessionLost` when nobody listens there, or the answer is not a welcome.
        """
        self._pid = os.getpid()
        self._lock = threading.RLock()
        self._path = path
        self._unsent = b""
        self._sending = False
        self._received = b""
        self._answers = {}
        self._waiting = set()
        self._last_id = 0
        self._lost = None
        self._socket = self._connected(path)
        hello = {"protocol": PROTOCOL, "token": token}
        if script:
            hello["script"] = _text.to_text(script)
        self._send(_line({"hello": hello}))
        message = None
        while message is None:
            message = self._read()
        if not isinstance(message, dict) or not isinstance(message.get("welcome"), dict):
            raise self._end("it answered hello with %s" % _short(message))
        self.info = to_native(message["welcome"])
        self._sources = Sources(self.info.get("script"), self.info.get("public"))

    def call(self, name, args):
        """Ask the rack; gives its answer with native strings.

        Raises `CallRefused` (the session goes on), `SessionLost`, or `WrongProcess` in a forked child.
        """
        self._check_process()
        _printed.settle()
        places = self._sources.places()
        with self._lock:
            if self._lost:
                raise SessionLost(self._lost)
            if self._sending:
                raise StormTestError("%s came from a signal handler while a long call was being sent; "
                                     "set a flag in the handler and call later" % name)
            self._last_id += 1
            number = self._last_id
            call = {"id": number, "call": name, "args": args}
            if places:
                call["source"] = places
            line = _line({"call": call})
            if len(line) > MAX_LINE_BYTES:
                raise StormTestError("call %s is %d bytes long, at most %d fit in a line; say less at once"
                                     % (name, len(line), MAX_LINE_BYTES))
            return self._answer(number, line)

    def close(self):
        """Hang up. The rack keeps what was reported."""
        self._socket.close()
        self._lost = self._lost or "the session was closed"

    def _check_process(self):
        if os.getpid() != self._pid:
            raise WrongProcess("process %d was forked from the script's process %d, which holds the session; "
                               "call stormtest there, and hand results over by a pipe or queue" % (os.getpid(), self._pid))

    def _answer(self, number, line):
        self._waiting.add(number)
        try:
            self._send(line)
            while number not in self._answers:
                self._take(self._read())
            reply = self._answers[number]
        finally:
            # Should a signal handler have raised while we waited: nobody will ask for the answer that may come.
            self._waiting.discard(number)
            self._answers.pop(number, None)
        if "ok" in reply:
            return to_native(reply["ok"])
        error = to_native(reply.get("error"))
        if not isinstance(error, dict):
            raise self._end("its answer has neither ok nor error")
        raise CallRefused(error.get("code", "bad_call"), error.get("message", "refused without a reason"))

    def _take(self, message):
        if message is None:
            return
        reply = message.get("reply") if isinstance(message, dict) else None
        if not isinstance(reply, dict) or "id" not in reply:
            raise self._end("it sent %s in place of a reply" % _short(message))
        if reply["id"] in self._waiting:
            self._answers[reply["id"]] = reply

    def _send(self, line):
        """Send a line. Should a handler raise right after a send, the line counts as sent, never as to be repeated."""
        # A short line goes out as a whole; only a long one may be half way when a signal handler wants to call.
        self._sending = bool(self._unsent) or len(line) > _WHOLE_BYTES
        try:
            self._flush()
            sent = _retry(self._socket.send, line)
            if sent < len(line):
                self._unsent = line[sent:]
                self._flush()
        except socket.error as error:
            raise self._end("sending failed: %s" % error)
        finally:
            self._sending = False

    def _flush(self):
        while self._unsent:
            self._unsent = self._unsent[_retry(self._socket.send, self._unsent):]

    def _read(self):
        """The next message, or `None` when nothing came for a while: a signal handler's call may have taken it."""
        while b"\n" not in self._received:
            if len(self._received) > MAX_LINE_BYTES:
                raise self._end("it sent a line of more than %d bytes" % MAX_LINE_BYTES)
            more = self._up_to_a_line()
            if more is None:
                return None
            self._received += more
        line, whole, rest = self._received.partition(b"\n")
        if not whole:
            # A signal handler's call took it, just now.
            return None
        self._received = rest
        try:
            return json.loads(line.decode("utf-8"))
        except ValueError:
            raise self._end("it sent a line that is not JSON: %r" % line[:80])

    def _up_to_a_line(self):
        """Bytes up to the end of a line. A look first: what a raising handler makes us lose is then a whole answer,
        of the very call that it ended."""
        try:
            ahead = _retry(self._socket.recv, _CHUNK, socket.MSG_PEEK)
            if not ahead:
                raise self._end("it closed the session")
            return _retry(self._socket.recv, ahead.find(b"\n") + 1 or len(ahead))
        except socket.error as error:
            if error.errno in (errno.EAGAIN, errno.EWOULDBLOCK):
                return None
            raise self._end("receiving failed: %s" % error)

    def _connected(self, path):
        try:
            plug = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            _keep_from_children(plug.fileno())
            # Not a limit on answers: only how soon we look whether a signal handler's call has taken ours.
            plug.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, _LOOK_UP)
            _retry(plug.connect, path)
            return plug
        except (socket.error, AttributeError) as error:
            raise self._end("connecting failed: %s" % error)

    def _end(self, what):
        self._lost = ("the rack's session at %s is gone: %s. The run cannot go on; "
                      "see the rack's log for the reason" % (self._path, what))
        return SessionLost(self._lost)


def _keep_from_children(descriptor):
    """Programs that the script starts must not hold the session open (Python 2 would hand it on)."""
    if fcntl is not None:
        fcntl.fcntl(descriptor, fcntl.F_SETFD, fcntl.fcntl(descriptor, fcntl.F_GETFD) | fcntl.FD_CLOEXEC)


def _line(message):
    # ASCII only: escaped text cannot be torn by a wrong encoding on the way.
    return json.dumps(message, separators=(",", ":"), allow_nan=False).encode("ascii") + b"\n"


def _short(message):
    return repr(message)[:120]


def _retry(call, *arguments):
    """`call(*arguments)`, again after a signal (Python 2 and its EINTR)."""
    while True:
        try:
            return call(*arguments)
        except socket.error as error:
            if error.errno != errno.EINTR:
                raise
