"""The regions of a screen definition: what each looks for, and how it is asked."""

from __future__ import absolute_import

import copy

from stormtest import _arguments, _colours, _geometry, _image_match, _images, _motion, _ocr, _text, _watching
from stormtest.Imaging import StormTestImageObject

# As real files have it: until when a region of movement or sound is looked at, in seconds.
TIMEOUT_S = 5
IMAGE_PERCENT = 95


class Sight(object):
    """What regions look at: `picture` (a stored one), `slot` (`None`: only the picture), `size` of what it shows.

    `shown`: the file with it.
    """

    def __init__(self, title, picture, slot, size):
        self.title, self.picture, self.slot, self.size = title, picture, slot, size
        self.shown = picture

    def ask(self, questions):
        """The verdict on the picture, or nothing."""
        watched = _watching.analyse(self.title, questions, self.picture) if self.picture else None
        return watched or _watching.NOTHING

    def watch(self, question, until, times):
        """The verdict on what the slot shows or plays from now on; of a stored picture alone nothing can be said."""
        if self.slot is None:
            _arguments.refused("Failure in %s" % self.title, "movement and sound cannot be found in a stored image")
            return _watching.NOTHING
        found = _watching.watch(self.title, [question], until, times, self.slot)
        return found[0][1] if found else _watching.NOTHING


class Region(object):
    """Of a screen definition. `Name`, `Rect` in the design's coordinates (`None`: all), `Verify`: whether it counts.

    After a match `VerifyStatus` tells whether it was as wanted.
    """

    # It can be told from one picture.
    Still = True

    def __init__(self, name="", rect=None):
        self.Name = name
        self.Rect = rect
        self.Comment = ""
        self.Verify = True
        self.PassOnNoMatch = False
        self.VerifyStatus = False
        # What a file said besides, so that it is not lost.
        self.extra = {}

    def Clone(self):
        """A copy of its own."""
        return copy.deepcopy(self)

    def area(self, design, size):
        """Its rectangle on a screen of that size. Raises `ValueError`."""
        return _geometry.scaled(_arguments.rectangle(self.Rect), design, size)

    def evaluate(self, design, sight):
        """Look, and keep what was seen. Gives whether it is as wanted, or does not count."""
        try:
            watched = self.look(design, sight)
        except ValueError as error:
            _arguments.refused("Failure in %s: region %s" % (sight.title, self.Name), error)
            watched = _watching.NOTHING
        # What could not be looked at is never as wanted, not even where no match is.
        self.VerifyStatus = watched is not _watching.NOTHING and bool(watched["passed"]) != bool(self.PassOnNoMatch)
        return self.VerifyStatus or not self.Verify

    def look(self, design, sight):
        """The verdict. Raises `ValueError`."""
        return sight.ask(self.questions(self.area(design, sight.size), sight.size))

    def questions(self, area, size):
        """What is asked of one picture. Raises `ValueError`."""
        raise ValueError("a region of the kind %s cannot be looked at" % type(self).__name__)

    def navigator_result(self):
        """What `ValidateNavigatorScreen` tells of it."""
        return {}


class ImageRegion(Region):
    """Part of the screen looks like a stored image. `Threshold`: how much of it must be alike, in percent."""

    def __init__(self, name="", threshold=IMAGE_PERCENT, rect=None):
        Region.__init__(self, name, rect)
        self.Threshold = threshold
        self.ReferenceImage = None
        self.ActualPercent = 0.0

    def SetImage(self, image):
        """The image to compare with: a file, a named image, a `StormTestImageObject`. Gives 1 or 0."""
        try:
            self.ReferenceImage = StormTestImageObject(_images.source(image))
            return 1
        except (ValueError, EnvironmentError) as error:
            _arguments.refused("Failure in SetImage of the region %s" % self.Name, error)
            return 0

    def questions(self, area, size):
        if self.ReferenceImage is None:
            raise ValueError("it has no image; call SetImage")
        return _image_match.questions(_images.source(self.ReferenceImage), size, self.Threshold,
                                      ([area] if area else [], []))

    def look(self, design, sight):
        watched = Region.look(self, design, sight)
        self.ActualPercent = _image_match.alike(watched)
        return watched

    def navigator_result(self):
        return {"ImageSimilarity": self.ActualPercent}


class ColorRegion(Region):
    """Part of the screen has a colour."""

    def __init__(self, name="", color=None, tolerances=None, flatness=None, peakError=None, rect=None):
        Region.__init__(self, name, rect)
        self.Color, self.Tolerances = color, tolerances
        self.Flatness, self.PeakError = flatness, peakError
        self.ActualColor, self.ActualFlatness, self.ActualPeakError = [0, 0, 0], 0.0, 0.0

    def questions(self, area, size):
        return _colours.questions(self.Color, self.Tolerances, self.Flatness, self.PeakError, [area] if area else [])

    def look(self, design, sight):
        watched = Region.look(self, design, sight)
        self.ActualColor, self.ActualFlatness, self.ActualPeakError = _colours.measured(watched)
        return watched

    def navigator_result(self):
        return {"Detected Peak Error": self.ActualPeakError}


class OCRRegion(Region):
    """A text stands there. `ResultText`: what was read. With `verify` off it is only read."""

    def __init__(self, expected="", name="", rect=None, verify=True, language=None):
        Region.__init__(self, name, rect)
        self.ExpectedText = expected
        self.Language = language
        self.Verify = bool(verify)
        self.ResultText = ""

    def questions(self, area, size):
        return [_ocr.question(area, self.ExpectedText, self.Language)]

    def look(self, design, sight):
        watched = Region.look(self, design, sight)
        self.ResultText = _ocr.read(watched)[4]
        return watched


class MotionRegion(Region):
    """Something moves there within `Timeout` seconds, so that `MotionThreshold` percent of the pixels change."""

    Still = False

    def __init__(self, name="", threshold=None, rect=None, timeout=TIMEOUT_S):
        Region.__init__(self, name, rect)
        self.MotionThreshold = threshold
        self.Timeout = timeout
        self.ActualMotion = 0.0

    def look(self, design, sight):
        asked = _motion.motion_question(self.area(design, sight.size), self.MotionThreshold)
        # Where nothing is to move, it must stay so for the whole time: a match ends it too.
        watched = sight.watch(asked, _watching.MATCH, (self.Timeout, _motion.MOTION_GAP_S))
        self.ActualMotion = watched["values"].get("percent", 0.0)
        return watched


class AudioRegion(Region):
    """There is sound louder than `AudioThreshold` dB within `Timeout` seconds. It has no rectangle."""

    Still = False

    def __init__(self, name="", threshold=-60, timeout=TIMEOUT_S, channel=0):
        Region.__init__(self, name)
        self.AudioThreshold = threshold
        self.Timeout = timeout
        self.Channel = channel
        self.ActualAudio = _motion.SILENCE_DBFS

    def look(self, design, sight):
        asked = _motion.sound_question(self.AudioThreshold)
        watched = sight.watch(asked, _watching.MATCH, (self.Timeout, _motion.SOUND_GAP_S))
        self.ActualAudio = _motion.level(watched)
        return watched


class UnknownRegion(Region):
    """A region of a kind that is not known: it is kept as it is and never as wanted."""

    def __init__(self, kind, name=""):
        Region.__init__(self, name)
        self.Kind = kind

    def look(self, design, sight):
        raise ValueError("regions of the kind %r are not known" % (_text.to_native(_text.to_text(self.Kind)),))
