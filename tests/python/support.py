"""A rack for tests: a session host that checks every line, and a supervisor that drives a warm interpreter."""

import fcntl
import json
import os
import select
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import textwrap
import threading
import time
import traceback
import zlib

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SDK = os.path.join(ROOT, "sdk", "python")
ZYGOTE = os.path.join(SDK, "stormtest", "zygote.py")
# Bound of every wait; nothing is expected to come near it.
DEADLINE_S = 120
MAX_LINE_BYTES = 1 << 20
TOKEN = "token-of-the-run"
NUMBER, TEXT, LIST, FLAG, MAP = int, str, list, bool, dict
REAL = float
NONE = type(None)
PLUGINS = os.path.join(ROOT, "plugins", "analysers")

# The arguments of every call, with their types: what the rack's reader takes, and nothing else.
CALLS = {
    "connect": {"server": (TEXT,), "description": (TEXT,)},
    "disconnect": {},
    "reserve_slot": {"slot": (NUMBER,), "params": (MAP,)},
    "free_slot": {"slot": (NUMBER,)},
    "allocations": {},
    "press": {"key": (TEXT,), "slot": (NUMBER, NONE)},
    "power": {"on": (FLAG,), "slot": (NUMBER, NONE)},
    "wait": {"ms": (NUMBER,)},
    "capture": {"rect": (LIST, NONE), "name": (TEXT, NONE), "slot": (NUMBER, NONE)},
    "log": {"level": (TEXT,), "text": (TEXT,)},
    "begin_region": {"name": (TEXT,)},
    "end_region": {"name": (TEXT,), "style": (TEXT, NONE), "comment": (TEXT, NONE)},
    "begin_step": {"name": (TEXT,)},
    "end_step": {"name": (TEXT,), "result": (NUMBER,), "comment": (TEXT, NONE)},
    "watch": {"question": (MAP,), "until": (TEXT,), "timeout_ms": (NUMBER,), "gap_ms": (NUMBER,), "slot": (NUMBER, NONE)},
    "analyse": {"question": (MAP,), "picture": (TEXT,)},
    "arm": {"question": (MAP,), "key": (TEXT, NONE), "presses": (NUMBER,), "timeout_ms": (NUMBER,), "slot": (NUMBER, NONE)},
    "armed": {"slot": (NUMBER, NONE)},
    "keep_frames": {"most": (NUMBER,), "first": (NUMBER,), "skip": (NUMBER,), "slot": (NUMBER, NONE)},
    "kept_frames": {"slot": (NUMBER, NONE)},
    "kept_frame": {"index": (NUMBER,), "slot": (NUMBER, NONE)},
    "serial_send": {"bytes": (TEXT,), "slot": (NUMBER, NONE)},
    "serial_read": {"from": (NUMBER,), "slot": (NUMBER, NONE)},
    "video_start": {"prefix": (TEXT, NONE), "slot": (NUMBER, NONE)},
    "video_stop": {"slot": (NUMBER, NONE)},
    "signal": {"slot": (NUMBER, NONE)},
    "inject": {"fault": (TEXT,), "slot": (NUMBER, NONE)},
    "measure": {"name": (TEXT,), "value": (REAL,), "unit": (TEXT, NONE)},
    "artifact": {"path": (TEXT,), "name": (TEXT, NONE)},
    "result": {"code": (NUMBER,), "comment": (TEXT, NONE)},
}
# Those that may be left out.
MORE = {"measure": {"low": (REAL,), "high": (REAL,)}}
_KINDS = {"integer": (NUMBER,), "number": (NUMBER, REAL), "string": (TEXT,), "array": (LIST,), "boolean": (FLAG,)}


def manifest(analyser):
    """The schema of an analyser's parameters, or `None`: no such analyser here, or this Python reads no TOML."""
    try:
        import tomllib
        with open(os.path.join(PLUGINS, analyser, "headend-plugin.toml"), "rb") as source:
            return tomllib.load(source)["parameters"]
    except (ImportError, OSError):
        return None


def png(path, width=64, height=36, colour=(47, 106, 162)):
    """Write a PNG of one colour."""
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = (b"\0" + bytes(colour) * width) * height
    with open(path, "wb") as out:
        out.write(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)))
        out.write(chunk(b"IDAT", zlib.compress(rows, 1)) + chunk(b"IEND", b""))
    return path


class Refusal(Exception):
    """The host's answer to a call is an error: `(code, message)`."""


