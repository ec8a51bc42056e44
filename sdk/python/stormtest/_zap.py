"""Time from a key to the first new picture, by the analyser `zap-timer` that the rack gets ready before the key.

    ReserveVideoTimer() -> StartZapMeasurement(key, ...) -> PressButton(key) -> GetZapTimes() -> FreeVideoTimer()

Single frames of the change are not kept: the calls about them are there, and say that there are none.
"""

from __future__ import absolute_import

from stormtest import _arguments, _rows, _watching
from stormtest._state import STATE
from stormtest.Imaging import of_capture

_TIMEOUT_S = 15.0
_MOST_PRESSES = 1000


class _Timer(object):
    """Of this process. `armed`: something is being measured; `told`: that no frames are kept has been said."""

    reserved = False
    armed = False
    told = False


def ReserveVideoTimer(*_args, **_named):
    """Take the timer. Every slot has one of its own here. Gives 1."""
    _Timer.reserved = True
    return 1


def FreeVideoTimer(*_args, **_named):
    """Give the timer back. Gives 1."""
    _Timer.reserved = _Timer.armed = False
    return 1


def StartZapMeasurement(irKey=None, keyCount=1, rect=None, colorCount=5000, timeout=_TIMEOUT_S, slotNo=0):
    """Get ready to measure from the `keyCount`th press of `irKey` on (`None`: of any key). Press it next.

    `rect`: what is looked at; `colorCount` has no effect. Rows `[slot, ok]`; 1 or 0 in their place with a slot.
    """
    rows = _arm("StartZapMeasurement", (irKey, keyCount), rect, timeout, slotNo)
    return int(bool(rows and rows[0][1])) if slotNo else rows


def TriggerHighSpeedTimer(irKey=None, keyCount=1, timeout=_TIMEOUT_S, slotNo=0):
    """As `StartZapMeasurement` over the whole picture. Rows `[slot, ok]`, also with a slot."""
    return _arm("TriggerHighSpeedTimer", (irKey, keyCount), None, timeout, slotNo)


def _arm(title, key, rect, timeout, slot_no):
    def find(slot):
        presses = int(_arguments.number(key[1]))
        if not 0 < presses <= _MOST_PRESSES:
            raise ValueError("keyCount is %r; 1 to %d presses can be counted" % (key[1], _MOST_PRESSES))
        timeout_ms = max(1, _arguments.milliseconds(timeout))
        asked = _watching.question("zap-timer", {"region": _arguments.rectangle(rect), "timeout_s": timeout_ms / 1000.0})
        found = _rows.per_slot(title, "arm", slot, question=asked, key=_arguments.optional(key[0] or None),
                               presses=presses, timeout_ms=timeout_ms)
        _Timer.armed = bool(found)
        return found and [(number, [int(bool(ok))]) for number, ok in found]

    return _rows.answered(title, slot_no, _rows.ROWS, lambda: [0], find)


def GetZapTimes(slotNo=0):
    """What was measured; waits for it. Rows `[slot, ok, captures, seconds, image]`, also with a slot."""
    title = "GetZapTimes"

    def find(slot):
        found = _rows.per_slot(title, "armed", slot)
        return found and [(number, _row(dict(_watching.NOTHING, **(watched or {})))) for number, watched in found]

    return _rows.answered(title, slotNo, _rows.ROWS, lambda: _row(_watching.NOTHING), find)


def _row(watched):
    seconds = watched["values"].get("seconds", watched["seconds"])
    return [bool(watched["met"]), watched["looks"], seconds, of_capture(watched["picture"])]


def EnableCaptureZapFrames(maxFrames=250, startFrame=0, skipCount=0, slotNo=0):
    """Rows `[slot, 0]`, also with a slot: single frames are not kept. The log says so once."""
    if not _Timer.told:
        STATE.log("warning", "EnableCaptureZapFrames: frames of a zap are not kept; GetZapTimes gives the time")
        _Timer.told = True
    return _of_every_slot(slotNo, [0])


def GetCountImagesSaved(slotNo=0):
    """How many frames were kept: rows `[slot, 0]`, also with a slot."""
    return _of_every_slot(slotNo, [0])


def GetRawZapFrame(index, slotNo=0):
    """A frame: rows `[slot, None]`, also with a slot; none are kept."""
    return _of_every_slot(slotNo, [None])


def FindRawZapMatch(screenDef, first=0, last=0, slotNo=0):
    """The first frame that a screen definition fits: rows `[slot, False, None]`, also with a slot; none are kept."""
    return _of_every_slot(slotNo, [False, None])


def _of_every_slot(slot_no, row):
    return _rows.answered("zap frames", slot_no, _rows.ROWS, lambda: list(row), lambda slot: None)
