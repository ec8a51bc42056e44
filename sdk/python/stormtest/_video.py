"""Video: the log of it, the window that a rack does not have, and the parameters of the capture."""

from __future__ import absolute_import

import re

from stormtest import _arguments, _rows, _text
from stormtest._state import STATE
from stormtest._transform import Converter

# As a rack without a signal would have them; what a script has set counts first, then what comes in.
RESOLUTION = "720 x 576"
FRAME_RATE = 25
MAX_BIT_RATE = 2048000
_NAMES = {"4CIF": "704 x 576", "2CIF": "704 x 288", "CIF": "352 x 288", "QCIF": "176 x 144", "D1": "720 x 576"}
_SIZE = re.compile(r"\s*(\d{1,5})\s*[xX*]\s*(\d{1,5})\s*\Z")
# (what, slot) to value.
_SET = {}
_SUBSLOTS = {}
_MOST_SUBSLOT = 4


def ShowVideo(*_args, **_named):
    """Would open a window on the operator's screen; a rack has none, so a log line says that. Gives 1."""
    STATE.log("verbose", "ShowVideo: no window here; the pictures are in the run's folder")
    return 1


def CloseVideo(*_args, **_named):
    """The end of `ShowVideo`; a log line. Gives 1."""
    STATE.log("verbose", "CloseVideo: no window here")
    return 1


def StartVideoLog(prefix=None, slotNo=0):
    """Record what the slots show. Rows `[slot, ok, file]`; with a slot `[ok, file]`."""
    title = "StartVideoLog"

    def find(slot):
        found = _rows.per_slot(title, "video_start", slot, prefix=_arguments.optional(prefix))
        return found and [(number, [bool(path), path]) for number, path in found]

    return _rows.answered(title, slotNo, _rows.BARE, lambda: [False, None], find)


def StopVideoLog(slotNo=0):
    """End the recordings. Rows `[slot, ok]` of the slots that had one, so maybe `[]`; with a slot `[ok]`, or `[]`."""
    try:
        slot = _arguments.slot_or_all(slotNo)
    except ValueError as error:
        _arguments.refused("Failure in StopVideoLog", error)
        return []
    answers = STATE.ask_gently("Failure in StopVideoLog", "video_stop", slot=slot) or []
    rows = [[answer["slot"], bool(answer["value"])] for answer in answers]
    if slot is None:
        return rows
    return rows[0][1:] if rows else []


# ---- parameters


def GetResolution(slotNo=0):
    """What was set, else the size of what comes in: `"1280 x 720"`. Without a slot rows `[slot, text]`."""
    def find(slot):
        return [(number, [_set("resolution", number) or _size(signal)]) for number, signal in _signals(slot)]

    return _single("GetResolution", slotNo, RESOLUTION, find)


def SetResolution(value, slotNo=0):
    """Keep a resolution (`"4CIF"`, `"CIF"`, `"1280x720"`) for `GetResolution`; pictures stay as large as they come. Gives 1 or 0."""
    text = _text.to_native(_text.to_text(value)).strip().upper()
    found = _SIZE.match(text)
    if text not in _NAMES and not found:
        _arguments.refused("Failure in SetResolution", "%r is no resolution, such as 4CIF or 1280x720" % (value,))
        return 0
    return _keep("SetResolution", "resolution", _NAMES.get(text) or "%d x %d" % tuple(map(int, found.groups())), slotNo)


def GetFrameRate(slotNo=0):
    """What was set, else how many pictures a second come in, as an int. Without a slot rows `[slot, number]`."""
    def find(slot):
        return [(number, [_set("rate", number) or int(round(signal.get("rate") or FRAME_RATE))])
                for number, signal in _signals(slot)]

    return _single("GetFrameRate", slotNo, FRAME_RATE, find)


def SetFrameRate(value, slotNo=0):
    """Keep a rate for `GetFrameRate`; pictures come as they come. Gives 1 or 0."""
    return _keep_number("SetFrameRate", "rate", value, slotNo)


def GetMaxBitRate(slotNo=0):
    """What was set, else 2048000. Without a slot rows `[slot, number]`."""
    def find(slot):
        numbers = STATE.reserved if slot is None else [slot]
        return [(number, [_set("bits", number) or MAX_BIT_RATE]) for number in numbers]

    return _single("GetMaxBitRate", slotNo, MAX_BIT_RATE, find)


