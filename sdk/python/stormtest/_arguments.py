"""Arguments as legacy scripts give them, brought into the forms of the wire."""

from __future__ import absolute_import

from stormtest import _text
from stormtest._state import NAME_CHARS, STATE


def slot_or_all(slot_no):
    """A slot argument: `None` for all reserved slots (0, `None`, `False`), else the script's number.

    Raises `ValueError` for what is no slot number.
    """
    if not slot_no:
        return None
    try:
        number = int(slot_no)
    except (TypeError, ValueError):
        number = -1
    if not 0 < number < 1 << 32:
        raise ValueError("slot %r is not a number from 1 on" % (slot_no,))
    return number


def milliseconds(seconds):
    """Whole milliseconds of `seconds` (int, float or text of one); negative counts as none.

    Raises `ValueError` for what is no finite number.
    """
    try:
        value = float(seconds)
    except (TypeError, ValueError):
        value = float("nan")
    if value - value != 0:
        raise ValueError("%r is not a number of seconds" % (seconds,))
    return max(0, int(round(value * 1000)))


def rectangle(rect):
    """`[x, y, width, height]` from a tuple, a list or an object with `Rect`; `None` stays.

    Raises `ValueError` for anything else.
    """
    rect = getattr(rect, "Rect", rect)
    if rect is None:
        return None
    try:
        numbers = [int(number) for number in rect]
    except (TypeError, ValueError):
        numbers = []
    if len(numbers) != 4 or min(numbers) < 0 or not 0 < numbers[2] < 1 << 32 or not 0 < numbers[3] < 1 << 32:
        raise ValueError("%r is not a rectangle (x, y, width, height) in pixels" % (rect,))
    return numbers


def name(value):
    """A title or key: text of bounded length."""
    return _text.cut(_text.to_text(value), NAME_CHARS)


def optional(value):
    """A comment: text of bounded length, or `None`."""
    return None if value is None else name(value)


def refused(failure, reason):
    """Log a bad argument as the Client API does, without raising."""
    STATE.log("error", u"%s: %s" % (_text.to_text(failure), _text.to_text(reason)))
