"""Images of a script: a file that a capture wrote or a script brings along. Nothing here decodes pixels."""

from __future__ import absolute_import

import datetime
import os
import shutil

from stormtest._state import STATE


class StormTestImageObject(object):
    """A picture in a file. Made by captures, `FromFile` and `ImageFromFile`."""

    def __init__(self, path):
        """`path`: an existing image file. Raises `IOError` when there is none."""
        self._source = os.path.abspath(STATE.find_file(path))
        if not os.path.isfile(self._source):
            raise IOError("no image file at %s" % self._source)
        self._saved = None
        self._closed = False

    @classmethod
    def FromFile(cls, path):
        """The picture in a file; relative to `SetDirectories` or the script's folder."""
        return cls(path)

    def Save(self, path):
        """Copy it to `path`: `%d` and `%t` become date and time; relative names go below the run's folder. Gives 1.

        A name without extension gets the extension of the picture. Raises `IOError` when it cannot be written.
        """
        if self._closed:
            raise IOError("the image %s has been closed" % self._source)
        now = datetime.datetime.now()
        wanted = path.replace("%d", now.strftime("%Y-%m-%d")).replace("%t", now.strftime("%H.%M.%S"))
        wanted = os.path.join(STATE.out_folder(), wanted.replace("\\", "/"))
        if not os.path.splitext(wanted)[1]:
            wanted += os.path.splitext(self._source)[1]
        folder = os.path.dirname(wanted)
        if not os.path.isdir(folder):
            os.makedirs(folder)
        if os.path.abspath(wanted) != self._source:
            shutil.copyfile(self._source, wanted)
        self._saved = wanted
        return 1

    def GetLastSavedName(self):
        """Absolute path of the last `Save`, else of the file it came from."""
        return self._saved or self._source

    def Close(self):
        """Done with it: it cannot be saved any more. The files stay. Gives 1."""
        self._closed = True
        return 1


def ImageFromFile(path):
    """The picture in a file, as a `StormTestImageObject`. Raises `IOError` when there is none."""
    return StormTestImageObject.FromFile(path)
