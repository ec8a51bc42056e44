"""Every name that legacy scripts are known to use is there, takes the arguments that they give, and answers in their rows."""

from support import WithScripts

# Names with the calls that scripts make: positions and keywords as they are written.
_CALLS = u"""
SetMasterConfigurationServer("rack1")
GetJobConfigurator()
ConnectToServer("rack1", "")
ReleaseServerConnection()
ReserveSlot(1, "default", [115200, 8, "none", 1, "none", "Test"])
ReserveSlot(1, signalDb="", serialParams=[], videoFlag=True)
FreeSlot(1)
GetPhysicalAllocations()
IsUnderDaemon()
CheckSlots()
GetReservedStatus("server", 1)
GetClientVersion()
ReturnTestResult(111)
ReturnTestResult(111, False)
WaitSec(1.5)
SetDebugLevel(0, 1)
ResetSlot(1)
SetCurrentSubslot(2, 1)
GetCurrentSubslot(1)
SetDirectories(logDir="log")
SetProjectDir("C:/logs")
GetLogFileDirectory()
WriteDebugLine("text")
WriteDebugLine("text", 1)
WriteDebugLine("text", level=1)
BeginLogRegion("region")
EndLogRegion("region")
EndLogRegion("region", style=1, comment="why")
EndLogRegion("region", 1, "why")
CommentToLog("text")
BeginTestStep("step")
EndTestStep("step", 111)
EndTestStep("step", 100, comment=None)
PressButton("Menu")
PressButton(5, 1)
PressButtonNoWait("Menu")
PressDigits("101")
PressDigits(25, waitSec=1)
PowerOnSTB()
PowerOnSTB(10, 1)
PowerOffSTB(10)
AddObserve("login", None, 1, waitForEOL=True)
AddObserve("login", None, 1)
RemoveObserve("login", 1)
ShowVideo()
ShowVideo(slotNo=1)
CloseVideo(1)
StartVideoLog()
StartVideoLog(prefix="zap", slotNo=1)
StopVideoLog()
StopVideoLog(1)
CaptureImageEx(None, "menu.jpg")
CaptureImageEx((0, 0, 9, 9), None, slotNo=True)
CaptureImageEx(None, "menu", jpegQuality=80, overwriteAction=0, slotNo=1, returnImage=True)
CaptureImage(None, "menu.jpg")
GetResolution(1)
SetResolution("4CIF", 1)
GetFrameRate(1)
SetFrameRate(25, 1)
GetMaxBitRate(1)
SetMaxBitRate(2048000, 1)
ResetDefaultParameters(1)
ResyncAudio(1)
SetSignalRecoveryMode(1, 1)
GetRawInputInfo(1)
GetWorldToDesignTransform()
WaitColorMatch((1, 2, 3), (5, 5, 5))
WaitColorMatch(color=(1, 2, 3), tolerances=(5, 5, 5), flatness=60, peakError=2, includedAreas=(0, 0, 9, 9), timeToWait=5, waitGap=1)
WaitColorMatch((1, 2, 3), (5, 5, 5), slotNo=1)
WaitColorNoMatch((1, 2, 3), (5, 5, 5), flatness=60, peakError=2, includedAreas=None, timeToWait=5, waitGap=1)
CompareColorEx("a.png", (1, 2, 3), tolerances=(5, 5, 5), flatness=70, peakError=2, includedAreas=[(0, 0, 9, 9)])
CompareColorEx("a.png", "/FOLDER/Blue")
CompareColor("a.png", (1, 2, 3), (5, 5, 5))
WaitImageMatch("a.png")
WaitImageMatch(refImage="a.png", percent=95, includedAreas=None, excludedAreas=None, algorithm=0, timeToWait=5, waitGap=1)
WaitImageNoMatch("a.png", percent=95, timeToWait=5, waitGap=1)
CompareImageEx("a.png", "b.png", percent=95, includedAreas=(0, 0, 9, 9))
CompareImage("a.png", "b.png")
CompareIconEx("i.png", "b.png", 95, (5, 5))
CompareIcon("i.png", "b.png", 95, (5, 5))
WaitIconMatch("i.png", 95, (5, 5))
DetectMotionEx((0, 0, 9, 9), 5)
DetectMotionEx((0, 0, 9, 9), 5, 1, 1)
DetectMotionEx((0, 0, 9, 9), 5, percent=1, slotNo=1)
DetectMotion((0, 0, 9, 9), 5)
WaitMotion((0, 0, 9, 9), 5)
WaitAudioPresence(-95, 60)
WaitAudioPresence(-95, 60, 1)
GetAudioLevel(1)
OCRSlot()
OCRSlot((0, 0, 9, 9))
OCRSlot((0, 0, 9, 9), 1)
OCRImage("a.png", (0, 0, 9, 9))
OCRSetLanguage("deu")
OCRGetRemainingChars()
CompareStrings("a", "b", 1)
ComputeStringsDistance("a", "b")
ScreenDefinition()
ImageRegion("logo", 95, (0, 0, 9, 9))
OCRRegion("Menu", "title", rect=(0, 0, 9, 9), verify=True)
WaitScreenDefMatch("a.stscreen")
WaitScreenDefMatch(screenDef="a.stscreen", timeToWait=5, waitGap=1, slotNo=1)
ScreenDefMatchImage("a.stscreen", "a.png")
OpenNavigatorFile("a.stnav_runtime", 1)
GetNavigatorScreens(1)
ValidateNavigatorScreen("Menu", 1)
ConvertNavigatorToScreenDef("Menu", 1)
GetCurrentNavigator(1)
CloseNavigator(1)
FindNamedImage("/FOLDER/Name")
FindNamedRegion("/FOLDER/Name")
FindNamedColor("/FOLDER/Name")
ReadNamedRegion("/FOLDER/Name")
WriteNamedImage("/FOLDER/Name", "a.png")
ReserveVideoTimer()
StartZapMeasurement("Channel+", 1, (0, 0, 9, 9), colorCount=5000, timeout=15.0)
GetZapTimes()
FreeVideoTimer()
EnableCaptureZapFrames(maxFrames=250, startFrame=0, skipCount=0, slotNo=1)
TriggerHighSpeedTimer(irKey="Ok", keyCount=1, timeout=15, slotNo=1)
GetCountImagesSaved(1)
GetRawZapFrame(3)
FindRawZapMatch("a.stscreen", 0, 249)
GetFacilityData("server")
GetServerNames(None)
GetServerField(None, "rack1", "SlotCount")
GetStbField(None, "rack1", 1, "all")
GetDutDetails(1)
UpdateDutInstance(1, ipaddress="192.0.2.1")
UpdateDutInstanceInSlot("rack1", 1, ipaddress="192.0.2.1")
"""
_MEMBERS = {
    "TM": {"PASS": 111, "PARTIAL_PASS": 110, "NOT_RUN": 101, "FAIL": 100},
    "LogRegionStyle": ["Pass", "Fail", "Warn", "Serial", "Observe", "Console", "Verbose", "Entry"],
    "DebugLevel": ["NONE", "ERROR", "WARNING", "INFO", "VERBOSE"],
    "OverWriteAction": ["NewName"], "CompareAlgorithm": ["Compare1"], "ReturnScreen": ["Always"], "SignalRecoveryMode": ["Fast"],
    "ScreenDefinition": ["Load", "Save", "Close", "Match"], "ImageRegion": ["SetImage", "Clone"], "OCRRegion": ["Clone"],
    "ColorRegion": ["Clone"], "MotionRegion": ["Clone"], "AudioRegion": ["Clone"],
    "Imaging": ["StormTestImageObject", "ImageFromFile"],
    "stormtest_client": ["NamedString", "NamedRegion", "NamedImage", "NamedColor"],
}
_IMAGE = ["FromFile", "Save", "GetLastSavedName", "Close", "ToPILImage", "Transform"]


