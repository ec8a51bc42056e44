# headend: python=2.7
"""Walk through the menu with the arrow keys, the way test scripts were written for Python 2.7."""

import os
import sys

import stormtest.ClientAPI as StormTest

import keys

SERVER = "rack1"
SLOT = 1
PUBLIC = StormTest.STORMTEST_PUBLIC
if PUBLIC == None:
    # Not scheduled: the files are beside this script.
    PUBLIC = os.path.dirname(os.path.abspath(__file__))


def walk():
    """TM.PASS if each key was taken and the picture of the menu is there."""
    StormTest.BeginLogRegion("menu")
    pressed = [StormTest.PressButton(key) for key in keys.WALK]
    rows = StormTest.CaptureImageEx(None, "menu_%d_%t")
    for row in rows:
        print "slot", row[0], "captured to", row[3]
    StormTest.PressDigits(031)
    StormTest.WaitSec(1)
    passed = 0 not in pressed and len(rows) > 0 and rows[0][1]
    style = [StormTest.LogRegionStyle.Fail, StormTest.LogRegionStyle.Pass][bool(passed)]
    StormTest.EndLogRegion("menu", style, "%d keys" % len(pressed))
    return [StormTest.TM.FAIL, StormTest.TM.PASS][bool(passed)]


result = StormTest.TM.FAIL
print "arguments:", sys.argv[1:]
print "public files:", PUBLIC
StormTest.ConnectToServer(SERVER, "menu walk")
try:
    isReserved = StormTest.ReserveSlot(SLOT, "default", [], videoFlag=True)
    if isReserved is 0:
        result = StormTest.TM.NOT_RUN
    else:
        print "really on", StormTest.GetPhysicalAllocations()
        StormTest.PowerOnSTB(5)
        result = walk()
finally:
    StormTest.ReleaseServerConnection()

StormTest.ReturnTestResult(result)
