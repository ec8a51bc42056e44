"""Pictures of the screen."""

from __future__ import absolute_import

import datetime
import os
import re

from stormtest import Imaging, _arguments, _text
from stormtest._constants import OverWriteAction
from stormtest._state import STATE


def CaptureImageEx(rect, filename, jpegQuality=80, overwriteAction=OverWriteAction.NewName, slotNo=0,
                   returnImage=True):
    """Capture the screen, or `rect` of it, into the run's folder.

    `filename`: `None` keeps the picture out of sight (the row's path is then `None`); without extension it gets
    `.jpg`; `%d` and `%t` become date and time; folders in it are dropped. An existing file is never overwritten.
    `jpegQuality` and `overwriteAction` are taken and have no effect. The rack makes the thumbnail.

    Gives rows `[slot, ok, StormTestImageObject, path]`; with `slotNo` the row alone. A failure is a row with `ok`
    false, and an ERROR line.
    """
    failure = u"Failure in CaptureImageEx(%s)" % _text.to_text(filename)
    try:
        slot = _arguments.slot_or_all(slotNo)
        area = _arguments.rectangle(rect)
    except ValueError as error:
        _arguments.refused(failure, error)
        return _failed(slotNo)
    name = None if filename is None else file_name(filename)
    answers = STATE.ask_softly(failure, None, "capture", rect=area, name=name, slot=slot)
    if not answers:
        if answers is not None:
            _arguments.refused(failure, "no slot is reserved")
        return _failed(slotNo)
    rows = [_row(answer, filename is not None, returnImage) for answer in answers]
    return rows if slot is None else rows[0]


def CaptureImage(rect, filename, slotNo=0):
    """The older form of `CaptureImageEx`; the same rows."""
    return CaptureImageEx(rect, filename, slotNo=slotNo)


def _row(answer, named, return_image):
    captured = answer["value"]
    if not captured:
        return [answer["slot"], False, None, None]
    image = Imaging.StormTestImageObject.FromFile(captured["path"]) if return_image else None
    return [answer["slot"], True, image, captured["path"] if named else None]


def _failed(slot_no):
    if slot_no:
        return [slot_no, False, None, None]
    return [[slot, False, None, None] for slot in STATE.reserved]


def file_name(wanted, now=None):
    """The plain file name for what a script wants: no folders, dated, with an extension."""
    now = now or datetime.datetime.now()
    name = re.split(r"[\\/]", _text.to_text(wanted))[-1]
    name = name.replace(u"%d", _text.to_text(now.strftime("%Y-%m-%d")))
    name = name.replace(u"%t", _text.to_text(now.strftime("%H.%M.%S"))).lstrip(u".")
    name = name or u"capture"
    return name if os.path.splitext(name)[1] else name + u".jpg"
