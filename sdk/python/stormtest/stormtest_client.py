"""Classes of named resources: what `FindNamedImage` and its kin give, usable wherever a call takes the thing itself."""


class _Named(object):
    """A named resource. `Name`: its path, such as `/FOLDER/Name`; `Value`: what it stands for."""

    def __init__(self, name, value=None, slots=None):
        """`slots`: values that hold for one slot each, by its number."""
        self.Name = name
        self.Value = value
        self._slots = dict(slots or {})

    def LookupBySlot(self, slotNo):
        """The resource as it is for a slot: its own value if it has one, else the one for all slots."""
        return type(self)(self.Name, self._slots.get(int(slotNo), self.Value))

    def __repr__(self):
        return "<%s %s %r>" % (type(self).__name__, self.Name, self.Value)


class NamedString(_Named):
    """A text."""

    def __str__(self):
        return str(self.Value)


class _Listed(_Named):
    """A named list of numbers, which can be read like the list."""

    def __iter__(self):
        return iter(self.Value)

    def __len__(self):
        return len(self.Value)

    def __getitem__(self, at):
        return self.Value[at]


class NamedRegion(_Listed):
    """A rectangle `(x, y, width, height)`; usable wherever a call takes one."""

    @property
    def Rect(self):
        """The rectangle."""
        return self.Value


class NamedImage(_Named):
    """An image. `Path`: its file, absolute."""

    @property
    def Path(self):
        """The file."""
        return self.Value

    def __str__(self):
        return str(self.Value)

    def __fspath__(self):
        return self.Value


class NamedColor(_Listed):
    """A colour `(r, g, b)`. `Tolerances`, `Flatness`, `PeakError`: how near a match must be; `None`: as usual."""

    def __init__(self, name, value=None, slots=None, tolerances=None, flatness=None, peakError=None):
        _Listed.__init__(self, name, value, slots)
        self.Tolerances = tolerances
        self.Flatness = flatness
        self.PeakError = peakError

    @property
    def Color(self):
        """The colour."""
        return self.Value

    def LookupBySlot(self, slotNo):
        """The colour as it is for a slot."""
        value = self._slots.get(int(slotNo), self.Value)
        return NamedColor(self.Name, value, None, self.Tolerances, self.Flatness, self.PeakError)
