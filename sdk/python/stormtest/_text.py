"""Text between scripts and the wire: a script's native `str` on one side, clean Unicode on the other.

On Python 2 the native string is bytes, read and written as UTF-8, so that paths and answers join with literals.
"""

from __future__ import absolute_import

import numbers
import re
import sys

PY2 = sys.version_info[0] == 2
BYTES = str if PY2 else bytes
TEXT = type(u"")

# Half of a surrogate pair is not text: the rack's JSON reader refuses it, and with it the whole line.
_LONE = re.compile(u"[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]")
CUT_NOTE = u" ... (cut)"


def to_text(value):
    """Anything as clean Unicode text: bytes are read as UTF-8, other types by `str`."""
    if isinstance(value, BYTES):
        value = value.decode("utf-8", "replace")
    elif not isinstance(value, TEXT):
        value = _shown(value)
    return _LONE.sub(u"\ufffd", value)


def _shown(value):
    try:
        return TEXT(value)
    except Exception:  # a __str__ of the script's own may raise anything
        return TEXT(repr(type(value)))


def cut(text, most):
    """`text`, at most `most` characters of it, with a note if something was cut."""
    return text if len(text) <= most else text[: most - len(CUT_NOTE)] + CUT_NOTE


def pieces(text, most):
    """`text` in parts of at most `most` characters; an empty text is one part."""
    return [text[at : at + most] for at in range(0, len(text), most)] or [text]


def to_native(value):
    """A decoded JSON value with native strings in it, however deep."""
    if PY2 and isinstance(value, TEXT):
        return value.encode("utf-8")
    if isinstance(value, list):
        return [to_native(item) for item in value]
    if isinstance(value, dict):
        return dict((to_native(key), to_native(item)) for key, item in value.items())
    return value


def to_json(value):
    """A script's value as something JSON can carry: numbers and flags stay, the rest becomes text, lists are kept."""
    if value is None or isinstance(value, numbers.Integral):
        return value
    if isinstance(value, float):
        return value if value - value == 0 else to_text(value)
    if isinstance(value, (list, tuple)):
        return [to_json(item) for item in value]
    return to_text(value)
