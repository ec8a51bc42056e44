"""Colours: `WaitColorMatch` and its kin, by the analyser `colour`."""

from __future__ import absolute_import

from stormtest import _arguments, _geometry, _images, _resources, _rows, _text, _watching
from stormtest.Imaging import of_capture

# Questions asked for one call, at most: what excluded areas leave may fall into many pieces.
_MOST_AREAS = 32


def WaitColorMatch(color, tolerances=None, flatness=None, peakError=None, includedAreas=None, excludedAreas=None,
                   timeToWait=_watching.TIME_TO_WAIT_S, waitGap=_watching.WAIT_GAP_S, slotNo=0):
    """Wait until the areas, or the whole screen, have a colour.

    Rows `[slot, matched, image, [r, g, b], flatness, peakError, captures, seconds]`; with a slot the bare row.
    """
    wanted = color, tolerances, flatness, peakError, includedAreas, excludedAreas
    return _wait("WaitColorMatch", wanted, _watching.MATCH, (timeToWait, waitGap), slotNo)


def WaitColorNoMatch(color, tolerances=None, flatness=None, peakError=None, includedAreas=None, excludedAreas=None,
                     timeToWait=_watching.TIME_TO_WAIT_S, waitGap=_watching.WAIT_GAP_S, slotNo=0):
    """Wait until one of the areas has the colour no more. Rows as of `WaitColorMatch`; `matched`: it has come so."""
    wanted = color, tolerances, flatness, peakError, includedAreas, excludedAreas
    return _wait("WaitColorNoMatch", wanted, _watching.NO_MATCH, (timeToWait, waitGap), slotNo)


def CompareColorEx(image, color, tolerances=None, flatness=None, peakError=None, includedAreas=None,
                   excludedAreas=None):
    """Whether a stored image has a colour: `[matched, [r, g, b], flatness, peakError]`."""
    title = "CompareColorEx"
    try:
        path = _images.source(image)
        given = _areas(includedAreas, excludedAreas, lambda: _images.size(path))
        asked = questions(color, tolerances, flatness, peakError, given)
        watched = _watching.analyse(title, asked, path)
    except ValueError as error:
        _arguments.refused("Failure in %s" % title, error)
        watched = None
    watched = watched or _watching.NOTHING
    return [bool(watched["passed"])] + measured(watched)


def CompareColor(image, color, tolerances=None, flatness=None, peakError=None, includedAreas=None,
                 excludedAreas=None):
    """The older form of `CompareColorEx`; the same answer."""
    return CompareColorEx(image, color, tolerances, flatness, peakError, includedAreas, excludedAreas)


def _wait(title, wanted, until, times, slot_no):
    color, tolerances, flatness, peak_error, included, excluded = wanted

    def find(slot):
        given = _areas(included, excluded, lambda: _watching.screen_size(title, slot))
        found = _watching.watch(title, questions(color, tolerances, flatness, peak_error, given), until, times, slot)
        return found and [(number, _row(watched)) for number, watched in found]

    return _rows.answered(title, slot_no, _rows.BARE, lambda: _row(_watching.NOTHING), find)


def _row(watched):
    return ([bool(watched["met"]), of_capture(watched["picture"])] + measured(watched)
            + [watched["looks"], watched["seconds"]])


def measured(watched):
    """`[[r, g, b], flatness, peakError]` of a verdict."""
    values = watched["values"]
    actual = [int(round(values.get(name, 0))) for name in ("red", "green", "blue")]
    return [actual, values.get("flatness", 0.0), values.get("peak_error", 0.0)]


def questions(color, tolerances, flatness, peak_error, areas):
    """A question for each area; one for the whole screen if there are none. Raises `ValueError`."""
    if isinstance(color, (_text.BYTES, _text.TEXT)):
        color = _resources.color(color)
    if hasattr(color, "Color"):
        tolerances = color.Tolerances if tolerances is None else tolerances
        flatness = color.Flatness if flatness is None else flatness
        peak_error = color.PeakError if peak_error is None else peak_error
        color = color.Color
    parameters = {"value": _arguments.colour(color), "tolerance": _arguments.tolerances(tolerances),
                  "flatness": _arguments.percent(flatness), "peak_error": _arguments.percent(peak_error)}
    return [_watching.question("colour", dict(parameters, region=area)) for area in areas or [None]]


def _areas(included, excluded, size):
    """The areas that count. What is excluded is cut out of them: the analyser itself looks at whole rectangles."""
    areas, holes = _arguments.areas(included), _arguments.areas(excluded)
    if not holes:
        return areas
    if not areas:
        whole = size()
        if not whole:
            raise ValueError("areas cannot be excluded while the size of the picture is not known")
        areas = [[0, 0] + whole]
    left = _geometry.without_all(areas, holes)
    if not 0 < len(left) <= _MOST_AREAS:
        raise ValueError("the excluded areas leave %d areas; 1 to %d can be looked at" % (len(left), _MOST_AREAS))
    return left
