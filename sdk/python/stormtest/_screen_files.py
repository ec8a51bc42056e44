"""Screen definitions as `.stscreen` files: one line of JSON.

    {"Type": "ScreenDef", "Name": ..., "Comment": ..., "DesignSize": [w, h], "ReturnScreenImage": 1, "Verify": true,
     "Regions": [...], "ModelId": ..., "EvaluationMethod": ..., "CoordConverters": ..., "MetaData": {...}}

Regions have a `Type` too: `AudioTest`, `MotionTest`, `ColorTest` as in real files; `ImageTest` and `OCRTest` in our own
words, since no real file with one is public; `ScreenDef` for one within another. What is not known is kept.
"""

from __future__ import absolute_import

import io
import json
import os
import re

from stormtest import _arguments, _regions, _text


class Unreadable(ValueError):
    """The file is no screen definition; the message says why."""


def read(path):
    """The JSON object in a file. Raises `Unreadable`."""
    try:
        with io.open(path, "rb") as source:
            value = json.loads(source.read().decode("utf-8-sig"))
    except EnvironmentError as error:
        raise Unreadable("cannot read %s: %s" % (path, error.strerror or error))
    except ValueError:
        raise Unreadable("%s is no JSON text" % path)
    if not isinstance(value, dict):
        raise Unreadable("%s holds no JSON object" % path)
    return _text.to_native(value)


def write(path, value):
    """Write the JSON object in one line. Raises `IOError`."""
    folder = os.path.dirname(os.path.abspath(path))
    if not os.path.isdir(folder):
        os.makedirs(folder)
    with io.open(path, "wb") as target:
        target.write(json.dumps(value, sort_keys=True).encode("ascii"))


def kind(value):
    """The type of a region or definition, without `Test` and in small letters: `audio`, `screendef`."""
    return re.sub("(test|region)$", "", str(value.get("Type", "")).lower())


def rectangle(given):
    """A rectangle as files have it: `{"rect": [x, y, w, h]}`, a list, or the path of a named region. `None` stays."""
    if isinstance(given, dict):
        given = given.get("rect", given.get("Rect", given.get("Name")))
    if given in (None, "", []):
        return None
    return tuple(_arguments.rectangle(given))


def region(value, folder):
    """A region of its JSON object; `folder`: where the file lies, for images. Raises `Unreadable`."""
    if not isinstance(value, dict):
        raise Unreadable("a region is %r, no object" % (value,))
    make = _READERS.get(kind(value))
    try:
        one = make(value, folder) if make else _regions.UnknownRegion(value.get("Type"))
        one.Rect = rectangle(value.get("Rect"))
    except (TypeError, ValueError, AttributeError) as error:
        raise Unreadable("the region %r cannot be read: %s" % (value.get("Name"), error))
    one.Name, one.Comment = value.get("Name", ""), value.get("Comment", "")
    one.Verify, one.PassOnNoMatch = bool(value.get("Verify", True)), bool(value.get("PassOnNoMatch", False))
    one.extra = value
    return one


def _audio(value, _folder):
    return _regions.AudioRegion("", value.get("AudioThreshold", -60), value.get("Timeout", _regions.TIMEOUT_S),
                                value.get("Channel", 0))


def _motion(value, _folder):
    return _regions.MotionRegion("", value.get("MotionThreshold"), None, value.get("Timeout", _regions.TIMEOUT_S))


def _color(value, _folder):
    wanted = value.get("ReferenceColor") or {}
    return _regions.ColorRegion("", wanted.get("Color"), wanted.get("Tolerance"), wanted.get("Flatness"),
                                wanted.get("PeakError"))


def _image(value, folder):
    one = _regions.ImageRegion("", value.get("Threshold", _regions.IMAGE_PERCENT))
    image = value.get("ReferenceImage")
    if image:
        beside = os.path.join(folder, re.sub(r"[\\/]+", "/", image))
        one.SetImage(beside if os.path.isfile(beside) else image)
    return one


def _ocr(value, _folder):
    return _regions.OCRRegion(value.get("ExpectedText", ""), language=value.get("Language"))


_READERS = {"audio": _audio, "motion": _motion, "color": _color, "image": _image, "ocr": _ocr}
_TYPES = {_regions.AudioRegion: "AudioTest", _regions.MotionRegion: "MotionTest", _regions.ColorRegion: "ColorTest",
          _regions.ImageRegion: "ImageTest", _regions.OCRRegion: "OCRTest"}


def region_value(one, folder):
    """The JSON object of a region that is to lie in a file in `folder`."""
    value = dict(one.extra)
    value.update(Type=_TYPES.get(type(one), getattr(one, "Kind", None)), Name=one.Name, Comment=one.Comment,
                 Verify=one.Verify, PassOnNoMatch=one.PassOnNoMatch)
    if one.Rect is not None:
        value["Rect"] = {"rect": list(_arguments.rectangle(one.Rect))}
    if isinstance(one, _regions.AudioRegion):
        value.update(AudioThreshold=one.AudioThreshold, Timeout=one.Timeout, Channel=one.Channel)
    elif isinstance(one, _regions.MotionRegion):
        value.update(MotionThreshold=one.MotionThreshold, Timeout=one.Timeout)
    elif isinstance(one, _regions.ColorRegion):
        value["ReferenceColor"] = dict(value.get("ReferenceColor") or {}, **_color_value(one))
    elif isinstance(one, _regions.ImageRegion):
        value.update(Threshold=one.Threshold, ReferenceImage=_image_path(one.ReferenceImage, folder))
    elif isinstance(one, _regions.OCRRegion):
        value.update(ExpectedText=one.ExpectedText, Language=one.Language)
    return value


def _color_value(one):
    def plain(given):
        return list(given) if isinstance(given, (list, tuple)) or hasattr(given, "Value") else given

    return {"Color": plain(one.Color), "Tolerance": plain(one.Tolerances), "Flatness": one.Flatness,
            "PeakError": one.PeakError}


def _image_path(image, folder):
    """Beside the file by its relative name, so that both can be moved together."""
    if image is None:
        return None
    path = image.Path
    return os.path.relpath(path, folder) if path.startswith(folder + os.sep) else path
