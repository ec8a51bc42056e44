"""Stored pictures on the screen: `WaitImageMatch` and its kin, by the analysers `image-match` and `icon-search`."""

from __future__ import absolute_import

from stormtest import _arguments, _geometry, _images, _rows, _watching
from stormtest._constants import CompareAlgorithm
from stormtest.Imaging import of_capture

# The analyser takes no more excluded parts than these.
_MOST_EXCLUDED = 64


def WaitImageMatch(refImage, percent=None, includedAreas=None, excludedAreas=None,
                   algorithm=CompareAlgorithm.Compare1, timeToWait=_watching.TIME_TO_WAIT_S,
                   waitGap=_watching.WAIT_GAP_S, slotNo=0):
    """Wait until the screen is like a stored image, in the areas if any are given.

    Rows `[slot, matched, image, percent, captures, seconds]`; with a slot the bare row. `algorithm` has no effect.
    """
    wanted = refImage, percent, includedAreas, excludedAreas
    return _wait("WaitImageMatch", wanted, _watching.MATCH, (timeToWait, waitGap), slotNo)


def WaitImageNoMatch(refImage, percent=None, includedAreas=None, excludedAreas=None,
                     algorithm=CompareAlgorithm.Compare1, timeToWait=_watching.TIME_TO_WAIT_S,
                     waitGap=_watching.WAIT_GAP_S, slotNo=0):
    """Wait until the screen is like the image no more. Rows as of `WaitImageMatch`; `matched`: it has come so."""
    wanted = refImage, percent, includedAreas, excludedAreas
    return _wait("WaitImageNoMatch", wanted, _watching.NO_MATCH, (timeToWait, waitGap), slotNo)


def CompareImageEx(refImage, testImage, percent=None, includedAreas=None, excludedAreas=None,
                   algorithm=CompareAlgorithm.Compare1):
    """Whether two stored images are alike: `[matched, percent]`."""
    def ask(title):
        reference, picture = _images.source(refImage), _images.source(testImage)
        asked = questions(reference, _images.size(picture), percent,
                          (_arguments.areas(includedAreas), _arguments.areas(excludedAreas)))
        return _watching.analyse(title, asked, picture)

    watched = _compared("CompareImageEx", ask)
    return [bool(watched["passed"]), alike(watched)]


def CompareImage(refImage, testImage, percent=None, includedAreas=None, excludedAreas=None,
                 algorithm=CompareAlgorithm.Compare1):
    """The older form of `CompareImageEx`; the same answer."""
    return CompareImageEx(refImage, testImage, percent, includedAreas, excludedAreas, algorithm)


def WaitIconMatch(iconImage, percent=None, location=None, timeToWait=_watching.TIME_TO_WAIT_S,
                  waitGap=_watching.WAIT_GAP_S, slotNo=0):
    """Wait until a small image is somewhere on the screen, or in `location`: a rectangle, or the `(x, y)` of its corner.

    Rows `[slot, matched, image, percent, [x, y], captures, seconds]`; with a slot the bare row.
    """
    title = "WaitIconMatch"

    def find(slot):
        asked = [_icon(_images.source(iconImage), percent, location)]
        found = _watching.watch(title, asked, _watching.MATCH, (timeToWait, waitGap), slot)
        return found and [(number, _icon_row(watched)) for number, watched in found]

    return _rows.answered(title, slotNo, _rows.BARE, lambda: _icon_row(_watching.NOTHING), find)


def CompareIconEx(iconImage, testImage, percent=None, location=None):
    """Whether a small image is in a stored one: `[matched, percent, [x, y]]`."""
    def ask(title):
        return _watching.analyse(title, [_icon(_images.source(iconImage), percent, location)],
                                 _images.source(testImage))

    watched = _compared("CompareIconEx", ask)
    return [bool(watched["passed"]), alike(watched), place(watched)]


def CompareIcon(iconImage, testImage, percent=None, location=None):
    """The older form of `CompareIconEx`; the same answer."""
    return CompareIconEx(iconImage, testImage, percent, location)


def _compared(title, ask):
    try:
        return ask(title) or _watching.NOTHING
    except ValueError as error:
        _arguments.refused("Failure in %s" % title, error)
        return _watching.NOTHING


def _wait(title, wanted, until, times, slot_no):
    image, percent, included, excluded = wanted

    def find(slot):
        reference = _images.source(image)
        areas = _arguments.areas(included), _arguments.areas(excluded)
        asked = questions(reference, _watching.screen_size(title, slot), percent, areas)
        found = _watching.watch(title, asked, until, times, slot)
        return found and [(number, _row(watched)) for number, watched in found]

    return _rows.answered(title, slot_no, _rows.BARE, lambda: _row(_watching.NOTHING), find)


def _row(watched):
    return [bool(watched["met"]), of_capture(watched["picture"]), alike(watched), watched["looks"],
            watched["seconds"]]


def _icon_row(watched):
    return [bool(watched["met"]), of_capture(watched["picture"]), alike(watched), place(watched), watched["looks"],
            watched["seconds"]]


def alike(watched):
    """How much is alike, in percent."""
    return watched["values"].get("percent", 100.0 * watched["score"])


def place(watched):
    """`[x, y]` of where it was found, or of the nearest to it."""
    return [int(watched["values"].get(name, 0)) for name in ("x", "y")]


def questions(reference, screen, percent, areas):
    """The questions of a comparison. `areas`: the included and the excluded ones, in the screen's coordinates.

    An area within a larger reference is that part of the reference, at the same place of the screen. An area that the
    reference does not reach into, or just fills, is where the reference is looked for. Raises `ValueError`.
    """
    included, excluded = areas
    own = _images.size(reference)
    if own is None:
        raise ValueError("the image %s is neither PNG nor JPEG nor BMP" % reference)
    return [_question(reference, (own, screen), percent, area, excluded) for area in included or [None]]


def _question(reference, sizes, percent, area, excluded):
    own, screen = sizes
    whole = [0, 0] + own
    parameters = {"percent": _arguments.percent(percent)}
    if area is not None and _geometry.inside(area, whole) == area and area != whole:
        parameters.update(where="same-place", excluded=_cut(_geometry.without(whole, area) + excluded, whole))
    elif area is not None:
        held = [_geometry.moved(one, -area[0], -area[1]) for one in excluded]
        parameters.update(where="anywhere", region=area, excluded=_cut([one for one in held if one], whole))
    else:
        parameters.update(where="same-place" if own == screen else "anywhere", excluded=_cut(excluded, whole))
    return _watching.question("image-match", parameters, [reference])


def _cut(excluded, whole):
    within = [_geometry.inside(one, whole) for one in excluded]
    kept = [one for one in within if one]
    if len(kept) > _MOST_EXCLUDED:
        raise ValueError("%d excluded areas; at most %d can be told" % (len(kept), _MOST_EXCLUDED))
    return kept or None


def _icon(icon, percent, location):
    region = None
    if location is not None:
        corner = location if isinstance(location, (list, tuple)) and len(location) == 2 else None
        own = _images.size(icon)
        if corner and own:
            location = list(corner) + own
        region = _arguments.rectangle(location)
    return _watching.question("icon-search", {"percent": _arguments.percent(percent), "region": region}, [icon])
