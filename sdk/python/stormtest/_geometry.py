"""Rectangles `[x, y, width, height]` in pixels: what is inside, what is left, what it is in another size."""

from __future__ import absolute_import


def inside(rect, outer):
    """The part of `rect` within `outer`, or `None`."""
    left, top = max(rect[0], outer[0]), max(rect[1], outer[1])
    right = min(rect[0] + rect[2], outer[0] + outer[2])
    bottom = min(rect[1] + rect[3], outer[1] + outer[3])
    return [left, top, right - left, bottom - top] if right > left and bottom > top else None


def without(rect, hole):
    """What `hole` leaves of `rect`: at most four rectangles, above, left, right and below it."""
    cut = inside(rect, hole)
    if cut is None:
        return [list(rect)]
    x, y, width, height = rect
    below, right = cut[1] + cut[3], cut[0] + cut[2]
    left = [[x, y, width, cut[1] - y], [x, cut[1], cut[0] - x, cut[3]],
            [right, cut[1], x + width - right, cut[3]], [x, below, width, y + height - below]]
    return [one for one in left if one[2] > 0 and one[3] > 0]


def without_all(rects, holes):
    """What `holes` leave of `rects`."""
    left = [list(rect) for rect in rects]
    for hole in holes:
        left = [piece for rect in left for piece in without(rect, hole)]
    return left


def moved(rect, by_x, by_y):
    """`rect` elsewhere; what would lie left of or above the edge is cut off. `None` if nothing is left."""
    return inside([rect[0] + by_x, rect[1] + by_y, rect[2], rect[3]], [0, 0, 1 << 31, 1 << 31])


def scaled(rect, design, actual):
    """`rect` of a screen of the size `design` on one of the size `actual`; as it is if either is unknown."""
    if rect is None or not design or not actual or not all(design) or not all(actual):
        return rect
    if list(design) == list(actual):
        return rect
    across, down = float(actual[0]) / design[0], float(actual[1]) / design[1]
    left, top = int(round(rect[0] * across)), int(round(rect[1] * down))
    right, bottom = int(round((rect[0] + rect[2]) * across)), int(round((rect[1] + rect[3]) * down))
    return [left, top, max(1, right - left), max(1, bottom - top)]
