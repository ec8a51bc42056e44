"""Remote control, power, waiting."""

from __future__ import absolute_import

import time

from stormtest import _arguments, _text
from stormtest._state import STATE

_MAX_DIGITS = 64


def PressButton(key, slotNo=0, waitSec=0):
    """Press a key on one slot, or on every reserved one. Then waits `waitSec` seconds.

    Gives 1 if every slot took it, else 0 and an ERROR line; it never raises for want of a slot.
    """
    key = _arguments.name(key)
    return _drive(u"PressButton(%s)" % key, slotNo, waitSec, "press", key=key)


def PressDigits(digits, slotNo=0, waitSec=0):
    """Press one key per digit of `digits` (text or int), waiting `waitSec` seconds after each. Gives 1 or 0."""
    text = _text.to_text(digits)
    if not text or len(text) > _MAX_DIGITS:
        _arguments.refused(u"Failure in PressDigits", u"%d digits; 1 to %d can be pressed" % (len(text), _MAX_DIGITS))
        return 0
    return int(all(PressButton(digit, slotNo, waitSec) for digit in text))


def PressButtonNoWait(key, slotNo=0):
    """`PressButton` without a wait."""
    return PressButton(key, slotNo)


def PowerOnSTB(delaySeconds=0, slotNo=0):
    """Switch the mains on, then wait. Gives 1 or 0."""
    return _drive(u"PowerOnSTB", slotNo, delaySeconds, "power", on=True)


def PowerOffSTB(delaySeconds=0, slotNo=0):
    """Switch the mains off, then wait. Gives 1 or 0."""
    return _drive(u"PowerOffSTB", slotNo, delaySeconds, "power", on=False)


def _drive(title, slot_no, wait_s, call, **args):
    failure = u"Failure in %s" % title
    try:
        slot = _arguments.slot_or_all(slot_no)
        wait_ms = _arguments.milliseconds(wait_s)
    except ValueError as error:
        _arguments.refused(failure, error)
        return 0
    answers = STATE.ask_softly(failure, None, call, slot=slot, **args)
    if answers is None:
        return 0
    failed = [answer["slot"] for answer in answers if not answer["value"]]
    if failed or not answers:
        _arguments.refused(failure, u"on slots %s" % failed if failed else u"no slot is reserved")
        return 0
    if wait_ms:
        STATE.pass_time(wait_ms)
    return 1


def WaitSec(seconds):
    """Wait. On a virtual rack that runs ahead of the clock this costs next to nothing.

    Raises `ValueError` for what is no number.
    """
    ms = _arguments.milliseconds(seconds)
    if STATE.session is None:
        time.sleep(ms / 1000.0)
    else:
        STATE.pass_time(ms)
