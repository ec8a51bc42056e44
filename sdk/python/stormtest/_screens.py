"""Screen definitions: several regions that make up a screen, looked for together.

Of a screen with still regions one of them is waited for by the rack; when it is there, all are looked at in the very
picture that it was found in. Movement and sound are looked for after that.
"""

from __future__ import absolute_import

import copy
import os
import time

from stormtest import __version__, _arguments, _images, _regions, _rows, _screen_files, _text, _watching
from stormtest._constants import ReturnScreen
from stormtest._state import STATE
from stormtest.Imaging import StormTestImageObject, of_capture

_LEAST_GAP_S = 0.04


class ScreenDefinition(object):
    """A screen. `Regions` may hold screens too. All regions with `Verify` must be as wanted.

    After a match: `VerifyStatus`, and `Image`, the picture that it was said of.
    """

    Still = True
    PassOnNoMatch = False

    def __init__(self, name=""):
        self.Name = name
        self.Comment = ""
        self.DesignSize = None
        self.ReturnScreenImage = ReturnScreen.Always
        self.Verify = True
        self.Regions = []
        self.ModelId = None
        self.EvaluationMethod = 0
        self.CoordConverters = None
        self.MetaData = {}
        self.VerifyStatus = False
        self.Image = None
        self.extra = {}

    def Load(self, path):
        """Become what the `.stscreen` file says. Gives 1, or 0 with an ERROR line."""
        path = os.path.abspath(STATE.find_file(path))
        try:
            self.from_value(_screen_files.read(path), os.path.dirname(path))
            return 1
        except ValueError as error:
            _arguments.refused("Failure in Load(%s)" % path, error)
            return 0

    def Save(self, path):
        """Write a `.stscreen` file; a relative path is one below the run's folder. Gives 1, or 0 with an ERROR line."""
        path = os.path.abspath(os.path.join(STATE.out_folder(), path.replace("\\", "/")))
        try:
            _screen_files.write(path, self.to_value(os.path.dirname(path)))
            return 1
        except (EnvironmentError, ValueError, TypeError) as error:
            _arguments.refused("Failure in Save(%s)" % path, error)
            return 0

    def Close(self):
        """Done with it. Gives 1."""
        self.Image = None
        return 1

    def Clone(self):
        """A copy of its own."""
        return copy.deepcopy(self)

    def Match(self, slotNo=0):
        """Look once: rows `[slot, screen, seconds, captures]`; with a slot the bare row."""
        return WaitScreenDefMatch(self, 0, _watching.WAIT_GAP_S, slotNo)

    # ---- files

    def from_value(self, value, folder):
        """Become what the JSON object says. Raises `ValueError`."""
        if _screen_files.kind(value) not in ("screendef", "screendefinition", ""):
            raise _screen_files.Unreadable("its type is %r, no ScreenDef" % value.get("Type"))
        regions = value.get("Regions") or []
        size = value.get("DesignSize")
        if not isinstance(regions, list) or size is not None and not (
                isinstance(size, (list, tuple)) and len(size) == 2):
            raise _screen_files.Unreadable("its Regions are no list, or its DesignSize is no [width, height]")
        loaded = [_region(one, folder) for one in regions]
        for name in ("Name", "Comment", "ReturnScreenImage", "Verify", "ModelId", "EvaluationMethod",
                     "CoordConverters", "MetaData"):
            setattr(self, name, value.get(name, getattr(self, name)))
        self.DesignSize = [int(one) for one in size] if size else None
        self.Regions, self.extra = loaded, value

    def to_value(self, folder):
        """Its JSON object, as it is to lie in a file in `folder`."""
        metadata = dict(self.MetaData or {}, SoftwareVersion=__version__, Date=time.strftime("%d/%m/%Y"))
        regions = [one.to_value(folder) if isinstance(one, ScreenDefinition)
                   else _screen_files.region_value(one, folder) for one in self.Regions]
        return dict(self.extra, Type="ScreenDef", Name=self.Name, Comment=self.Comment,
                    DesignSize=list(self.DesignSize) if self.DesignSize else None,
                    ReturnScreenImage=self.ReturnScreenImage, Verify=self.Verify, Regions=regions,
                    ModelId=self.ModelId, EvaluationMethod=self.EvaluationMethod,
                    CoordConverters=self.CoordConverters, MetaData=metadata)

    # ---- evaluation

    def leaves(self):
        """Its regions and those of the screens within it, each with the design size that holds for it."""
        found = []
        for one in self.Regions:
            if isinstance(one, ScreenDefinition):
                inner = one.leaves()
                found += [(leaf, design or self.DesignSize) for leaf, design in inner] if one.Verify else []
            else:
                found.append((one, self.DesignSize))
        return found

    def evaluate(self, design, sight):
        """Look at all regions, also when one is not as wanted: each tells what it has seen."""
        design = self.DesignSize or design
        seen = [one.evaluate(design, sight) for one in self.Regions]
        # A screen without regions is no screen that anything could be.
        self.VerifyStatus = bool(seen) and all(seen)
        self.Image = StormTestImageObject(sight.shown) if sight.shown else None
        return self.VerifyStatus or not self.Verify


