"""The Client API: what a test script calls.

    import stormtest.ClientAPI as StormTest      or      from stormtest.ClientAPI import *

Importing it joins the session that a rack (or `headend run`) put into the environment; at a prompt it needs none.
Rows are lists; flags are int 1 and 0. Unknown names raise `AttributeError` with the nearest known name.

There is no `__all__`, so that `import *` hides nothing, and `STORMTEST_PUBLIC` may be assigned anew by the script.
CLIENT.md has a line for every call.
"""

from __future__ import absolute_import

from stormtest import Imaging, stormtest_client
from stormtest._beyond import AddArtifact, AnalyseImage, InjectFault, RecordMeasurement, WaitAnalyser
from stormtest._capture import CaptureImage, CaptureImageEx
from stormtest._colours import CompareColor, CompareColorEx, WaitColorMatch, WaitColorNoMatch
from stormtest._constants import (TM, CompareAlgorithm, DebugLevel, LogRegionStyle, OverWriteAction, ReturnScreen,
                                  SignalRecoveryMode)
from stormtest._facility import (CheckSlots, GetDutDetails, GetFacilityData, GetReservedStatus, GetServerField,
                                 GetServerNames, GetStbField, UpdateDutInstance, UpdateDutInstanceInSlot)
from stormtest._image_match import (CompareIcon, CompareIconEx, CompareImage, CompareImageEx, WaitIconMatch,
                                    WaitImageMatch, WaitImageNoMatch)
from stormtest._log import (BeginLogRegion, BeginTestStep, CommentToLog, EndLogRegion, EndTestStep, SetDebugLevel,
                            WriteDebugLine)
from stormtest._modules import tell_unknown_names as _tell_unknown_names
from stormtest._motion import DetectMotion, DetectMotionEx, GetAudioLevel, WaitAudioPresence, WaitMotion
from stormtest._navigators import (CloseNavigator, ConvertNavigatorToScreenDef, GetCurrentNavigator,
                                   GetNavigatorScreens, OpenNavigatorFile, ValidateNavigatorScreen)
from stormtest._ocr import (CompareStrings, ComputeStringsDistance, OCRGetRemainingChars, OCRImage, OCRSetLanguage,
                            OCRSlot)
from stormtest._regions import AudioRegion, ColorRegion, ImageRegion, MotionRegion, OCRRegion
from stormtest._remote import PowerOffSTB, PowerOnSTB, PressButton, PressButtonNoWait, PressDigits, WaitSec
from stormtest._resources import (FindNamedColor, FindNamedImage, FindNamedRegion, FindNamedString, ReadNamedRegion,
                                  ReadNamedString, WriteNamedImage)
from stormtest._screens import ScreenDefinition, ScreenDefMatchImage, WaitScreenDefMatch
from stormtest._serial import AddObserve, RemoveObserve, SendSerial
from stormtest._server import (ConnectToServer, FreeSlot, GetClientVersion, GetJobConfigurator, GetLogFileDirectory,
                               GetPhysicalAllocations, IsUnderDaemon, ReleaseServerConnection, ReserveSlot,
                               ReturnTestResult, SetDirectories, SetMasterConfigurationServer, SetProjectDir)
from stormtest._state import STATE as _STATE
from stormtest._video import (CloseVideo, GetCurrentSubslot, GetFrameRate, GetMaxBitRate, GetRawInputInfo,
                              GetResolution, GetWorldToDesignTransform, ResetDefaultParameters, ResetSlot, ResyncAudio,
                              SetCurrentSubslot, SetFrameRate, SetMaxBitRate, SetResolution, SetSignalRecoveryMode,
                              ShowVideo, StartVideoLog, StopVideoLog)
from stormtest._zap import (EnableCaptureZapFrames, FindRawZapMatch, FreeVideoTimer, GetCountImagesSaved,
                            GetRawZapFrame, GetZapTimes, ReserveVideoTimer, StartZapMeasurement, TriggerHighSpeedTimer)

del absolute_import

_STATE.join_from_environment()

# Absolute path of the public area under a daemon, else None (document 4.9).
STORMTEST_PUBLIC = _STATE.public

_tell_unknown_names(__name__)
