"""Constants of the Client API. The numbers of `TM` are the document's; of the others only the names are public."""

from __future__ import absolute_import

from stormtest._modules import Constants


class TM(Constants):
    """Results of a test, for `ReturnTestResult` and `EndTestStep`."""

    PASS = 111
    PARTIAL_PASS = 110
    NOT_RUN = 101
    FAIL = 100


class LogRegionStyle(Constants):
    """How `EndLogRegion` colours the region's title."""

    Pass = "pass"
    Fail = "fail"
    Warn = "warn"
    Serial = "serial"
    Observe = "observe"
    Console = "console"
    Verbose = "verbose"
    Entry = "entry"


class DebugLevel(Constants):
    """How much `WriteDebugLine` lets through; `NONE` is the least."""

    NONE = 0
    ERROR = 1
    WARNING = 2
    INFO = 3
    VERBOSE = 4


class OverWriteAction(Constants):
    """What `CaptureImageEx` does with a name that exists: it gets a number."""

    NewName = 0


class CompareAlgorithm(Constants):
    """How images are compared."""

    Compare1 = 1


class ReturnScreen(Constants):
    """When a screen definition keeps its picture."""

    Always = 1


class SignalRecoveryMode(Constants):
    """How a capture card finds a lost signal again."""

    Fast = 0