def _region(value, folder):
    if isinstance(value, dict) and _screen_files.kind(value) in ("screendef", "screendefinition"):
        screen = ScreenDefinition()
        screen.from_value(value, folder)
        return screen
    return _screen_files.region(value, folder)


def WaitScreenDefMatch(screenDef, timeToWait=_watching.TIME_TO_WAIT_S, waitGap=_watching.WAIT_GAP_S, slotNo=0):
    """Wait until a screen is there. `screenDef`: a `ScreenDefinition` or the path of a `.stscreen` file.

    Rows `[slot, screen, seconds, captures]`, the screen a copy with `VerifyStatus` and `Image`; with a slot the bare row.
    """
    title = "WaitScreenDefMatch"
    wanted = _definition(screenDef)
    wanted.VerifyStatus, wanted.Image = False, None

    def failed():
        return [wanted.Clone(), 0.0, 0]

    def find(slot):
        seconds, gap = _arguments.milliseconds(timeToWait) / 1000.0, _arguments.milliseconds(waitGap) / 1000.0
        slots = list(STATE.reserved) if slot is None else [slot]
        if not slots or slots[0] not in STATE.reserved:
            raise ValueError("slot %s is not reserved; call ReserveSlot first" % slot if slot else "no slot is reserved")
        return _Waiting(title, wanted, (seconds, max(gap, _LEAST_GAP_S))).over(slots)

    answer = _rows.answered(title, slotNo, _rows.BARE, failed, find)
    first = answer if slotNo else answer[0][1:] if answer else [wanted]
    # Scripts also look at the definition that they gave.
    wanted.VerifyStatus, wanted.Image = first[0].VerifyStatus, first[0].Image
    return answer


def ScreenDefMatchImage(screenDef, image):
    """A copy of the screen with `VerifyStatus` of a stored image. Movement and sound cannot be told of one."""
    title = "ScreenDefMatchImage"
    screen = _definition(screenDef).Clone()
    screen.VerifyStatus = False
    try:
        path = _images.source(image)
        screen.evaluate(None, _regions.Sight(title, path, None, _images.size(path)))
    except ValueError as error:
        _arguments.refused("Failure in %s" % title, error)
    return screen


def fits(title, screenDef, picture, size):
    """Whether a screen is that of a picture which the rack knows by this name; `size`: `[width, height]` of it."""
    sight = _regions.Sight(title, picture, None, size)
    # There is no file that could be shown.
    sight.shown = None
    screen = _definition(screenDef).Clone()
    screen.evaluate(None, sight)
    return screen.VerifyStatus


