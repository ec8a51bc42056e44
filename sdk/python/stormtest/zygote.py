"""A warm Python interpreter that forks a process per test script: `python zygote.py [OPTIONS]`.

`--no-namespaces`, `--user-namespaces`: do without PID namespaces, or make them the way a user without rights does;
else the best way is found out. `--hide FOLDER`: no run may look into it, wherever it lies.

Orders come as JSON lines on standard input, news goes to standard output: `fork` and `kill`; `ready`, `forked`,
`exited` and `failed`. It runs no foreign code itself: each run gets a keeper (`_keeper`), which forks the script
(`_runner`). When standard input closes, or on SIGTERM, it kills every run and ends.

It starts itself again with an empty environment, so that a script cannot read its parent's from `/proc`.
"""

# Before any other import: what a bare interpreter has loaded anyway.
import sys

_BARE = frozenset(sys.modules)

import os

_HERE = os.path.dirname(os.path.abspath(__file__))
if sys.path and os.path.abspath(sys.path[0] or ".") == _HERE:
    # As a script's folder it would make this package's files top-level modules.
    del sys.path[0]
if os.path.dirname(_HERE) not in sys.path:
    sys.path.append(os.path.dirname(_HERE))

import ctypes
import gc
import json
import signal

from stormtest import _ending, _keeper, _linux, _runner, _sandbox, _watch
# Warm for scripts: all that `ClientAPI` takes its calls from, but not that module, which joins a session.
from stormtest import (_beyond, _capture, _colours, _facility, _image_match, _log, _modules, _motion,  # noqa: F401
                       _navigators, _ocr, _remote, _resources, _screens, _serial, _server, _video, _zap,  # noqa: F401
                       stormtest_client)  # noqa: F401

WARM = "--warm"
NO_NAMESPACES = "--no-namespaces"
USER_NAMESPACES = "--user-namespaces"
HIDE = "--hide"
MAX_ORDER_BYTES = 4 << 20
# How long a keeper may take beyond its own deadlines before it is killed itself.
KEEPER_SLACK_S = _keeper.SWEEP_S + _keeper.DRAIN_S + 3.0
STOP_S = 5.0


class _Run(object):
    """One run, as the zygote sees it."""

    def __init__(self, number, pid, report, control):
        self.number = number
        self.pid = pid
        self.report = report
        self.control = control
        self.heard = b""
        self.told = False
        self.give_up_at = None


class Zygote(object):
    """The loop over orders and keepers. Single-threaded: a fork copies only the thread that forks."""

    def __init__(self, orders, news, kinds, hidden):
        self._orders, self._news = orders, news
        self._heard = b""
        self._runs = {}
        self._stopping = False
        self._namespaces = _linux.Namespaces(kinds)
        self._sandbox = _sandbox.Base(hidden)
        self._watch = _watch.Watch()
        _linux.adopt_orphans()
        signal.signal(signal.SIGTERM, self._stop)
        signal.signal(signal.SIGINT, signal.SIG_IGN)

    def serve(self):
        """Until told to stop. Gives `None`, or in a script's process its plan."""
        version = ".".join(str(part) for part in sys.version_info[:3])
        self._tell("ready", version=version, namespaces=self._namespaces.kind is not None,
                   users=self._namespaces.kind == "user", mounts=self._namespaces.mounts,
                   landlock=self._sandbox.version)
        while not self._stopping:
            sources = [self._orders] + [run.report for run in self._runs.values()]
            for source in self._watch.ready(sources, self._seconds_left()):
                plan = self._hear_orders() if source == self._orders else self._hear_keeper(source)
                if plan is not None:
                    return plan
            self._look_after_runs()
        self._stop_all()
        return None

    def _tell(self, kind, **words):
        if not _watch.write_all(self._news, json.dumps({kind: words}).encode("ascii") + b"\n"):
            self._stopping = True

    def _stop(self, _number, _frame):
        self._stopping = True

    # Orders

    def _hear_orders(self):
        data = _watch.read_some(self._orders)
        self._heard += data
        if not data or len(self._heard) > MAX_ORDER_BYTES and b"\n" not in self._heard:
            self._stopping = True
        while b"\n" in self._heard and not self._stopping:
            line, self._heard = self._heard.split(b"\n", 1)
            plan = self._obey(line)
            if plan is not None:
                return plan
        return None

    def _obey(self, line):
        try:
            order = json.loads(line.decode("utf-8"))
            if "fork" in order:
                return self._fork(order["fork"])
            return self._kill(order["kill"]["run"], int(order["kill"]["grace_ms"]))
        except (ValueError, KeyError, TypeError) as error:
            # The supervisor and this file are released together: an order that cannot be read is a fault.
            sys.stderr.write("zygote: cannot read the order %r: %s: %s\n" % (line[:200], type(error).__name__, error))
            self._stopping = True
            return None

    def _fork(self, order):
        number = order["run"]
        if number in self._runs:
            return self._tell("failed", run=number, reason="run %d is here already" % number)
        missing = [name for name in ("script", "args", "cwd", "env", "console", "console_bytes") if name not in order]
        if missing:
            return self._tell("failed", run=number, reason="the order lacks " + ", ".join(missing))
        pipes = []
        try:
            pipes += os.pipe()
            pipes += os.pipe()
            pid = self._namespaces.fork()
        except OSError as error:
            for descriptor in pipes:
                os.close(descriptor)
            return self._tell("failed", run=number, reason="cannot fork: %s" % error)
        report, report_end, control, control_end = pipes
        if pid == 0:
            return _keeper.keep(order, report_end, control, (self._namespaces, self._sandbox))
        os.close(report_end)
        os.close(control)
        self._runs[number] = _Run(number, pid, report, control_end)
        return None

    def _kill(self, number, grace_ms):
        run = self._runs.get(number)
        # A run that has just ended is no fault: its news is on the way.
        if run is not None:
            _watch.write_all(run.control, ("kill %d\n" % max(0, grace_ms)).encode("ascii"))
            run.give_up_at = _watch.now() + max(0, grace_ms) / 1000.0 + KEEPER_SLACK_S

    # Keepers

    def _hear_keeper(self, report):
        run = next(one for one in self._runs.values() if one.report == report)
        data = _watch.read_some(report)
        run.heard += data
        while b"\n" in run.heard:
            line, run.heard = run.heard.split(b"\n", 1)
            self._pass_on(run, json.loads(line.decode("ascii")))
        if not data:
            self._forget(run)
        return None

    def _pass_on(self, run, words):
        if "started" in words:
            return self._tell("forked", run=run.number, pid=run.pid)
        run.told = True
        if "failed" in words:
            return self._tell("failed", run=run.number, reason=words["failed"])
        return self._tell("exited", run=run.number, **words["exited"])

    def _forget(self, run):
        os.close(run.report)
        os.close(run.control)
        del self._runs[run.number]
        if not run.told:
            self._keeper_died(run)

    def _keeper_died(self, run):
        """The keeper ended without a word: somebody killed it, or it took too long."""
        left = 0
        if self._namespaces.kind is None:
            left = self._kill_strays()
        self._tell("exited", run=run.number, code=None, signal=signal.SIGKILL, leaked=left,
                   unkillable=run.give_up_at is not None)

    def _kill_strays(self):
        keepers = [run.pid for run in self._runs.values()]
        strays = _linux.descendants(os.getpid(), keepers)
        for pid in strays:
            _linux.signal_quietly(pid, signal.SIGKILL)
        return len(strays)

    def _look_after_runs(self):
        for run in self._runs.values():
            if run.give_up_at is not None and _watch.now() > run.give_up_at:
                _linux.signal_quietly(run.pid, signal.SIGKILL)
        _watch.ended_children()

    def _seconds_left(self):
        due = [run.give_up_at for run in self._runs.values() if run.give_up_at is not None]
        return max(0.05, min(due) - _watch.now()) if due else None

    def _stop_all(self):
        """Every keeper kills its run at once; those that linger are killed."""
        runs = list(self._runs.values())
        for run in runs:
            os.close(run.control)
        deadline, others = _watch.now() + STOP_S, True
        while others and _watch.now() < deadline:
            others = _watch.ended_children()[1]
            if others:
                self._watch.ready([], 0.05)
        for run in runs:
            _linux.signal_quietly(run.pid, signal.SIGKILL)
        self._kill_strays()


