"""Named resources: images, regions, colours and texts under paths such as `/FOLDER/Name`.

They are files below a folder `resources`: of the public area, of the script's nearest parent folder named `public`, of
the folder of `SetDirectories`, and beside the script; the first one that has the name counts.

    resources/FOLDER/Name.png       an image (.png .jpg .jpeg .bmp)
    resources/FOLDER/Name.json      {"region": [x, y, width, height]}, {"color": [r, g, b], "tolerances": [r, g, b],
                                    "flatness": 70, "peakError": 2} or {"string": "text"}; with "slots": {"3": value}
                                    other values for some slots
    resources/FOLDER.json           {"Name": {"region": ...}, ...}: several in one file

No connection is needed: scripts look things up while they are imported.
"""

from __future__ import absolute_import

import io
import json
import os
import re
import sys

from stormtest import _text
from stormtest._state import STATE
from stormtest.stormtest_client import NamedColor, NamedImage, NamedRegion, NamedString

FOLDER = "resources"
_IMAGES = (".png", ".jpg", ".jpeg", ".bmp")


class NotThere(ValueError):
    """There is no resource of that kind and name; the message says where it was looked for."""


def FindNamedImage(name):
    """The image of that name, or `None` and an ERROR line."""
    return _found_or_none("FindNamedImage", image, name)


def FindNamedRegion(name):
    """The rectangle of that name, or `None` and an ERROR line."""
    return _found_or_none("FindNamedRegion", region, name)


def FindNamedColor(name):
    """The colour of that name, or `None` and an ERROR line."""
    return _found_or_none("FindNamedColor", color, name)


def FindNamedString(name):
    """The text of that name, or `None` and an ERROR line."""
    return _found_or_none("FindNamedString", string, name)


def ReadNamedRegion(name):
    """The rectangle of that name as a tuple `(x, y, width, height)`, or `None` and an ERROR line."""
    found = _found_or_none("ReadNamedRegion", region, name)
    return None if found is None else tuple(found.Rect)


def ReadNamedString(name):
    """The text of that name, or `None` and an ERROR line."""
    found = _found_or_none("ReadNamedString", string, name)
    return None if found is None else found.Value


def WriteNamedImage(name, image_):
    """Keep an image under a name, for the rest of this run: the file areas change by uploads alone. Gives 1 or 0."""
    from stormtest import _images
    try:
        parts = _parts(name)
        source = _images.source(image_)
        target = os.path.join(_bases()[0], *parts) + os.path.splitext(source)[1]
        if not os.path.isdir(os.path.dirname(target)):
            os.makedirs(os.path.dirname(target))
        with open(source, "rb") as given:
            data = given.read()
        with open(target, "wb") as kept:
            kept.write(data)
        return 1
    except (ValueError, EnvironmentError) as error:
        STATE.log("error", u"Failure in WriteNamedImage(%s): %s" % (_text.to_text(name), _text.to_text(error)))
        return 0


def _found_or_none(call, find, name):
    try:
        return find(name)
    except ValueError as error:
        STATE.log("error", u"%s(%s): %s" % (call, _text.to_text(name), _text.to_text(error)))
        return None


def image(name):
    """The `NamedImage`. Raises `NotThere`."""
    parts = _parts(name)
    slots = {}
    for base in _bases():
        for ending in _IMAGES:
            path = _file(base, parts, ending)
            if path:
                return NamedImage(name, path, slots)
    raise _not_there("image", name, "%s.png" % "/".join(parts))


def region(name):
    """The `NamedRegion`. Raises `NotThere`, or `ValueError` for a file that cannot be read."""
    entry = _entry(name, "region")
    return NamedRegion(name, _numbers(name, entry["region"], 4), _of_slots(name, entry, 4))


def color(name):
    """The `NamedColor`. Raises `NotThere`, or `ValueError` for a file that cannot be read."""
    entry = _entry(name, "color")
    tolerances = entry.get("tolerances", entry.get("tolerance"))
    return NamedColor(name, _numbers(name, entry["color"], 3), _of_slots(name, entry, 3), tolerances,
                      entry.get("flatness"), entry.get("peakError", entry.get("peak_error")))


