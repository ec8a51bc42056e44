"""Classes of named resources, for scripts that ask for an object's class."""


class _Named(object):
    """A named resource. `Name`: its path on the configuration server; `Value`: what it stands for."""

    def __init__(self, name, value=None):
        self.Name = name
        self.Value = value

    def LookupBySlot(self, slotNo):
        """The value for a slot; the same for all slots."""
        return self.Value


class NamedString(_Named):
    """A text."""


class NamedRegion(_Named):
    """A rectangle `(x, y, width, height)`; usable wherever a call takes one."""

    @property
    def Rect(self):
        """The rectangle."""
        return self.Value


class NamedImage(_Named):
    """A path of an image."""


class NamedColor(_Named):
    """A colour `(r, g, b)` with its tolerances."""
