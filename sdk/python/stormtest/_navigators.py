"""Navigators: files with the screens of a menu.

The vendor's `.stnav_runtime` is not public. Here a navigator is a JSON file of our own, whatever its extension:

    {"Type": "Navigator", "Name": "main menu", "Screens": [
        {"Type": "ScreenDef", "Name": "Guide", "Regions": [...]},
        {"Name": "Settings", "File": "settings.stscreen"}]}

Each screen is a screen definition (`.stscreen`), in place or in a file beside.
"""

from __future__ import absolute_import

import os

from stormtest import _arguments, _rows, _screen_files, _screens, _text, _watching
from stormtest._state import STATE

# By slot; 0 for a navigator that was opened for all slots.
_OPEN = {}


class _Navigator(object):
    """An open one. `screens`: by name, in `names`' order."""

    def __init__(self, path):
        value = _screen_files.read(path)
        if str(value.get("Type", "")).lower() != "navigator" or not isinstance(value.get("Screens"), list):
            raise _screen_files.Unreadable("%s is no navigator: its Type is %r" % (path, value.get("Type")))
        self.path = path
        self.name = value.get("Name") or os.path.splitext(os.path.basename(path))[0]
        self.names, self.screens = [], {}
        for one in value["Screens"]:
            self._add(one, os.path.dirname(path))

    def _add(self, value, folder):
        if not isinstance(value, dict):
            raise _screen_files.Unreadable("%s has a screen that is no object: %r" % (self.path, value))
        if "File" in value:
            path = os.path.join(folder, value["File"].replace("\\", "/"))
            folder, value = os.path.dirname(path), dict(_screen_files.read(path), **_own_name(value))
        screen = _screens.ScreenDefinition()
        screen.from_value(value, folder)
        if screen.Name not in self.screens:
            self.names.append(screen.Name)
        self.screens[screen.Name] = screen


def _own_name(value):
    return {"Name": value["Name"]} if value.get("Name") else {}


def OpenNavigatorFile(path, slotNo=0):
    """Open a navigator for a slot, or for all. Gives 1, or 0 with an ERROR line that says what kind of file is needed."""
    title = "OpenNavigatorFile(%s)" % _text.to_native(_text.to_text(path))
    try:
        found = os.path.abspath(STATE.find_file(_text.to_native(_text.to_text(path))))
        slot = _arguments.slot_or_all(slotNo) or 0
        _OPEN[slot] = _Navigator(found)
        return 1
    except ValueError as error:
        _arguments.refused("Failure in %s" % title, "%s. Navigators of other products cannot be read here: describe the "
                           "screens as JSON, see CLIENT.md, Navigators" % error)
        return 0


def GetNavigatorScreens(slotNo=0):
    """Names of the screens, in the file's order; `[]` when none is open."""
    navigator = _open(slotNo)
    return list(navigator.names) if navigator else []


def GetCurrentNavigator(slotNo=0):
    """Name of the open navigator, or `None`."""
    navigator = _open(slotNo)
    return navigator.name if navigator else None


def CloseNavigator(slotNo=0):
    """Close it. Gives 1 if one was open, else 0."""
    for key in (int(slotNo or 0), 0):
        if _OPEN.pop(key, None):
            return 1
    return 0


def ConvertNavigatorToScreenDef(screenName, slotNo=0):
    """The screen of that name as a `ScreenDefinition`, or `None` with an ERROR line."""
    navigator = _open(slotNo)
    if navigator is None or screenName not in navigator.screens:
        known = ", ".join(navigator.names) if navigator else "no navigator is open"
        _arguments.refused("Failure in ConvertNavigatorToScreenDef(%s)" % screenName, "no such screen: %s" % known)
        return None
    return navigator.screens[screenName].Clone()


def ValidateNavigatorScreen(screenName, slotNo=0):
    """Look whether a screen is there: `[ok, [[region, matched, {what: number}], ...]]`; without a slot rows `[slot, ok, [...]]`."""
    title = "ValidateNavigatorScreen"
    screen = ConvertNavigatorToScreenDef(screenName, slotNo)

    def find(slot):
        if screen is None:
            return None
        found = _screens.WaitScreenDefMatch(screen, 0, _watching.WAIT_GAP_S, slot or 0)
        rows = [[slot] + found] if slot else found
        return [(row[0], _seen(row[1])) for row in rows]

    return _rows.answered(title, slotNo, _rows.BARE, lambda: [False, []], find)


def _seen(screen):
    return [screen.VerifyStatus, [[leaf.Name, leaf.VerifyStatus, leaf.navigator_result()]
                                  for leaf, _ in screen.leaves()]]


def _open(slot_no):
    return _OPEN.get(int(slot_no or 0)) or _OPEN.get(0)
