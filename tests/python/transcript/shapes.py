# -*- coding: utf-8 -*-
"""What an answer has to look like where its value cannot be known: ids, times, texts of ours. Python 2.7 and 3.

A shape is a plain value, which must be equal; a list of shapes; or one of the objects below. Each has `match(value,
kept)`, which gives `None` or what is wrong, and `sample(kept)`, an example of itself, for tests of the transcript.
"""

import datetime
import re
import time

try:
    from xmlrpc.client import DateTime
except ImportError:  # Python 2
    from xmlrpclib import DateTime

TEXTS = (bytes, type(u"")) if bytes is str else (str,)


class Shape(object):
    """A value for which `holds`; `name` is for messages."""

    def __init__(self, name, holds, example):
        self.name, self._holds, self._example = name, holds, example

    def match(self, value, kept):
        return None if self._holds(value) else "%r is no %s" % (value, self.name)

    def sample(self, kept):
        return self._example

    def __repr__(self):
        return self.name


class Keep(object):
    """As `shape`; the value is kept under `name` for later steps."""

    def __init__(self, name, shape):
        self._name, self._shape = name, shape

    def match(self, value, kept):
        wrong = match(value, self._shape, kept)
        if wrong is None:
            kept[self._name] = value
        return wrong

    def sample(self, kept):
        kept[self._name] = sample(self._shape, kept)
        return kept[self._name]


class Kept(object):
    """The value that an earlier step kept, changed by `change`. In arguments, and in shapes."""

    def __init__(self, name, change=lambda value: value):
        self._name, self._change = name, change

    def value(self, kept):
        return self._change(kept[self._name])

    def match(self, value, kept):
        return match(value, self.value(kept), kept)

    def sample(self, kept):
        return self.value(kept)


class Rows(object):
    """A list of `shape`, at least `least` and at most `most` of them."""

    def __init__(self, shape, least=0, most=None):
        self._shape, self._least, self._most = shape, least, most

    def match(self, value, kept):
        if not isinstance(value, list):
            return "%r is no list" % (value,)
        if len(value) < self._least or self._most is not None and len(value) > self._most:
            return "%d rows, not %s to %s" % (len(value), self._least, self._most)
        return first(match(item, self._shape, kept, "[%d]" % at) for at, item in enumerate(value))

    def sample(self, kept):
        return [sample(self._shape, kept) for _ in range(max(self._least, 1))]


class Has(Rows):
    """A list that has a row of `shape` among others."""

    def __init__(self, shape):
        Rows.__init__(self, shape, 1)

    def match(self, value, kept):
        if not isinstance(value, list):
            return "%r is no list" % (value,)
        if any(match(item, self._shape, kept) is None for item in value):
            return None
        return "no row of %r in %r" % (self._shape, value)


class Begins(object):
    """A list that begins so."""

    def __init__(self, *shapes):
        self._shapes = list(shapes)

    def match(self, value, kept):
        if not isinstance(value, list):
            return "%r is no list" % (value,)
        return match(value[: len(self._shapes)], self._shapes, kept)

    def sample(self, kept):
        return sample(self._shapes, kept)


class Either(object):
    """One of these."""

    def __init__(self, *shapes):
        self._shapes = shapes

    def match(self, value, kept):
        wrong = [match(value, shape, kept) for shape in self._shapes]
        return None if None in wrong else " and ".join(wrong)

    def sample(self, kept):
        return sample(self._shapes[0], kept)


def match(value, shape, kept, where=""):
    """`None`, or what is wrong and where."""
    if hasattr(shape, "match") and hasattr(shape, "sample"):
        wrong = shape.match(value, kept)
    elif isinstance(shape, list):
        if not isinstance(value, list):
            wrong = "%r is no list" % (value,)
        elif len(value) != len(shape):
            wrong = "%d elements, not %d: %r" % (len(value), len(shape), value)
        else:
            wrong = first(match(one, of, kept, "[%d]" % at) for at, (one, of) in enumerate(zip(value, shape)))
    else:
        wrong = None if same(value, shape) else "%r is not %r" % (value, shape)
    return None if wrong is None else where + (wrong if wrong.startswith("[") else ": " * bool(where) + wrong)


def same(value, wanted):
    """Equal, and of the same kind: `True` is no 1. The wire's dates are ISO text."""
    if isinstance(wanted, datetime.datetime) and isinstance(value, DateTime):
        return value == wanted
    if isinstance(wanted, (datetime.date, datetime.time)) and isinstance(value, TEXTS):
        return value == wanted.isoformat()
    return isinstance(value, bool) == isinstance(wanted, bool) and value == wanted


def first(wrongs):
    return next((wrong for wrong in wrongs if wrong is not None), None)


def sample(shape, kept):
    """A value of this shape."""
    if hasattr(shape, "sample"):
        return shape.sample(kept)
    if isinstance(shape, list):
        return [sample(item, kept) for item in shape]
    if isinstance(shape, (datetime.date, datetime.time)) and not isinstance(shape, datetime.datetime):
        return shape.isoformat()
    return shape


def whole(value):
    return isinstance(value, int) and not isinstance(value, bool)


def text(pattern):
    found = re.compile(pattern)
    return lambda value: isinstance(value, TEXTS) and found.match(value) is not None


def date(value):
    plain = isinstance(value, datetime.date) and not isinstance(value, datetime.datetime)
    return plain or text(r"\d{4}-\d\d-\d\d\Z")(value)


def clock(value):
    return isinstance(value, datetime.time) or text(r"\d\d:\d\d:\d\d\Z")(value)


_YEAR_2020 = 1577836800

INT = Shape("whole number", whole, 7)
POSITIVE = Shape("positive number", lambda value: whole(value) and value > 0, 2)
WARNING = Shape("negative number", lambda value: whole(value) and value < 0, -1)
NOT_AN_ERROR = Shape("number up to 0", lambda value: whole(value) and value <= 0, 0)
TEXT = Shape("text", lambda value: isinstance(value, TEXTS), "text")
SOME_TEXT = Shape("text that is not empty", lambda value: isinstance(value, TEXTS) and bool(value), "text")
ID_TEXT = Shape("text of digits", text(r"[0-9]+\Z"), "7")
URL = Shape("address of an output folder", text(r"https?://[^\s]+/script_one_\d{8}_\d{6}"),
            "http://h:1/public/samples/test1/script_one_20091109_115346")
STAMP = Shape("time in seconds since 1970", lambda value: whole(value) and _YEAR_2020 < value < time.time() + 86400,
              _YEAR_2020 + 1)
STAMP_OR_0 = Either(STAMP, 0)
DATE = Shape("date", date, "2013-07-15")
TIME = Shape("time of day", clock, "10:00:00")
MOMENT = Shape("date and time", lambda value: isinstance(value, (datetime.datetime, DateTime)),
               DateTime("20130715T08:00:00"))
VERSION = Shape("version", text(r"\d+(\.\d+)+"), "0.1.0")
STARTED = Shape("time as YYYY-MM-DD HH:MM:SSZ", text(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\dZ\Z"), "2012-10-22 13:52:20Z")


def saying(*words):
    """Text in which all these words are."""
    def holds(value):
        return isinstance(value, TEXTS) and all(word in value for word in words)

    return Shape("text with %s" % (words,), holds, " ".join(words))


def ending(tail):
    """Text with this end."""
    return Shape("text that ends in %r" % tail, lambda value: isinstance(value, TEXTS) and value.endswith(tail), tail)
