"""Movement and sound: `DetectMotionEx` by the analyser `motion`, `WaitAudioPresence` by `audio-level`."""

from __future__ import absolute_import

from stormtest import _arguments, _rows, _watching
from stormtest.Imaging import of_capture

# Movement is what differs between two looks; closer ones would miss what moves slowly.
MOTION_GAP_S = 0.2
SOUND_GAP_S = 0.1
# A level needs some sound to be measured of.
_LEVEL_S = 0.5
_PIECE_S = 0.25
SILENCE_DBFS = -120.0


def DetectMotionEx(rect=None, timeout=_watching.TIME_TO_WAIT_S, percent=None, slotNo=0):
    """Wait until something moves on the screen or in `rect`, so that `percent` of the pixels change.

    Rows `[slot, motion, image, percent, seconds]`; with a slot the row alone, its number kept.
    """
    title = "DetectMotionEx"

    def find(slot):
        asked = [motion_question(_arguments.rectangle(rect), percent)]
        found = _watching.watch(title, asked, _watching.MATCH, (timeout, MOTION_GAP_S), slot)
        return found and [(number, _motion_row(watched)) for number, watched in found]

    return _rows.answered(title, slotNo, _rows.NUMBERED, lambda: _motion_row(_watching.NOTHING), find)


def DetectMotion(rect=None, timeout=_watching.TIME_TO_WAIT_S, percent=None, slotNo=0):
    """The older form of `DetectMotionEx`; the same rows."""
    return DetectMotionEx(rect, timeout, percent, slotNo)


def WaitMotion(rect=None, timeout=_watching.TIME_TO_WAIT_S, percent=None, slotNo=0):
    """`DetectMotionEx` by another name; the same rows."""
    return DetectMotionEx(rect, timeout, percent, slotNo)


def motion_question(area, percent):
    """The question whether something moves. Raises `ValueError`."""
    return _watching.question("motion", {"region": area, "percent": _arguments.percent(percent)})


def _motion_row(watched):
    return [bool(watched["met"]), of_capture(watched["picture"]), watched["values"].get("percent", 0.0),
            watched["seconds"]]


def WaitAudioPresence(threshold=-60, timeout=_watching.TIME_TO_WAIT_S, slotNo=0):
    """Wait until the sound is louder than `threshold`, in dB below full scale (0 is the loudest).

    Rows `[slot, present, level]`; with a slot `[present, level]`.
    """
    title = "WaitAudioPresence"

    def find(slot):
        asked = [sound_question(threshold)]
        found = _watching.watch(title, asked, _watching.MATCH, (timeout, SOUND_GAP_S), slot)
        return found and [(number, [bool(watched["met"]), level(watched)]) for number, watched in found]

    return _rows.answered(title, slotNo, _rows.BARE, lambda: [False, SILENCE_DBFS], find)


def GetAudioLevel(slotNo=0):
    """How loud it is now, in dB below full scale. Rows `[slot, level]`; with a slot the number alone."""
    title = "GetAudioLevel"

    def find(slot):
        asked = [sound_question(SILENCE_DBFS)]
        found = _watching.watch(title, asked, _watching.END, (_LEVEL_S, SOUND_GAP_S), slot)
        return found and [(number, [level(watched)]) for number, watched in found]

    answer = _rows.answered(title, slotNo, _rows.BARE, lambda: [SILENCE_DBFS], find)
    return answer[0] if slotNo else answer


def sound_question(threshold):
    """The question whether there is sound. Raises `ValueError`."""
    least = max(SILENCE_DBFS, min(0.0, _arguments.number(threshold)))
    return _watching.question("audio-level", {"threshold_dbfs": least, "seconds": _PIECE_S})


def level(watched):
    """Of a verdict on sound, in dB below full scale."""
    return watched["values"].get("dbfs", SILENCE_DBFS)