class Host:
    """Serves sessions on a Unix socket, in a thread. `calls`: `(name, args)` of all that came in; `faults`: what was
    wrong with the lines; `leased`: real slots; `refuse`: call name to `(code, message)`; `hang_up_on`: call name."""

    def __init__(self, folder, **info):
        self.out = os.path.join(folder, "out")
        os.makedirs(self.out, exist_ok=True)
        self.path = os.path.join(folder, "session.sock")
        self.calls, self.faults, self.lines = [], [], []
        # Where in the script each call stands, as the package tells it.
        self.sources = []
        self.leased = [7, 9]
        self.info = dict({"job": 1, "run": 2, "attempt": 1, "script": "/s.py", "args": [], "public": "/area/public",
                          "out": self.out, "rack": "rack1", "port": 8001, "slots": self.leased,
                          "under_daemon": True}, **info)
        self.refuse, self.hang_up_on, self.garbage_on = {}, None, None
        self.dead_keys = set()
        # What analysers say: by name a verdict, or a function of the question that gives one.
        self.verdicts = {}
        self.signal = {"present": True, "width": 64, "height": 36, "rate": 25.0}
        self.serial, self.sent, self.recording = [], [], []
        self.armed, self.clock_us = None, 0
        # Single frames after a key: those that there would be, and which of them are wanted.
        self.frames, self.frames_wanted = [], None
        self.scripts = []
        self.alarm = None
        self._connected, self._reserved, self._result = False, [], None
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listener.bind(self.path)
        self._listener.listen(8)
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self):
        self._listener.close()

    def environment(self):
        return {"HEADEND_SESSION": self.path, "HEADEND_SESSION_TOKEN": TOKEN}

    def names(self):
        return [name for name, _ in self.calls]

    def logs(self):
        return [args["text"] for name, args in self.calls if name == "log"]

    def _accept(self):
        while True:
            try:
                plug, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve_telling, args=(plug,), daemon=True).start()

    def _serve_telling(self, plug):
        """A session that breaks here looks to the script like a rack that has gone: the test is to say why."""
        try:
            self._serve(plug)
        except (BrokenPipeError, ConnectionResetError):
            pass  # the script has gone first
        except Exception:
            self.faults.append(traceback.format_exc())

    def _serve(self, plug):
        with plug, plug.makefile("rb") as lines:
            hello = json.loads(lines.readline(MAX_LINE_BYTES))
            # At a prompt it says which file it runs, and nowhere else.
            script = hello.get("hello", {}).pop("script", None)
            self.scripts.append(script)
            if hello != {"hello": {"protocol": 1, "token": TOKEN}} or script and not os.path.isabs(script):
                self.faults.append("hello: %r" % hello)
                return
            self._send(plug, {"welcome": self.info})
            for line in lines:
                if not self._line(plug, line):
                    # Not to be had as an end of file alone: makefile holds the socket too.
                    plug.shutdown(socket.SHUT_RDWR)
                    return

    def _line(self, plug, line):
        self.lines.append(line)
        if len(line) > MAX_LINE_BYTES or not line.endswith(b"\n"):
            self.faults.append("a line of %d bytes" % len(line))
        message = json.loads(line)
        call = message.get("call")
        if list(message) != ["call"] or set(call) - {"source"} != {"id", "call", "args"}:
            self.faults.append("not a call: %r" % message)
            return False
        name, args = call["call"], call["args"]
        self._check(name, args)
        self.calls.append((name, args))
        self.sources.append((name, call.get("source", [])))
        if name == self.hang_up_on:
            return False
        if name == self.garbage_on:
            plug.sendall(b"no json\n")
            return True
        try:
            reply = {"ok": self._answer(name, args)}
        except Refusal as refusal:
            reply = {"error": {"code": refusal.args[0], "message": refusal.args[1]}}
        self._send(plug, {"reply": dict(id=call["id"], **reply)})
        return True

    def _check(self, name, args):
        shape = CALLS.get(name)
        more = dict((key, types) for key, types in MORE.get(name, {}).items() if key in args)
        shape = shape if shape is None else dict(shape, **more)
        if shape is None or set(args) != set(shape):
            self.faults.append("call %s has arguments %s" % (name, sorted(args)))
            return
        for key, types in shape.items():
            if type(args[key]) not in types:
                self.faults.append("%s.%s is %r" % (name, key, args[key]))
        json.dumps(args, ensure_ascii=False).encode("utf-8")  # a lone surrogate would raise
        if "question" in args:
            self._check_question(args["question"])

    def _check_question(self, question):
        if set(question) != {"analyser", "parameters", "references"}:
            self.faults.append("a question with %s" % sorted(question))
            return
        for reference in question["references"]:
            if set(reference) != {"name", "path"} or not os.path.isabs(reference["path"]) or not os.path.isfile(
                    reference["path"]):
                self.faults.append("the reference %r" % reference)
        schema, parameters = manifest(question["analyser"]), question["parameters"]
        for name in set(schema["required"]) - set(parameters) - {"from_us"} if schema and "required" in schema else ():
            self.faults.append("%s lacks %s" % (question["analyser"], name))
        for name, value in parameters.items() if schema else ():
            told = schema["properties"].get(name)
            kinds = _KINDS[told["type"]] if told else ()
            if type(value) not in kinds or "enum" in told and value not in told["enum"]:
                self.faults.append("%s.%s is %r" % (question["analyser"], name, value))

    @staticmethod
    def _send(plug, message):
        plug.sendall(json.dumps(message, ensure_ascii=False).encode("utf-8") + b"\n")

    def _answer(self, name, args):
        if name in self.refuse:
            raise Refusal(*self.refuse[name])
        special = getattr(self, "_do_" + name, None)
        return special(**args) if special else None

    def _verdict(self, question):
        verdict = self.verdicts.get(question["analyser"], {})
        verdict = verdict(question) if callable(verdict) else verdict
        return dict({"met": False, "passed": False, "score": 0.0, "sentence": "", "values": {}, "found": [],
                     "at_us": self.clock_us, "looks": 1, "seconds": 0.0, "picture": None}, **verdict)

    def picture(self, name):
        """A picture in the run's folder, as a watch leaves it."""
        return png(os.path.join(self.out, name))

    def _do_watch(self, question, until, timeout_ms, gap_ms, slot):
        answers = []
        for one in self._slots(slot):
            value = self._verdict(question)
            value["met"] = until != "end" and value["passed"] == (until == "match")
            if not value["met"]:
                self.clock_us += timeout_ms * 1000
                value["seconds"] = timeout_ms / 1000.0
            if value["picture"] is None:
                value["picture"] = self.picture("watch_%d.png" % len(self.calls))
            answers.append({"slot": one, "value": value})
        return answers

    def _do_analyse(self, question, picture):
        if picture.startswith("frame:"):
            return self.frames[int(picture.split("/")[1])]
        if not os.path.isfile(picture):
            raise Refusal("bad_call", "no picture at %s" % picture)
        return self._verdict(question)

    def _do_arm(self, question, key, presses, timeout_ms, slot):
        slots = self._slots(slot)
        self.armed = [dict(self._verdict(question), met=True, passed=True, seconds=1.28, looks=32) for _ in slots]
        return [{"slot": one, "value": True} for one in slots]

    def _do_armed(self, slot):
        if self.armed is None:
            raise Refusal("bad_call", "nothing is armed")
        return [{"slot": one, "value": value} for one, value in zip(self._slots(slot), self.armed)]

    def _do_keep_frames(self, most, first, skip, slot):
        self.frames_wanted = most, first, skip
        return [{"slot": one, "value": True} for one in self._slots(slot)]

    def _do_kept_frames(self, slot):
        value = {"count": len(self.frames), "width": 64, "height": 36}
        return [{"slot": one, "value": value} for one in self._slots(slot)]

    def _do_kept_frame(self, index, slot):
        path = self.picture("zapframe_%d.jpg" % index)
        value = {"path": path, "width": 64, "height": 36} if index < len(self.frames) else None
        return [{"slot": one, "value": value} for one in self._slots(slot)]

    def _do_serial_send(self, bytes, slot):
        self.sent.append(bytes)
        return [{"slot": one, "value": True} for one in self._slots(slot)]

    def _do_serial_read(self, slot, **where):
        lines = [{"at_us": 1, "text": text} for text in self.serial[where["from"]:]]
        value = {"lines": lines, "next": len(self.serial), "lost": 0}
        return [{"slot": one, "value": value} for one in self._slots(slot)]

    def _do_video_start(self, prefix, slot):
        self.recording = self._slots(slot)
        return [{"slot": one, "value": "%s/%sVid_%d.avi" % (self.out, prefix or "", one)} for one in self.recording]

    def _do_video_stop(self, slot):
        stopped, self.recording = [one for one in self.recording if slot in (None, one)], []
        return [{"slot": one, "value": True} for one in stopped]

    def _do_signal(self, slot):
        return [{"slot": one, "value": self.signal} for one in self._slots(slot)]

    def _do_inject(self, fault, slot):
        return [{"slot": one, "value": True} for one in self._slots(slot)]

    def _do_measure(self, name, value, unit, low=None, high=None):
        if low is None and high is None:
            return None
        return (low is None or value >= low) and (high is None or value <= high)

    def _do_wait(self, ms):
        self.clock_us += ms * 1000
        # In the middle of the script's call: it is waiting for this answer.
        if self.alarm:
            os.kill(self.alarm, signal.SIGALRM)

    def _do_connect(self, server, description):
        if description.startswith("alarm "):
            self.alarm = int(description.split()[1])
        before, self._connected = self._connected, True
        return not before

    def _do_disconnect(self):
        self._connected, self._reserved = False, []
        return True

    def _do_reserve_slot(self, slot, params):
        if not self._connected:
            raise Refusal("not_connected", "call ConnectToServer first")
        if slot in self._reserved or len(self._reserved) == len(self.leased):
            return False
        self._reserved.append(slot)
        return True

    def _do_free_slot(self, slot):
        held = slot in self._reserved
        self._reserved = [one for one in self._reserved if one != slot]
        return held

    def _do_allocations(self):
        return {"server": "rack1:8001", "slots": self.leased}

    def _slots(self, slot):
        slots = [one for one in self._reserved if slot in (None, one)]
        if not slots:
            raise Refusal("no_slot", "no slot is reserved: call ReserveSlot first")
        return slots

    def _do_press(self, key, slot):
        self.serial.append("key %s" % key)
        return [{"slot": one, "value": key not in self.dead_keys} for one in self._slots(slot)]

    def _do_power(self, on, slot):
        return [{"slot": one, "value": True} for one in self._slots(slot)]

    def _do_capture(self, rect, name, slot):
        answers = []
        for one in self._slots(slot):
            path = os.path.join(self.out, "%d-%s" % (one, name or "unnamed.png"))
            png(path)
            answers.append({"slot": one, "value": {"path": path, "width": 4, "height": 3}})
        return answers

    def _do_result(self, code, comment):
        if code not in (100, 101, 110, 111):
            raise Refusal("bad_result", "%d is no result" % code)
        before, self._result = self._result, code
        return before is None


