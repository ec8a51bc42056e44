"""A test as broadcasters write them: wakes a box, presses, looks, films. For Python 2.7 and 3; needs no box of a certain look."""

import os

import stormtest.ClientAPI as StormTest
from stormtest.ClientAPI import TM

CORNER = StormTest.FindNamedRegion("/BOX/Corner")
SLOT = 4
LOG = StormTest.GetLogFileDirectory()

failures = []
heard = []


def check(name, ok, comment=""):
    StormTest.BeginTestStep(name)
    StormTest.EndTestStep(name, TM.PASS if ok else TM.FAIL, comment)
    if not ok:
        failures.append(name)
        print("FAILED %s %s" % (name, comment))


def onLine(slotNo, pattern, line):
    heard.append((slotNo, line))
    StormTest.RemoveObserve(pattern, slotNo)


def colourThere():
    # What the corner shows now is what is waited for: first measured, then matched.
    row = StormTest.WaitColorMatch((0, 0, 0), tolerances=(255, 255, 255), flatness=0, peakError=100,
                                   includedAreas=[CORNER], timeToWait=0)[0]
    check("colour is measured", row[1] == True and len(row) == 8, repr(row))
    actual = row[3]
    again = StormTest.WaitColorMatch(color=actual, tolerances=(8, 8, 8), flatness=0, peakError=100,
                                     includedAreas=[CORNER], timeToWait=5, waitGap=1)
    check("colour is there", again[0][1], repr(again))
    stored = StormTest.CompareColorEx(row[2], actual, (8, 8, 8), 0, 100, [CORNER])
    check("colour in the picture", stored[0], repr(stored))
    other = [(value + 128) % 256 for value in actual]
    check("other colour is not", not StormTest.WaitColorMatch(other, (8, 8, 8), 0, 100, [CORNER], timeToWait=2)[0][1])
    check("other colour never was", StormTest.WaitColorNoMatch(other, (8, 8, 8), 0, 100, [CORNER], timeToWait=2)[0][1])


def imagesMatch():
    StormTest.PressButton("Menu", SLOT)
    StormTest.WaitSec(0.4)
    rows = StormTest.CaptureImageEx(None, "menu_%d")
    check("capture", rows[0][1] and os.path.isfile(rows[0][3]), repr(rows))
    part = StormTest.CaptureImageEx(CORNER, "corner.png", slotNo=SLOT)
    check("capture of a part", part[0] == SLOT and part[1], repr(part))
    there = StormTest.WaitImageMatch(refImage=rows[0][3], percent=50, timeToWait=5, waitGap=0.5)
    check("image", there[0][1], repr(there))
    within = StormTest.WaitImageMatch(rows[0][3], 50, [CORNER], slotNo=SLOT)
    check("image in an area", within[0], repr(within))
    same = StormTest.CompareImageEx(rows[0][3], rows[0][2], percent=99)
    check("same image", same[0] and same[1] >= 99, repr(same))
    StormTest.PressButton("Exit", SLOT)


def screenDefinition():
    sdo = StormTest.ScreenDefinition("live")
    sdo.Regions.append(StormTest.MotionRegion("moves", 0.1, None, 10))
    sdo.Regions.append(StormTest.ColorRegion("any", (128, 128, 128), (128, 128, 128), 0, 100, CORNER))
    sdo.Save(os.path.join(LOG, "live.stscreen"))
    again = StormTest.ScreenDefinition()
    again.Load(os.path.join(LOG, "live.stscreen"))
    ret = StormTest.WaitScreenDefMatch(screenDef=again, timeToWait=10, waitGap=1)
    told = [(one.Name, one.VerifyStatus) for one in ret[0][1].Regions]
    check("screen", ret[0][1].VerifyStatus, repr(told))
    check("picture of the screen", ret[0][1].Image is not None)


def main():
    StormTest.ConnectToServer("any rack", "evening check")
    result = TM.FAIL
    try:
        if StormTest.ReserveSlot(SLOT, "default", [115200, 8, "none", 1, "none", "serial"], videoFlag=True) == 0:
            return TM.NOT_RUN
        StormTest.AddObserve("", onLine, SLOT)
        StormTest.BeginLogRegion("wake up")
        StormTest.PowerOnSTB(0.2)
        if not StormTest.DetectMotionEx(None, 20, 0.05)[0][1]:
            StormTest.PressButton("Power")
            StormTest.WaitSec(60)
        StormTest.PressDigits("2")
        StormTest.WaitSec(4)
        StormTest.EndLogRegion("wake up", StormTest.LogRegionStyle.Pass, "it is up")
        check("serial", len(heard) == 1 and heard[0][0] == SLOT, repr(heard))
        videos = StormTest.StartVideoLog(prefix="evening_")
        colourThere()
        motion = StormTest.DetectMotionEx(None, 10, 0.05, SLOT)
        check("motion", motion[0] == SLOT and motion[1] and motion[2], repr(motion))
        imagesMatch()
        screenDefinition()
        stopped = StormTest.StopVideoLog()
        check("video", stopped[0][1] and os.path.getsize(videos[0][2]) > 0, repr(videos))
        check("no video", StormTest.StopVideoLog() == [])
        check("resolution", " x " in StormTest.GetResolution(SLOT), StormTest.GetResolution(SLOT))
        print("the evening is over")
        result = TM.FAIL if failures else TM.PASS
    finally:
        StormTest.ReleaseServerConnection()
    return result


if __name__ == "__main__":
    StormTest.ReturnTestResult(main(), False)