def _start_clean():
    """Become a process whose first environment is empty: `/proc/PID/environ` shows that one for ever."""
    # File names are UTF-8 whatever the rack's locale is (Python 3.6 asks the locale); libraries must still be found.
    kept = {"LC_CTYPE": "C.UTF-8"}
    if "LD_LIBRARY_PATH" in os.environ:
        kept["LD_LIBRARY_PATH"] = os.environ["LD_LIBRARY_PATH"]
    isolated = ["-I"] if sys.version_info[0] >= 3 else ["-E", "-s"]
    os.execve(sys.executable, [sys.executable] + isolated + [os.path.abspath(__file__), WARM] + sys.argv[1:], kept)


def _own_descriptors():
    """Orders and news move off 0 and 1, which stay free for what a script prints."""
    orders, news = os.dup(0), os.dup(1)
    null = os.open(os.devnull, os.O_RDWR)
    os.dup2(null, 0)
    os.dup2(null, 1)
    os.close(null)
    return orders, news


def _buffer_by_lines():
    """Python 2 prints through C's stdout, whose buffering is set once and for all."""
    if sys.version_info[0] < 3:
        libc = ctypes.CDLL(None)
        libc.setvbuf(ctypes.c_void_p.in_dll(libc, "stdout"), None, 1, 0)
        for stream in (sys.stdout, sys.stderr):
            ctypes.pythonapi.PyFile_SetEncodingAndErrors(ctypes.py_object(stream), b"utf-8", b"replace")


def _settle():
    """Nothing that is loaded now will be garbage: the collector need not touch, and so copy, its pages."""
    gc.collect()
    gc.disable()
    getattr(gc, "freeze", int)()


def main(arguments):
    """Gives `None` at the zygote's end, or the plan of a script's process."""
    _runner.BARE = _BARE
    orders, news = _own_descriptors()
    _buffer_by_lines()
    kinds = () if NO_NAMESPACES in arguments else ("user",) if USER_NAMESPACES in arguments else ("root", "user")
    hidden = [folder for word, folder in zip(arguments, arguments[1:]) if word == HIDE]
    zygote = Zygote(orders, news, kinds, hidden)
    _ending.AHEAD = frozenset(sys.modules) - {"__main__"}
    _settle()
    return zygote.serve()


if __name__ == "__main__":
    if WARM not in sys.argv:
        _start_clean()
    _plan = main(sys.argv[1:])
    if _plan is not None:
        # From here on this is the script's process; its exit runs through the interpreter's own end.
        _plan.run()
