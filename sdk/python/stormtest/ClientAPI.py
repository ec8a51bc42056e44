"""The Client API: what a test script calls.

    import stormtest.ClientAPI as StormTest      or      from stormtest.ClientAPI import *

Importing it joins the session that a rack (or `headend run`) put into the environment; at a prompt it needs none.
Rows are lists; flags are int 1 and 0. Unknown names raise `AttributeError` with the nearest known name.

There is no `__all__`, so that `import *` hides nothing, and `STORMTEST_PUBLIC` may be assigned anew by the script.
"""

from __future__ import absolute_import

from stormtest import Imaging, stormtest_client
from stormtest._capture import CaptureImage, CaptureImageEx
from stormtest._constants import (TM, CompareAlgorithm, DebugLevel, LogRegionStyle, OverWriteAction, ReturnScreen,
                                  SignalRecoveryMode)
from stormtest._log import (BeginLogRegion, BeginTestStep, CommentToLog, EndLogRegion, EndTestStep, SetDebugLevel,
                            WriteDebugLine)
from stormtest._modules import tell_unknown_names as _tell_unknown_names
from stormtest._remote import CloseVideo, PowerOffSTB, PowerOnSTB, PressButton, PressDigits, ShowVideo, WaitSec
from stormtest._server import (ConnectToServer, FreeSlot, GetClientVersion, GetJobConfigurator, GetLogFileDirectory,
                               GetPhysicalAllocations, IsUnderDaemon, ReleaseServerConnection, ReserveSlot,
                               ReturnTestResult, SetDirectories, SetMasterConfigurationServer, SetProjectDir)
from stormtest._state import STATE as _STATE

del absolute_import

_STATE.join_from_environment()

# Absolute path of the public area under a daemon, else None (document 4.9).
STORMTEST_PUBLIC = _STATE.public

_tell_unknown_names(__name__)
