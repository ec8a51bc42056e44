"""The run's log: lines, regions, test steps."""

from __future__ import absolute_import

from stormtest import _arguments, _text
from stormtest._constants import DebugLevel, LogRegionStyle
from stormtest._state import STATE

_LEVELS = {DebugLevel.ERROR: "error", DebugLevel.WARNING: "warning", DebugLevel.INFO: "info",
           DebugLevel.VERBOSE: "verbose"}
_STYLES = frozenset(value for name, value in vars(LogRegionStyle).items() if not name.startswith("_"))


def SetDebugLevel(trace, level=DebugLevel.VERBOSE):
    """Let `WriteDebugLine` and `CommentToLog` write lines up to `level`. `trace` is taken and has no effect."""
    STATE.debug_level = level


def WriteDebugLine(text, level=DebugLevel.INFO):
    """A line in the log. Long texts become several lines. Gives 1, or 0 if `SetDebugLevel` holds it back."""
    if level > STATE.debug_level:
        return 0
    STATE.log(_LEVELS.get(level, "info"), text)
    return 1


def CommentToLog(text):
    """A comment in the log."""
    return WriteDebugLine(text)


def BeginLogRegion(name):
    """Open a region of the log; regions nest."""
    _tell(u"BeginLogRegion", "begin_region", name=_arguments.name(name))


def EndLogRegion(name, style=None, comment=None):
    """Close the region. `style`: one of `LogRegionStyle`, colours the title; `comment` is shown after it."""
    _tell(u"EndLogRegion", "end_region", name=_arguments.name(name), style=_style(style),
          comment=_arguments.optional(comment))


def _style(style):
    if style is None:
        return None
    wanted = _text.to_text(style).lower()
    return wanted if wanted in _STYLES else None


def BeginTestStep(stepName):
    """Open a test step; steps nest and names may repeat. Gives 1."""
    return _tell(u"BeginTestStep", "begin_step", name=_arguments.name(stepName))


def EndTestStep(stepName, result, comment=""):
    """Close the test step with a result of `TM`. Gives 1, or 0 with a log line if the result is no number."""
    try:
        code = int(result)
    except (TypeError, ValueError):
        _arguments.refused(u"EndTestStep(%s)" % _text.to_text(stepName), u"%s is no result of TM" % _text.to_text(result))
        return 0
    return _tell(u"EndTestStep", "end_step", name=_arguments.name(stepName), result=code,
                 comment=_arguments.optional(comment))


def _tell(title, call, **args):
    # Regions and steps may stand before ConnectToServer; at a prompt they are plain lines then.
    if STATE.session is None:
        STATE.log("info", u"%s(%s)" % (title, args["name"]))
    else:
        STATE.ask_softly(u"Failure in %s(%s)" % (title, args["name"]), None, call, **args)
    return 1
