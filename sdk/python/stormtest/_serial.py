"""The serial port: texts that are waited for in the background (`AddObserve`), and bytes to the device.

One thread asks the rack for new lines and calls back. It asks when time has passed at the devices, after a key, a wait,
a match, and a few times a second besides. A script's own calls wait for it only as long as a look takes.
"""

from __future__ import absolute_import

import atexit
import os
import re
import threading
import time

from stormtest import _arguments, _rows, _text
from stormtest._state import STATE
from stormtest.errors import StormTestError

# How often it looks while the script itself does not call.
_LOOK_S = 0.2
# How long a call of the script waits for a look, and the script's end for the thread.
_CATCH_UP_S = 0.5
_END_S = 1.0


class _Observation(object):
    """A text that is waited for on a slot. `slot` 0: on all of them."""

    def __init__(self, pattern, callback, slot):
        self.pattern, self.callback, self.slot = pattern, callback, slot
        self._plain = None if hasattr(pattern, "search") else _text.to_text(pattern)
        self._compiled = pattern if self._plain is None else _compiled(self._plain)

    def fits(self, line):
        """The text stands in the line, as it is or as a regular expression."""
        text = _text.to_text(line)
        if self._plain is not None and self._plain in text:
            return True
        return self._compiled is not None and self._compiled.search(text) is not None


def _compiled(text):
    try:
        return re.compile(text)
    except (re.error, OverflowError):
        return None


class _Observer(object):
    """The thread with what it looks for. `STATE.observer` while it runs."""

    def __init__(self):
        self._pid = os.getpid()
        self._changed = threading.Condition()
        self._wanted = self._done = 0
        self._stopping = False
        self._observations = []
        # By slot: where the next look begins.
        self._next = {}
        self._thread = threading.Thread(target=self._run, name="stormtest-observe")
        self._thread.daemon = True

    def start(self):
        self._thread.start()
        atexit.register(self.stop)

    def add(self, observation, begins):
        """Look for it too. `begins`: by slot, where its first look begins unless the slot is looked at already."""
        with self._changed:
            for slot, at in begins:
                self._next.setdefault(slot, at)
            self._observations = self._observations + [observation]

    def remove(self, pattern, slot):
        """Forget it; gives how many were there."""
        with self._changed:
            kept = [one for one in self._observations
                    if one.pattern != pattern or slot not in (0, one.slot) and one.slot != 0]
            gone = len(self._observations) - len(kept)
            self._observations = kept
            return gone

    def knows(self, slot):
        """It looks at this slot already."""
        return slot in self._next

    def catch_up(self):
        """Wait for a look that begins now, a short time at most. Not for one that itself is in a callback."""
        if threading.current_thread() is self._thread or os.getpid() != self._pid:
            return
        with self._changed:
            if self._stopping or not self._observations:
                return
            self._wanted += 1
            wanted = self._wanted
            self._changed.notify_all()
            deadline = time.time() + _CATCH_UP_S
            while self._done < wanted and not self._stopping and time.time() < deadline:
                self._changed.wait(_CATCH_UP_S)

    def stop(self):
        """At the end of the script: no callback after this."""
        if os.getpid() != self._pid:
            return
        with self._changed:
            self._stopping = True
            self._observations = []
            self._changed.notify_all()
        if threading.current_thread() is not self._thread:
            self._thread.join(_END_S)

    def _run(self):
        while True:
            with self._changed:
                if self._done == self._wanted and not self._stopping:
                    self._changed.wait(_LOOK_S)
                if self._stopping:
                    return
                wanted, watching = self._wanted, bool(self._observations)
            try:
                if watching:
                    self._look()
            except StormTestError:
                # The rack has gone or stops the run; the script's own next call says so.
                self._stopping = True
            finally:
                with self._changed:
                    self._done = wanted
                    self._changed.notify_all()

    def _look(self):
        for slot in list(STATE.reserved):
            for line in self._new_lines(slot):
                # What a callback takes away is not called for the next line.
                for one in self._observations:
                    if one in self._observations and one.slot in (0, slot) and one.fits(line):
                        _call(one, slot, line)

    def _new_lines(self, slot):
        begin = self._next.get(slot, 0)
        answer = None if begin is None else _read(slot, begin)
        if answer is None:
            # It has no serial port: that is said once.
            self._next[slot] = None
            return []
        self._next[slot] = answer["next"]
        if answer.get("lost"):
            STATE.log("warning", "slot %d: %d serial lines were gone before they were looked at" % (slot, answer["lost"]))
        return [line["text"] for line in answer["lines"]]


def _call(one, slot, line):
    try:
        one.callback(slot, one.pattern, line)
    except StormTestError:
        raise
    except Exception as error:  # a callback is the script's own
        STATE.log("error", u"the callback of AddObserve(%s) broke: %s: %s"
                  % (_text.to_text(one.pattern), type(error).__name__, _text.to_text(error)))


def _read(slot, begin):
    """`SerialRead` of one slot, or `None` when it has no serial port or is not reserved any more."""
    for answer in STATE.ask_softly("Failure in AddObserve", [], "serial_read", slot=slot, **{"from": begin}):
        return answer["value"]
    return None


def AddObserve(pattern, callback, slotNo=0, waitForEOL=True):
    """Call `callback(slotNo, pattern, line)`, in a thread of its own, for each serial line from now on that has `pattern`.

    `pattern`: text that stands in the line, or a regular expression. `waitForEOL` has no effect, lines come whole.
    Gives 1, or 0 with an ERROR line.
    """
    title = "AddObserve(%s)" % _text.to_native(_text.to_text(getattr(pattern, "pattern", pattern)))
    try:
        slot = _arguments.slot_or_all(slotNo)
        if not callable(callback):
            raise ValueError("%r cannot be called" % (callback,))
    except ValueError as error:
        _arguments.refused("Failure in %s" % title, error)
        return 0
    observer = STATE.observer
    known = observer is not None
    slots = [one for one in (STATE.reserved if slot is None else [slot]) if not (known and observer.knows(one))]
    begins = [(one, _end_of(title, one)) for one in slots]
    if any(at is None for _, at in begins) or not slots and not known:
        if not slots:
            _arguments.refused("Failure in %s" % title, "no slot is reserved")
        return 0
    if not known:
        observer = _Observer()
        observer.start()
        STATE.observer = observer
    observer.add(_Observation(pattern, callback, slot or 0), begins)
    return 1


def _end_of(title, slot):
    """Where the next look begins so that only new lines come."""
    found = _rows.per_slot(title, "serial_read", slot, **{"from": 0})
    return found[0][1]["next"] if found else None


def RemoveObserve(pattern, slotNo=0):
    """Call back no more for `pattern`, on one slot or on all. May stand in the callback. Gives 1, or 0 if there was none."""
    try:
        slot = _arguments.slot_or_all(slotNo) or 0
    except ValueError as error:
        _arguments.refused("Failure in RemoveObserve", error)
        return 0
    return int(STATE.observer is not None and STATE.observer.remove(pattern, slot) > 0)


def SendSerial(data, slotNo=0):
    """Send bytes or text (as UTF-8) to the serial port. Gives 1 if every slot took it, else 0 and an ERROR line."""
    title = "SendSerial"
    try:
        slot = _arguments.slot_or_all(slotNo)
    except ValueError as error:
        _arguments.refused("Failure in %s" % title, error)
        return 0
    data = data if isinstance(data, _text.BYTES) else _text.to_text(data).encode("utf-8")
    found = _rows.per_slot(title, "serial_send", slot, bytes=data.decode("latin-1"))
    return int(bool(found) and all(ok for _, ok in found))