class Zygote:
    """A warm interpreter and its supervisor's end."""

    def __init__(self, python, folder, flags=(), env=None, zygote=ZYGOTE, before=()):
        """`before`: a program and its arguments that starts the interpreter in its turn."""
        self.folder = folder
        self.process = subprocess.Popen(list(before) + [python, zygote] + list(flags), stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, env=env)
        self._heard = b""
        self._number = 0
        self._early = []
        self.ready = self.news()["ready"]

    def close(self):
        """End it as a supervisor does; gives its exit code."""
        if not self.process.stdin.closed:
            self.process.stdin.close()
        try:
            return self.process.wait(DEADLINE_S)
        finally:
            self.process.kill()
            self.process.stdout.close()

    def order(self, words):
        self.process.stdin.write(json.dumps(words).encode("utf-8") + b"\n")
        self.process.stdin.flush()

    def fork(self, source, name="script.py", **changes):
        """Order a run of a script with this source; gives its number."""
        self._number += 1
        order = {"run": self._number, "script": os.path.join(self.folder, name), "args": [], "cwd": self.folder,
                 "env": {"PATH": os.environ.get("PATH", "")}, "console": self.console(self._number),
                 "console_bytes": 1 << 20, "memory_bytes": 0, "processes": 0, "cpu_seconds": 0, "cgroup": None}
        order.update(changes)
        if source is not None:
            with open(order["script"], "wb") as script:
                script.write(textwrap.dedent(source).encode("utf-8"))
        self.order({"fork": order})
        return self._number

    def kill(self, run, grace_ms):
        self.order({"kill": {"run": run, "grace_ms": grace_ms}})

    def console(self, run):
        return os.path.join(self.folder, "console-%d" % run)

    def printed(self, run):
        with open(self.console(run), "rb") as console:
            return console.read().decode("utf-8")

    def news(self):
        """The next piece of news."""
        while b"\n" not in self._heard:
            if not select.select([self.process.stdout], [], [], DEADLINE_S)[0]:
                raise AssertionError("no news within %d s" % DEADLINE_S)
            data = os.read(self.process.stdout.fileno(), 1 << 16)
            if not data:
                raise AssertionError("the zygote ended with %s" % self.process.wait())
            self._heard += data
        line, self._heard = self._heard.split(b"\n", 1)
        return json.loads(line)

    def wait_for(self, kind, run):
        """News of that kind about that run; `failed` ends every wait. Other runs' news is kept for their waiters."""
        while True:
            for piece in self._early:
                if list(piece)[0] in (kind, "failed") and list(piece.values())[0]["run"] == run:
                    self._early.remove(piece)
                    return piece
            self._early.append(self.news())

    def end(self, run):
        """How the run ended, with what it printed."""
        piece = self.wait_for("exited", run)
        return piece.get("exited") or piece, self.printed(run) if os.path.exists(self.console(run)) else ""

    def run(self, source, **changes):
        """Run a script to its end: `(exited, printed)`."""
        return self.end(self.fork(source, **changes))

    def wait_printed(self, run, text):
        """Until the run has printed `text`."""
        wait_until(lambda: os.path.exists(self.console(run)) and text in self.printed(run), "%r printed" % text)

    def descriptors(self):
        return len(os.listdir("/proc/%d/fd" % self.process.pid))

    def children(self):
        """States of its children in the process table, zombies among them."""
        found = []
        for name in filter(str.isdigit, os.listdir("/proc")):
            try:
                with open("/proc/%s/stat" % name) as stat:
                    state, parent = stat.read().rpartition(")")[2].split()[:2]
            except OSError:
                continue
            if int(parent) == self.process.pid:
                found.append(state)
        return found


