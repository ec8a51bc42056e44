"""What a script gives as an image, as a file that the rack can read."""

from __future__ import absolute_import

import os

from stormtest import _pictures, _resources, _text
from stormtest._state import STATE

_CONVERTED = {}


def source(image):
    """Absolute path of the image: a file's name, a named resource or its path, a `StormTestImageObject`, a PIL image.

    Windows bitmaps are converted. Raises `ValueError` when there is no such image.
    """
    try:
        path = _path(image)
        if _pictures.is_bitmap(path):
            return _converted(path)
    except EnvironmentError as error:
        raise ValueError("cannot read the image: %s" % error)
    return path


def size(path):
    """`[width, height]` of a picture file; `None` if that cannot be told."""
    try:
        return _pictures.size(path)
    except EnvironmentError:
        return None


def _path(image):
    if isinstance(image, (_text.BYTES, _text.TEXT)):
        return _named(_text.to_native(_text.to_text(image)))
    path = getattr(image, "Path", None)
    if path is None and hasattr(image, "save"):
        from stormtest import Imaging
        path = Imaging.StormTestImageObject(image).Path
    if not path:
        raise ValueError("%r is no image: give a file's name, a StormTestImageObject or a named image" % (image,))
    return os.path.abspath(path)


def _named(text):
    path = os.path.abspath(STATE.find_file(text))
    if os.path.isfile(path):
        return path
    try:
        return os.path.abspath(_resources.image(text).Path)
    except ValueError:
        raise ValueError("there is no image file at %s, and no named image %s" % (path, text))


def _converted(path):
    # The time is part of the key: a script may write its reference anew.
    key = path, os.path.getmtime(path)
    if key not in _CONVERTED:
        folder = os.path.join(STATE.out_folder(), "references")
        if not os.path.isdir(folder):
            os.makedirs(folder)
        stem = os.path.splitext(os.path.basename(path))[0]
        target = os.path.join(folder, "%s_%d.png" % (stem, len(_CONVERTED) + 1))
        _pictures.bitmap_to_png(path, target)
        _CONVERTED[key] = target
    return _CONVERTED[key]
