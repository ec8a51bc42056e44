"""Where in the script a call stands, for the run's log: `lib/keys.py:12`, the innermost file of the script's own first.

Files are named below the script's folder, or below the public area as `STORMTEST_PUBLIC/...`. All others, this package
and the libraries among them, are passed over.
"""

from __future__ import absolute_import

import os
import sys

from stormtest import _text

PUBLIC = "STORMTEST_PUBLIC"
MOST_PLACES = 8
_MOST_FRAMES = 100
_MOST_CHARS = 150
_OWN = os.path.dirname(os.path.abspath(__file__))


def own_script():
    """Absolute path of the script that this process runs; `None` when it runs none, as at Python's own prompt."""
    path = os.path.abspath((getattr(sys, "argv", None) or [""])[0] or "script")
    return path if os.path.isfile(path) else None


class Sources(object):
    """The folders of one script, and the names of its files as they have come up."""

    def __init__(self, script, public):
        """`script`: its file, absolute; empty: that of the command line. `public`: the public area or `None`."""
        script = script or os.path.abspath((getattr(sys, "argv", None) or [""])[0] or "script")
        self._folders = [(os.path.dirname(script), "")]
        if public:
            self._folders.append((public, PUBLIC))
        self._names = {}

    def places(self):
        """Those of the calling thread, from the caller's caller on; may be none."""
        places = []
        frame, left = sys._getframe(2), _MOST_FRAMES
        while frame is not None and left and len(places) < MOST_PLACES:
            path = frame.f_code.co_filename
            try:
                name = self._names[path]
            except KeyError:
                name = self._names[path] = self._name(path)
            if name is not None:
                places.append(u"%s:%d" % (name, frame.f_lineno))
            frame, left = frame.f_back, left - 1
        return places

    def _name(self, path):
        path = os.path.abspath(path)
        if os.path.dirname(path) == _OWN:
            return None
        for folder, prefix in self._folders:
            above = folder.rstrip(os.sep) + os.sep
            if path.startswith(above):
                name = _text.to_text(os.path.join(prefix, path[len(above):]).replace(os.sep, "/"))
                return name if len(name) <= _MOST_CHARS else None
        return None
