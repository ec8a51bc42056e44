"""Images of a script: a file that a capture wrote or a script brings along, or a picture of the Pillow library.

Nothing here decodes pixels without Pillow, which the script's own Python may or may not have.
"""

from __future__ import absolute_import

import datetime
import os
import shutil

from stormtest import _pictures, _text
from stormtest._modules import tell_unknown_names as _tell_unknown_names
from stormtest._state import STATE
from stormtest.errors import StormTestError


class StormTestImageObject(object):
    """A picture. Made by captures, `FromFile`, `ImageFromFile`, or of a PIL image."""

    def __init__(self, source):
        """`source`: path of an existing image file, or a PIL image. Raises `IOError` when there is no file."""
        self._source, self._picture = None, None
        self._saved, self._closed = None, False
        if hasattr(source, "save") and hasattr(source, "size"):
            self._picture = source
            return
        self._source = os.path.abspath(STATE.find_file(_text.to_native(_text.to_text(source))))
        if not os.path.isfile(self._source):
            raise IOError("no image file at %s" % self._source)

    @classmethod
    def FromFile(cls, path):
        """The picture in a file; relative to `SetDirectories` or the script's folder."""
        return cls(path)

    @property
    def Path(self):
        """Absolute path of a file with the picture; one is written for a picture that has none."""
        if self._source is None:
            self._source = _free_name(os.path.join(STATE.out_folder(), "image.png"))
            self._picture.save(self._source)
        return self._source

    @property
    def Size(self):
        """`(width, height)` in pixels; `None` if the file's kind is not known."""
        if self._picture is not None:
            return tuple(self._picture.size)
        found = _pictures.size(self._source)
        return tuple(found) if found else None

    def Save(self, path):
        """Write it to `path`: `%d` and `%t` become date and time; relative names go below the run's folder. Gives 1.

        A name without extension gets the extension of the picture. Another extension than the file's converts it if
        Pillow is there, else the file is copied as it is. Raises `IOError` when it cannot be written.
        """
        if self._closed:
            raise IOError("the image %s has been closed" % (self._source or "in memory"))
        now = datetime.datetime.now()
        wanted = path.replace("%d", now.strftime("%Y-%m-%d")).replace("%t", now.strftime("%H.%M.%S"))
        wanted = os.path.abspath(os.path.join(STATE.out_folder(), wanted.replace("\\", "/")))
        if not os.path.splitext(wanted)[1]:
            wanted += os.path.splitext(self._source)[1] if self._source else ".png"
        if not os.path.isdir(os.path.dirname(wanted)):
            os.makedirs(os.path.dirname(wanted))
        self._write(wanted)
        self._saved = wanted
        return 1

    def _write(self, wanted):
        picture = self._picture
        if self._source and _kind(wanted) != _kind(self._source):
            picture = picture or _opened(self._source)
        elif self._source:
            picture = None
        if picture is None:
            if wanted != self._source:
                shutil.copyfile(self._source, wanted)
            return
        if _kind(wanted) == ".jpg" and picture.mode not in ("RGB", "L"):
            picture = picture.convert("RGB")
        picture.save(wanted)

    def GetLastSavedName(self):
        """Absolute path of the last `Save`, else of the file it came from; `None` for a picture without either."""
        return self._saved or self._source

    def ToPILImage(self, retainRawImage=False):
        """The picture as a PIL image. Raises `StormTestError` if Pillow is not there. `retainRawImage` has no effect."""
        if self._picture is not None:
            return self._picture.copy()
        picture = _opened(self._source)
        if picture is None:
            raise _no_pillow("ToPILImage")
        return picture

    def Transform(self, converter):
        """The picture brought into other coordinates by a converter, such as one of `GetWorldToDesignTransform`.

        Gives a new image. Raises `StormTestError` if Pillow is not there and the converter changes anything.
        """
        if converter is None or converter.IsIdentity():
            return StormTestImageObject(self._picture if self._picture is not None else self._source)
        try:
            from PIL import Image
        except ImportError:
            raise _no_pillow("Transform")
        picture = self.ToPILImage()
        across, down, x, y = converter.Factors()
        width, height = max(1, int(round(picture.size[0] * across))), max(1, int(round(picture.size[1] * down)))
        back = (1.0 / across, 0, -x / across, 0, 1.0 / down, -y / down)
        return StormTestImageObject(picture.transform((width, height), Image.AFFINE, back, Image.BILINEAR))

    def Close(self):
        """Done with it: it cannot be saved any more. The files stay. Gives 1."""
        self._closed = True
        return 1


def ImageFromFile(path):
    """The picture in a file, as a `StormTestImageObject`. Raises `IOError` when there is none."""
    return StormTestImageObject.FromFile(path)


def of_capture(path):
    """The picture that the rack wrote, or `None`. A relative path is one below the run's folder."""
    if not path:
        return None
    path = os.path.join(STATE.out_folder(), path)
    return StormTestImageObject(path) if os.path.isfile(path) else None


def _opened(path):
    try:
        from PIL import Image
    except ImportError:
        return None
    picture = Image.open(path)
    picture.load()
    return picture


def _kind(path):
    ending = os.path.splitext(path)[1].lower()
    return ".jpg" if ending == ".jpeg" else ending


def _free_name(path):
    stem, ending = os.path.splitext(path)
    number, free = 0, path
    while os.path.exists(free):
        number += 1
        free = "%s_%d%s" % (stem, number, ending)
    return free


def _no_pillow(call):
    return StormTestError("%s needs the library Pillow, which this Python does not have: install `pillow` for the rack's "
                          "interpreter, or work on the file that GetLastSavedName() names" % call)


_tell_unknown_names(__name__)
