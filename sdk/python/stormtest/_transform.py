"""From one system of coordinates to another: the screen's and a design's."""

from __future__ import absolute_import

from stormtest import _arguments


class Converter(object):
    """Scales and shifts. A new one changes nothing."""

    def __init__(self):
        self._from = self._to = None

    def SetFromRectangles(self, inRect, outRect):
        """What lies in the rectangle `inRect` is to lie in `outRect`. Gives 1. Raises `ValueError` for no rectangles."""
        self._from, self._to = _arguments.rectangle(inRect), _arguments.rectangle(outRect)
        return 1

    def IsIdentity(self):
        """It changes nothing."""
        return self._from == self._to

    def Factors(self):
        """`(across, down, x, y)`: a point goes to `(x + across * its x, y + down * its y)`."""
        if self.IsIdentity() or None in (self._from, self._to):
            return 1.0, 1.0, 0.0, 0.0
        across, down = float(self._to[2]) / self._from[2], float(self._to[3]) / self._from[3]
        return across, down, self._to[0] - self._from[0] * across, self._to[1] - self._from[1] * down

    def Transform(self, given):
        """A point `(x, y)` or a rectangle, as whole numbers in the other coordinates."""
        across, down, x, y = self.Factors()
        moved = [int(round(x + across * given[0])), int(round(y + down * given[1]))]
        if len(given) == 4:
            moved += [int(round(given[2] * across)), int(round(given[3] * down))]
        return tuple(moved)

    def ToJson(self):
        """As screen definitions keep it."""
        return {"From": self._from, "To": self._to}