class Cases(WithScripts):
    """For one interpreter, `self.python`."""

    def test_every_name_takes_what_scripts_give_it(self):
        out = self.play(u"""
import inspect, os
class Binds(object):
    # Calls nothing: only looks whether the arguments fit.
    def __init__(self, name):
        self.real = getattr(S, name)
    def __call__(self, *given, **named):
        real = self.real
        if inspect.isclass(real):
            real, given = real.__init__, (None,) + given
        inspect.getcallargs(getattr(real, "__func__", real), *given, **named)
class Names(dict):
    def __missing__(self, name):
        if name in ("True", "False", "None"):
            raise KeyError(name)
        return Binds(name)
wrong = []
for line in CALLS.strip().splitlines():
    try:
        exec(line, Names(__builtins__={"True": True, "False": False, "None": None}))
    except Exception as error:
        wrong.append("%s: %r" % (line, error))
out["wrong"] = wrong
out["missing"] = [owner + "." + name for owner, names in sorted(MEMBERS.items()) for name in names
                  if not hasattr(getattr(S, owner), name)]
out["tm"] = dict((name, getattr(S.TM, name)) for name in MEMBERS["TM"])
out["image"] = [name for name in IMAGE if not hasattr(S.Imaging.StormTestImageObject, name)]
out["public"] = S.STORMTEST_PUBLIC
import stormtest.WarningCenter as W
out["centre"] = [W.GetTestRun(), callable(W.SendEvent)]
""".replace(u"CALLS", repr(str(_CALLS))).replace(u"MEMBERS", repr(_MEMBERS)).replace(u"IMAGE", repr(_IMAGE)))
        self.assertEqual(out["wrong"], [])
        self.assertEqual((out["missing"], out["image"], out["public"]), ([], [], None))
        self.assertEqual(out["tm"], _MEMBERS["TM"])
        self.assertEqual(out["centre"], [None, True])

    def test_what_is_unknown_is_named_with_the_nearest_name(self):
        out = self.play(u"""
out["call"] = raised(lambda: S.PresButton("Menu"))
out["constant"] = raised(lambda: S.TM.PASSED)
out["far"] = raised(lambda: S.GetMacroblockCount())
out["style"] = raised(lambda: S.LogRegionStyle.Passed)
out["module"] = raised(lambda: S.Imaging.ImageFromFiles)
out["object"] = raised(lambda: S.Imaging.StormTestImageObject.FromFiles)
""")
        self.assertEqual(out["call"][0], "AttributeError")
        self.assertIn("'PresButton'; the nearest name is PressButton", out["call"][1])
        self.assertIn("the nearest name is PASS", out["constant"][1])
        self.assertIn("'GetMacroblockCount'", out["far"][1])
        self.assertIn("the nearest name is Pass", out["style"][1])
        self.assertIn("the nearest name is ImageFromFile", out["module"][1])
        self.assertEqual(out["object"][0], "AttributeError")