def SetMaxBitRate(value, slotNo=0):
    """Keep a rate in bits a second for `GetMaxBitRate`. Gives 1 or 0."""
    return _keep_number("SetMaxBitRate", "bits", value, slotNo)


def ResetDefaultParameters(slotNo=0):
    """Forget what was set. Gives 1."""
    for key in list(_SET):
        if not slotNo or key[1] in (0, int(slotNo)):
            del _SET[key]
    return 1


def ResyncAudio(slotNo=0):
    """Bring sound and picture together: they are here, so a log line. Gives 1."""
    STATE.log("verbose", "ResyncAudio: nothing to do")
    return 1


def SetSignalRecoveryMode(mode, slotNo=0):
    """How a lost signal is found again: drivers do that by themselves, so a log line. Gives 1."""
    STATE.log("verbose", u"SetSignalRecoveryMode(%s): nothing to do" % _text.to_text(mode))
    return 1


def GetRawInputInfo(slotNo=0):
    """What comes in: a dict with `HardwareCaptureRate`, `Width`, `Height`, `SignalPresent`. Without a slot rows `[slot, dict]`."""
    def find(slot):
        return [(number, [_input(signal)]) for number, signal in _signals(slot)]

    return _single("GetRawInputInfo", slotNo, _input({}), find)


def GetWorldToDesignTransform(slotNo=0):
    """Rows `[slot, converter]`: from the screen's coordinates to those of a design; with a slot the converter alone."""
    def find(slot):
        return [(number, [Converter()]) for number in (STATE.reserved if slot is None else [slot])]

    return _single("GetWorldToDesignTransform", slotNo, None, find)


def ResetSlot(slotNo=0):
    """Back to how a slot is after `ReserveSlot`: default parameters, first sub-slot. The mains stay. Gives 1."""
    for slot in list(_SUBSLOTS):
        if not slotNo or slot == int(slotNo):
            del _SUBSLOTS[slot]
    return ResetDefaultParameters(slotNo)


def SetCurrentSubslot(subslot, slotNo=0):
    """Choose one of the boxes that share a slot, 0 to 4. Here every box has a slot of its own: it is kept. Gives 1 or 0."""
    try:
        number, slot = int(_arguments.number(subslot)), _arguments.slot_or_all(slotNo)
        if not 0 <= number <= _MOST_SUBSLOT:
            raise ValueError("sub-slot %r is not 0 to %d" % (subslot, _MOST_SUBSLOT))
    except ValueError as error:
        _arguments.refused("Failure in SetCurrentSubslot", error)
        return 0
    for one in STATE.reserved if slot is None else [slot]:
        _SUBSLOTS[one] = number
    return 1


def GetCurrentSubslot(slotNo=0):
    """The chosen sub-slot, 0 unless one was chosen. Without a slot that of the first reserved one."""
    slot = slotNo or (STATE.reserved[0] if STATE.reserved else 0)
    return _SUBSLOTS.get(int(slot), 0)


def _signals(slot):
    found = _rows.per_slot("Signal", "signal", slot)
    return [(number, signal or {}) for number, signal in found or []]


def _single(title, slot_no, missing, find):
    answer = _rows.answered(title, slot_no, _rows.BARE, lambda: [missing], find)
    return answer[0] if slot_no else answer


def _set(what, slot):
    return _SET.get((what, slot), _SET.get((what, 0)))


def _size(signal):
    width, height = signal.get("width"), signal.get("height")
    return "%d x %d" % (width, height) if width and height else RESOLUTION


def _input(signal):
    return {"HardwareCaptureRate": int(round(signal.get("rate") or FRAME_RATE)), "Width": signal.get("width") or 0,
            "Height": signal.get("height") or 0, "SignalPresent": bool(signal.get("present"))}


def _keep_number(title, what, value, slot_no):
    try:
        number = int(_arguments.number(value))
    except ValueError as error:
        _arguments.refused("Failure in %s" % title, error)
        return 0
    return _keep(title, what, number, slot_no)


def _keep(title, what, value, slot_no):
    try:
        _SET[what, _arguments.slot_or_all(slot_no) or 0] = value
    except ValueError as error:
        _arguments.refused("Failure in %s" % title, error)
        return 0
    STATE.log("verbose", u"%s(%s) is kept; the pictures stay as they come" % (title, _text.to_text(value)))
    return 1
