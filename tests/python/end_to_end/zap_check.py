"""How long a zap takes, what is heard after it, what the banner says: with sound, text and time."""

from stormtest.ClientAPI import *

SLOT = 1


def live():
    """A picture that moves; the box may be in standby first."""
    for turn in range(3):
        if DetectMotionEx(None, 20, 0.05, SLOT)[1]:
            return True
        PressButton("Power")
        WaitSec(60)
    return False


def zap(key):
    """Seconds from the key to the new picture, or None."""
    BeginTestStep("zap")
    if not ReserveVideoTimer():
        return None
    StartZapMeasurement(key, 1, [0, 0, 640, 360], colorCount=5000, timeout=15.0)
    PressButton(key)
    ret = GetZapTimes()
    FreeVideoTimer()
    ok = bool(ret[0][1]) and 0 < ret[0][3] <= 15
    EndTestStep("zap", [TM.FAIL, TM.PASS][ok], repr(ret))
    return ret[0][3] if ok else None


def frame_by_frame(key):
    """A zap in its single frames: black at first, and lit when the timer says so."""
    lit = ScreenDefinition()
    lit.Regions.append(ColorRegion("all", (0, 0, 0), 3))
    lit.Regions[0].PassOnNoMatch = True
    EnableCaptureZapFrames(maxFrames=60, slotNo=SLOT)
    TriggerHighSpeedTimer(key, 1, 15, SLOT)
    PressButton(key, SLOT)
    count = GetCountImagesSaved(SLOT)[0][1]
    seconds = GetZapTimes(SLOT)[0][3]
    index = FindRawZapMatch(lit, 0, count - 1)[0][2]
    first, new = GetRawZapFrame(0)[0][1], GetRawZapFrame(index or 0, SLOT)[0][1]
    EnableCaptureZapFrames(maxFrames=0, slotNo=SLOT)
    print("%s frames, lit in frame %s after %s s, %s" % (count, index, seconds, new and new.Size))
    return (count == 60 and index and abs((index + 1) * 0.04 - seconds) < 0.1 and new.Size == first.Size
            and not ScreenDefMatchImage(lit, first).VerifyStatus and ScreenDefMatchImage(lit, new).VerifyStatus)


def main():
    ConnectToServer("rack", "zap check")
    try:
        if not ReserveSlot(SLOT, "default"):
            return TM.NOT_RUN
        PowerOnSTB(0, SLOT)
        if not live():
            print("it never came up")
            return TM.FAIL
        seconds = zap("Channel+")
        banner = OCRSlot(None, SLOT)
        sound = WaitAudioPresence(-70, 10)
        level = GetAudioLevel(SLOT)
        TriggerHighSpeedTimer("Channel-", 1, 15, SLOT)
        PressButton("Channel-", SLOT)
        WaitSec(1)
        back = GetZapTimes()
        print("zapped in %s s, back in %s s, heard %s and %s dB, read %r" % (seconds, back[0][3], sound[0][2], level, banner[4]))
        frames = frame_by_frame("Channel+")
        frozen = InjectFault("freeze 8s", SLOT) and WaitAnalyser("freeze", {"seconds": 1}, None, "match", 6, 0.2, SLOT)[0]
        kept = RecordMeasurement("zap", back[0][3], "s") and AddArtifact(CaptureImageEx(None, "end.png", slotNo=SLOT)[3])
        words = len(banner) == 5 and banner[3] == len(banner[4].split())
        good = [seconds is not None, back[0][1], sound[0][1], -120 < level <= 0, words,
                frozen, kept, frames]
        print("good: %r" % (good,))
        return TM.PASS if all(good) else TM.FAIL
    finally:
        ReleaseServerConnection()


ReturnTestResult(main())
