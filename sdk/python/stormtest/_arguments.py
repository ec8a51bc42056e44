"""Arguments as legacy scripts give them, brought into the forms of the wire."""

from __future__ import absolute_import

from stormtest import _resources, _text
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
    """`[x, y, width, height]` from a tuple, a list, an object with `Rect` or the path of a named region; `None` stays.

    Raises `ValueError` for anything else.
    """
    if isinstance(rect, (_text.BYTES, _text.TEXT)):
        rect = _resources.region(rect)
    rect = getattr(rect, "Rect", rect)
    if rect is None:
        return None
    numbers = _integers(rect)
    if len(numbers) != 4 or min(numbers) < 0 or not 0 < numbers[2] < 1 << 32 or not 0 < numbers[3] < 1 << 32:
        raise ValueError("%r is not a rectangle (x, y, width, height) in pixels" % (rect,))
    return numbers


def areas(given):
    """A list of rectangles from `None`, one rectangle, or a list of them. Raises `ValueError`."""
    if given is None:
        return []
    if isinstance(given, (_text.BYTES, _text.TEXT)) or hasattr(given, "Rect") or len(_integers(given)) == 4:
        return [rectangle(given)]
    try:
        return [rectangle(one) for one in given if one is not None]
    except TypeError:
        raise ValueError("%r is no list of rectangles (x, y, width, height)" % (given,))


def colour(given):
    """`[red, green, blue]` from a tuple or list. Raises `ValueError` for anything else."""
    numbers = _integers(given)
    if len(numbers) != 3 or min(numbers) < 0 or max(numbers) > 255:
        raise ValueError("%r is no colour (red, green, blue), each 0 to 255" % (given,))
    return numbers


def tolerances(given):
    """How far each channel may be off, from one number or three; `None` stays. Raises `ValueError`."""
    if given is None:
        return None
    numbers = _integers(given if isinstance(given, (list, tuple)) else [given] * 3)
    if len(numbers) != 3 or min(numbers) < 0:
        raise ValueError("%r are no tolerances (red, green, blue)" % (given,))
    return [min(number, 255) for number in numbers]


def percent(given):
    """A number from 0 to 100, cut to that; `None` stays. Raises `ValueError`."""
    return None if given is None else min(100.0, max(0.0, number(given)))


def number(given):
    """A finite number. Raises `ValueError`."""
    try:
        value = float(given)
    except (TypeError, ValueError):
        value = float("nan")
    if value - value != 0:
        raise ValueError("%r is no number" % (given,))
    return value


def _integers(given):
    try:
        return [int(number) for number in given]
    except (TypeError, ValueError):
        return []


def name(value):
    """A title or key: text of bounded length."""
    return _text.cut(_text.to_text(value), NAME_CHARS)


def optional(value):
    """A comment: text of bounded length, or `None`."""
    return None if value is None else name(value)


def refused(failure, reason):
    """Log a bad argument as the Client API does, without raising."""
    STATE.log("error", u"%s: %s" % (_text.to_text(failure), _text.to_text(reason)))
