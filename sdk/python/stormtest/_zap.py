"""Time from a key to the first new picture, by the analyser `zap-timer` that the rack gets ready before the key.

    ReserveVideoTimer() -> StartZapMeasurement(key, ...) -> PressButton(key) -> GetZapTimes() -> FreeVideoTimer()

Single frames of the change are kept when a script wants them:

    EnableCaptureZapFrames() -> TriggerHighSpeedTimer(key, ...) -> PressButton(key) -> GetCountImagesSaved() -> GetRawZapFrame(i)
"""

from __future__ import absolute_import

from stormtest import _arguments, _rows, _screens, _watching
from stormtest.Imaging import of_capture

_TIMEOUT_S = 15.0
_MOST_PRESSES = 1000


class _Timer(object):
    """Of this process. `armed`: something is being measured."""

    reserved = False
    armed = False


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
    """Keep single frames from the key on that a timer waits for: `maxFrames` at most (0: none any more), from frame
    `startFrame` on, with `skipCount` left out between two. Frame 0 is the first new picture after the key.

    Call it before the key. Rows `[slot, ok]`, also with a slot.
    """
    title = "EnableCaptureZapFrames"

    def find(slot):
        most, first, skip = (_whole(name, given) for name, given in
                             (("maxFrames", maxFrames), ("startFrame", startFrame), ("skipCount", skipCount)))
        found = _rows.per_slot(title, "keep_frames", slot, most=most, first=first, skip=skip)
        return found and [(number, [int(bool(ok))]) for number, ok in found]

    return _rows.answered(title, slotNo, _rows.ROWS, lambda: [0], find)


def GetCountImagesSaved(slotNo=0):
    """How many frames were kept; waits until all are there. Rows `[slot, count]`, also with a slot."""
    title = "GetCountImagesSaved"

    def find(slot):
        found = _rows.per_slot(title, "kept_frames", slot)
        return found and [(number, [frames["count"]]) for number, frames in found]

    return _rows.answered(title, slotNo, _rows.ROWS, lambda: [0], find)


def GetRawZapFrame(index, slotNo=0):
    """A frame by its number from 0, in its full size: rows `[slot, image]`, also with a slot; the image is `None` if there is none."""
    title = "GetRawZapFrame"

    def find(slot):
        found = _rows.per_slot(title, "kept_frame", slot, index=_whole("index", index))
        return found and [(number, [of_capture((captured or {}).get("path"))]) for number, captured in found]

    return _rows.answered(title, slotNo, _rows.ROWS, lambda: [None], find)


def FindRawZapMatch(screenDef, first=0, last=0, slotNo=0):
    """The first frame from `first` to `last` (0: to the end) that a screen definition fits.

    Rows `[slot, found, index]`, also with a slot; the index is `None` if none does.
    """
    title = "FindRawZapMatch"

    def find(slot):
        begin, end = _whole("first", first), _whole("last", last)
        found = _rows.per_slot(title, "kept_frames", slot)
        return found and [(number, _first_match(title, screenDef, number, (frames, begin, end)))
                          for number, frames in found]

    return _rows.answered(title, slotNo, _rows.ROWS, lambda: [False, None], find)


def _first_match(title, screen, slot, within):
    frames, begin, end = within
    size = [frames["width"], frames["height"]]
    for index in range(begin, min(frames["count"], end + 1 if end else frames["count"])):
        if _screens.fits(title, screen, "frame:%d/%d" % (slot, index), size):
            return [True, index]
    return [False, None]


def _whole(name, given):
    number = int(_arguments.number(given))
    if not 0 <= number < 1 << 32:
        raise ValueError("%s is %r; it is a number from 0 on" % (name, given))
    return number