def wait_until(condition, what):
    """Until `condition()` holds. The pause only spares the processor; nothing depends on its length."""
    deadline = time.monotonic() + DEADLINE_S
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError("not within %d s: %s" % (DEADLINE_S, what))
        time.sleep(0.005)


def is_free(path):
    """Nobody holds the lock on this file: whoever did is dead."""
    with open(path, "a") as held:
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True


class WithFolder:
    """A folder of its own for each test, and errors of the process end told with it."""

    def setUp(self):
        self.folder = os.path.realpath(tempfile.mkdtemp(prefix="headend-"))
        self.addCleanup(shutil.rmtree, self.folder, True)

    def write(self, name, text):
        path = os.path.join(self.folder, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as target:
            target.write(textwrap.dedent(text).encode("utf-8"))
        return path

    def python_environment(self, **more):
        env = {"PATH": os.environ.get("PATH", ""), "PYTHONPATH": SDK, "PYTHONDONTWRITEBYTECODE": "1",
               "PYTHONIOENCODING": "utf-8", "HOME": self.folder}
        env.update(more)
        return env


class WithScripts(WithFolder):
    """Scripts on one interpreter, `self.python`, with a rack for tests or without."""

    PRELUDE = u"""# -*- coding: utf-8 -*-
from __future__ import print_function
import json, os, sys
import stormtest.ClientAPI as S
out = {}
def raised(call):
    try:
        call()
    except BaseException as error:
        return [type(error).__name__, str(error)]
"""
    EPILOGUE = u"""
print("OUT" + json.dumps(out))
"""

    def setUp(self):
        super().setUp()
        self.host = None

    def host_with(self, **info):
        self.host = Host(self.folder, **info)
        self.addCleanup(self.host.close)
        return self.host

    def play(self, source, code=0, script="script.py", **env):
        """Run a script; gives its `out`. With a host, every line it sent must have been right."""
        path = self.write(script, self.PRELUDE + source + self.EPILOGUE)
        if self.host:
            env = dict(self.host.environment(), **env)
        done = subprocess.run([self.python, path], env=self.python_environment(**env), stdin=subprocess.DEVNULL,
                              cwd=os.path.dirname(path), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              timeout=DEADLINE_S)
        self.stderr = done.stderr.decode("utf-8")
        self.assertEqual(done.returncode, code, self.stderr)
        if self.host:
            self.assertEqual(self.host.faults, [])
        told = [line for line in done.stdout.decode("utf-8").splitlines() if line.startswith("OUT")]
        return json.loads(told[-1][3:]) if told else None


SIGKILL, SIGTERM = int(signal.SIGKILL), int(signal.SIGTERM)
