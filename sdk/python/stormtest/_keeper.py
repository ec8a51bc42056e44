"""The keeper: one process per run, between the zygote and the script.

It forks the script, copies its output into the console file up to a cap, passes a kill on, and when the script has
ended kills whatever it left behind. Only then does it report. In a PID namespace it is process 1: should it die, the
kernel ends everything in there. Without one it adopts orphans and walks the process table.

Its words to the zygote are lines of JSON: `{"started": true}`, `{"failed": WHY}`, or `{"exited": {...}}` as the last.
The zygote's to it: `kill MILLISECONDS`; the end of that pipe means kill at once.
"""

from __future__ import absolute_import

import gc
import json
import os
import signal
import time

from stormtest import _linux, _runner, _sandbox, _watch

SWEEP_S = 5.0
DRAIN_S = 2.0
_RETRY_S = 0.05
# Pieces of the console whose time is noted.
_MOST_TIMES = 20000


def keep(order, report, control, means):
    """Be the keeper of one run. Returns, with a plan, in the script's process only.

    `order`: the fork order; `report`, `control`: pipe ends; `means`: the `_linux.Namespaces` that it was forked by, and
    the zygote's `_sandbox.Base`.
    """
    try:
        keeper = _Keeper(order, report, control, means)
        plan = keeper.start()
        if plan is not None:
            return plan
        keeper.watch()
    except BaseException as error:  # nothing may unwind into the zygote's code
        _tell(report, {"failed": "%s: %s" % (type(error).__name__, error)})
    os._exit(0)


def _tell(report, words):
    _watch.write_all(report, json.dumps(words).encode("ascii") + b"\n")