def _definition(given):
    if hasattr(given, "evaluate") and hasattr(given, "Regions"):
        return given
    screen = ScreenDefinition()
    if isinstance(given, (_text.BYTES, _text.TEXT)):
        screen.Load(_text.to_native(_text.to_text(given)))
    else:
        _arguments.refused("Failure in a match", "%r is no screen definition" % (given,))
    return screen


class _Waiting(object):
    """For a screen on some slots. `times`: seconds to wait, and from one look to the next."""

    def __init__(self, title, wanted, times):
        self._title, self._wanted = title, wanted
        self._timeout_s, self._gap_s = times
        # Seconds as the calls add up; and by slot the first and the latest time of its own clock, in microseconds.
        self._device_s = 0.0
        self._spans = {}
        # Pictures looked at, by slot.
        self._looks = {}

    def over(self, slots):
        """`[(slot, [screen, seconds, captures])]` once all are there or the time is over."""
        results = {}
        while True:
            for slot in slots:
                if slot not in results or not results[slot][0].VerifyStatus:
                    screen = self._look(slot, self._left() if len(slots) == 1 else 0.0)
                    results[slot] = [screen, self._passed(), self._looks[slot]]
            if all(row[0].VerifyStatus for row in results.values()) or self._left() <= 0:
                return [(slot, results[slot]) for slot in slots]
            pause = min(self._gap_s, max(self._left(), _LEAST_GAP_S))
            STATE.pass_time(int(round(pause * 1000)))
            self._device_s += pause

    def _passed(self):
        # Not this machine's clock: in virtual time hours pass in a moment, or a moment takes long.
        return max([self._device_s] + [(latest - first) / 1e6 for first, latest in self._spans.values()])

    def _left(self):
        return self._timeout_s - self._passed()

    def _look(self, slot, patience_s):
        screen = self._wanted.Clone()
        screen.VerifyStatus = False
        size = _watching.screen_size(self._title, slot)
        picture = self._leading_picture(screen, slot, (size, patience_s)) or self._picture(slot)
        sight = _TimedSight(self._title, picture, slot, size or (_images.size(picture) if picture else None))
        screen.evaluate(None, sight)
        self._looks[slot] = max(self._looks.get(slot, 0), 1)
        self._device_s += sight.seconds
        return screen

    def _leading_picture(self, screen, slot, given):
        """The picture in which the first still region that counts was as wanted, or the last one."""
        size, patience_s = given
        for leaf, design in screen.leaves():
            if not (leaf.Still and leaf.Verify):
                continue
            try:
                asked = leaf.questions(leaf.area(design, size), size)
            except ValueError:
                # It says so when its turn comes.
                return None
            until = _watching.NO_MATCH if leaf.PassOnNoMatch else _watching.MATCH
            found = _watching.watch(self._title, asked[:1], until, (max(0.0, patience_s), self._gap_s), slot)
            if not found:
                return None
            self._note(slot, found[0][1])
            self._looks[slot] = self._looks.get(slot, 0) + found[0][1]["looks"]
            picture = of_capture(found[0][1]["picture"])
            return picture.Path if picture else None
        return None

    def _note(self, slot, watched):
        self._device_s += watched["seconds"]
        first = self._spans.get(slot, (watched["at_us"] - int(watched["seconds"] * 1e6),))[0]
        self._spans[slot] = first, watched["at_us"]

    def _picture(self, slot):
        found = _rows.per_slot(self._title, "capture", slot, rect=None, name=None)
        picture = of_capture((found[0][1] or {}).get("path")) if found else None
        return picture.Path if picture else None


class _TimedSight(_regions.Sight):
    """Adds up for how long regions were watched. `seconds`: of the device's clock."""

    def __init__(self, title, picture, slot, size):
        _regions.Sight.__init__(self, title, picture, slot, size)
        self.seconds = 0.0

    def watch(self, question, until, times):
        watched = _regions.Sight.watch(self, question, until, times)
        self.seconds += watched["seconds"]
        return watched
