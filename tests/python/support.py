"""A rack for tests: a session host that checks every line, and a supervisor that drives a warm interpreter."""

import fcntl
import json
import os
import select
import shutil
import signal
import socket
import subprocess
import tempfile
import textwrap
import threading
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SDK = os.path.join(ROOT, "sdk", "python")
ZYGOTE = os.path.join(SDK, "stormtest", "zygote.py")
# Bound of every wait; nothing is expected to come near it.
DEADLINE_S = 120
MAX_LINE_BYTES = 1 << 20
TOKEN = "token-of-the-run"
NUMBER, TEXT, LIST, FLAG, MAP = int, str, list, bool, dict
NONE = type(None)

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
    "result": {"code": (NUMBER,), "comment": (TEXT, NONE)},
}


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
        self.leased = [7, 9]
        self.info = dict({"job": 1, "run": 2, "attempt": 1, "script": "/s.py", "args": [], "public": "/area/public",
                          "out": self.out, "rack": "rack1", "port": 8001, "slots": self.leased,
                          "under_daemon": True}, **info)
        self.refuse, self.hang_up_on, self.garbage_on = {}, None, None
        self.dead_keys = set()
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
            threading.Thread(target=self._serve, args=(plug,), daemon=True).start()

    def _serve(self, plug):
        with plug, plug.makefile("rb") as lines:
            hello = json.loads(lines.readline(MAX_LINE_BYTES))
            if hello != {"hello": {"protocol": 1, "token": TOKEN}}:
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
        if list(message) != ["call"] or set(call) != {"id", "call", "args"}:
            self.faults.append("not a call: %r" % message)
            return False
        name, args = call["call"], call["args"]
        self._check(name, args)
        self.calls.append((name, args))
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
        if shape is None or set(args) != set(shape):
            self.faults.append("call %s has arguments %s" % (name, sorted(args)))
            return
        for key, types in shape.items():
            if type(args[key]) not in types:
                self.faults.append("%s.%s is %r" % (name, key, args[key]))
        json.dumps(args, ensure_ascii=False).encode("utf-8")  # a lone surrogate would raise

    @staticmethod
    def _send(plug, message):
        plug.sendall(json.dumps(message, ensure_ascii=False).encode("utf-8") + b"\n")

    def _answer(self, name, args):
        if name in self.refuse:
            raise Refusal(*self.refuse[name])
        special = getattr(self, "_do_" + name, None)
        return special(**args) if special else None

    def _do_wait(self, ms):
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
        return [{"slot": one, "value": key not in self.dead_keys} for one in self._slots(slot)]

    def _do_power(self, on, slot):
        return [{"slot": one, "value": True} for one in self._slots(slot)]

    def _do_capture(self, rect, name, slot):
        answers = []
        for one in self._slots(slot):
            path = os.path.join(self.out, "%d-%s" % (one, name or "unnamed.png"))
            with open(path, "wb") as picture:
                picture.write(b"picture")
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


SIGKILL, SIGTERM = int(signal.SIGKILL), int(signal.SIGTERM)