def string(name):
    """The `NamedString`. Raises `NotThere`, or `ValueError` for a file that cannot be read."""
    entry = _entry(name, "string")
    slots = dict((int(slot), value) for slot, value in entry.get("slots", {}).items())
    return NamedString(name, entry["string"], slots)


def _of_slots(name, entry, width):
    slots = entry.get("slots", {})
    if not isinstance(slots, dict) or not all(re.match(r"\d{1,9}\Z", slot) for slot in slots):
        raise ValueError("the resource %s has slots that are no object of numbers" % name)
    return dict((int(slot), _numbers(name, value, width)) for slot, value in slots.items())


def _numbers(name, value, width):
    if not isinstance(value, list) or len(value) != width or not all(isinstance(one, (int, float)) for one in value):
        raise ValueError("the resource %s is %r; it must be %d numbers" % (name, value, width))
    return tuple(int(one) for one in value)


def _entry(name, kind):
    parts = _parts(name)
    for base in _bases():
        path = _file(base, parts, ".json")
        entry = _json(path) if path else None
        if entry is None and len(parts) > 1:
            path = _file(base, parts[:-1], ".json")
            entry = _json(path).get(parts[-1]) if path else None
        if isinstance(entry, dict) and kind in entry:
            return entry
    raise _not_there(kind, name, "%s.json with the key %r" % ("/".join(parts), kind))


def _json(path):
    try:
        with io.open(path, encoding="utf-8-sig") as source:
            value = _text.to_native(json.load(source))
    except (ValueError, EnvironmentError) as error:
        raise ValueError("cannot read the resource file %s: %s" % (path, error))
    if not isinstance(value, dict):
        raise ValueError("the resource file %s is no JSON object" % path)
    return value


def _not_there(kind, name, file_):
    return NotThere("there is no %s of that name: none of %s has %s" % (kind, ", ".join(_bases()), file_))


def _parts(name):
    name = getattr(name, "Name", name)
    if not isinstance(name, (_text.BYTES, _text.TEXT)):
        raise ValueError("%r is no name of a resource, such as /FOLDER/Name" % (name,))
    parts = [part for part in re.split(r"[\\/]+", _text.to_native(_text.to_text(name))) if part]
    if not parts or any(part in (".", "..") for part in parts):
        raise ValueError("%r is no name of a resource, such as /FOLDER/Name" % (name,))
    return parts


def _bases():
    """Folders named `resources`, the nearest to the public area first; they need not be there."""
    script = os.path.abspath(_script_folder())
    above = script.split(os.sep)
    bases = [STATE.public] if STATE.public else []
    if "public" in above:
        last = len(above) - 1 - above[::-1].index("public")
        bases.append(os.sep.join(above[: last + 1]))
    bases += [STATE.image_dir] if STATE.image_dir else []
    bases += [script, os.getcwd()]
    found = []
    for base in bases:
        folder = os.path.join(os.path.abspath(base), FOLDER)
        if folder not in found:
            found.append(folder)
    return found


def _script_folder():
    main = getattr(sys.modules.get("__main__"), "__file__", None)
    if main:
        return os.path.dirname(os.path.abspath(main))
    return os.getcwd()


def _file(base, parts, ending):
    """The file, whatever its letter case: the names come from systems for which it made no difference."""
    path = base
    for part in parts[:-1]:
        path = _in_folder(path, part)
        if path is None:
            return None
    path = _in_folder(path, parts[-1] + ending)
    return path if path and os.path.isfile(path) else None


def _in_folder(folder, name):
    exact = os.path.join(folder, name)
    if os.path.exists(exact):
        return exact
    try:
        like = [one for one in sorted(os.listdir(folder)) if one.lower() == name.lower()]
    except OSError:
        return None
    return os.path.join(folder, like[0]) if like else None