class _Keeper(object):
    def __init__(self, order, report, control, means):
        os.setsid()
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        gc.disable()
        self._order, self._report, self._control = order, report, control
        namespaces, base = means
        self._inner = namespaces.kind is not None and os.getpid() == 1
        if self._inner:
            # The namespace goes with us. Without one, the end of the control pipe makes us kill everything first.
            _linux.die_with_parent()
        else:
            _linux.adopt_orphans()
        # Before the mounts: it may lie where the run can not look.
        self._console = _Console(order["console"], order["console_bytes"])
        self._rules = _shut_in(order.get("sandbox"), base, self._inner and namespaces.mounts)
        _linux.close_all_but((0, 1, 2, report, control, self._console.file, self._console.times, self._rules))
        self._watch = _watch.Watch()
        self._script = self._status = self._output = None
        self._ended = None
        self._why = b""
        self._orders = b""
        self._kill_at = None

    def start(self):
        """Fork the script; gives its plan in its own process, else `None`."""
        output, output_end = os.pipe()
        status, status_end = os.pipe()
        keeper = os.getpid()
        self._script = os.fork()
        if self._script == 0:
            self._watch.close()
            return _runner.Plan(self._order, output_end, status_end, (keeper, self._rules))
        os.close(output_end)
        os.close(status_end)
        self._output, self._status = output, status
        return None

    def watch(self):
        """Until the script has ended; then sweep and report."""
        while self._ended is None:
            self._turn(self._seconds_to_kill())
            self._kill_if_due()
            self._reap()
        while self._status is not None:
            self._read_status()
        leaked, unkillable = self._sweep()
        self._drain()
        if self._why:
            _tell(self._report, {"failed": self._why.decode("utf-8", "replace")})
        else:
            _tell(self._report, {"exited": dict(_how(self._ended), leaked=leaked, unkillable=unkillable)})

    def _turn(self, seconds):
        sources = [one for one in (self._control, self._status, self._output) if one is not None]
        for source in self._watch.ready(sources, seconds):
            if source == self._control:
                self._read_orders()
            elif source == self._status:
                self._read_status()
            elif source == self._output:
                self._read_output()

    def _read_orders(self):
        data = _watch.read_some(self._control)
        if not data:
            self._control = None
            self._kill_at = _watch.now()
            return
        self._orders += data
        while b"\n" in self._orders:
            line, self._orders = self._orders.split(b"\n", 1)
            if self._kill_at is None:
                self._signal_all(signal.SIGTERM)
            due = _watch.now() + int(line.split()[1]) / 1000.0
            self._kill_at = due if self._kill_at is None else min(due, self._kill_at)

    def _read_status(self):
        data = _watch.read_some(self._status)
        self._why += data
        if not data:
            os.close(self._status)
            self._status = None
            if not self._why:
                _tell(self._report, {"started": True})

    def _read_output(self):
        # Before it is read: the script's next call waits for that, and is later then.
        now = time.time()
        data = _watch.read_some(self._output)
        if data:
            self._console.take(data, now)
        else:
            os.close(self._output)
            self._output = None

    def _seconds_to_kill(self):
        return None if self._kill_at is None else self._kill_at - _watch.now()

    def _kill_if_due(self):
        if self._kill_at is not None and _watch.now() >= self._kill_at:
            self._signal_all(signal.SIGKILL)
            # It may take the kernel a moment, and a fork may have slipped through: again a little later.
            self._kill_at = _watch.now() + _RETRY_S

    def _reap(self):
        ended, others = _watch.ended_children()
        for pid, status in ended:
            if pid == self._script:
                self._ended = status
        return len(ended), others

    def _signal_all(self, number):
        if self._inner:
            # Every process of the namespace but this one.
            _linux.signal_quietly(-1, number)
            return
        for pid in _linux.descendants(os.getpid()):
            _linux.signal_quietly(pid, number)

    def _sweep(self):
        """Kill what is left. Gives how many there were, and whether something would not die."""
        leaked, others = 0, self._reap()[1]
        deadline = _watch.now() + SWEEP_S
        while others and _watch.now() < deadline:
            self._signal_all(signal.SIGKILL)
            if self._output is None:
                self._watch.ready([], _RETRY_S)
            else:
                self._turn_output(_RETRY_S)
            count, others = self._reap()
            leaked += count
        return leaked, others

    def _turn_output(self, seconds):
        if self._watch.ready([self._output], seconds):
            self._read_output()

    def _drain(self):
        # All holders of the pipe are dead, so its end is near; but a process that cannot be killed holds it for ever.
        deadline = _watch.now() + DRAIN_S
        while self._output is not None and _watch.now() < deadline:
            self._turn_output(deadline - _watch.now())
        self._console.close()


def _shut_in(sandbox, base, mounts):
    """What can be done before the script's own process is there. Gives its rules over files, or `None`."""
    if mounts:
        _linux.own_proc()
    if sandbox is None:
        return None
    if mounts:
        _sandbox.own_files(sandbox)
    return base.rules(sandbox)


def _how(status):
    if os.WIFSIGNALED(status):
        return {"code": None, "signal": os.WTERMSIG(status)}
    return {"code": os.WEXITSTATUS(status), "signal": None}


class _Console(object):
    """The console file: takes up to a cap, then a note, then counts only. Beside it, the times: place and microseconds."""

    def __init__(self, path, most):
        self.file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        self.times = os.open(os.path.splitext(path)[0] + ".times", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        self._place = os.fstat(self.file).st_size
        self._times_left = _MOST_TIMES
        self._left = most
        self._dropped = 0

    def take(self, data, now):
        kept = data[: self._left]
        if kept and self._times_left:
            self._times_left -= 1
            _watch.write_all(self.times, ("%d %d\n" % (self._place, now * 1e6)).encode("ascii"))
        self._place += len(kept)
        self._left -= len(kept)
        self._dropped += len(data) - len(kept)
        # A full disk must not stop the run: what does not fit is lost, and the rack tells of the disk.
        _watch.write_all(self.file, kept)

    def close(self):
        if self._dropped:
            note = "\n[console cut: %d more bytes were printed]\n" % self._dropped
            _watch.write_all(self.file, note.encode("ascii"))
        os.close(self.file)
        os.close(self.times)
