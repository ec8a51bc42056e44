"""Monitoring add-on, as far as scripts need it without its server: events become lines of the run's log."""

from __future__ import absolute_import

from stormtest import _text
from stormtest._state import STATE


def GetTestRun():
    """`None`: nobody monitors, which the add-on calls developer mode."""
    return None


def SendEvent(name=None, value=None, service=None, screenshot=None, video=None):
    """Write the event to the run's log. Gives 1."""
    if hasattr(screenshot, "GetLastSavedName"):
        screenshot = screenshot.GetLastSavedName()
    fields = [("value", value), ("service", service), ("screenshot", screenshot), ("video", video)]
    told = [u"%s=%s" % (key, _text.to_text(item)) for key, item in fields if item is not None]
    STATE.log("info", u"WarningCenter event %s %s" % (_text.to_text(name), u" ".join(told)))
    return 1
