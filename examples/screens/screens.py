"""Opens the guide and the main menu, and knows by their screens that they are there. Python 2.7 and 3."""

from stormtest.ClientAPI import *

ConnectToServer("", "screens of the menus")
if not ReserveSlot(1):
    ReturnTestResult(TM.NOT_RUN)
    raise SystemExit(0)

# The box shows live television by then.
WaitSec(3)
OpenNavigatorFile("menus.json")
there = 0
for key, name in (("Guide", "Guide"), ("Menu", "Main menu")):
    BeginTestStep(name)
    PressButton(key)
    screen, seconds, looks = WaitScreenDefMatch(ConvertNavigatorToScreenDef(name), 10, 1, 1)
    for region in screen.Regions:
        WriteDebugLine("%s, %s: %s" % (name, region.Name, region.VerifyStatus))
    RecordMeasurement("%s: time" % name, seconds, "s")
    EndTestStep(name, TM.PASS if screen.VerifyStatus else TM.FAIL)
    there += screen.VerifyStatus
    PressButton("Exit")
    WaitSec(1)
CloseNavigator()

# Live television is no guide.
if WaitScreenDefMatch("guide.stscreen", 0, 1, 1)[0].VerifyStatus:
    there = 0
ReturnTestResult(TM.PASS if there == 2 else TM.FAIL, "%d of 2 screens" % there)
ReleaseServerConnection()
