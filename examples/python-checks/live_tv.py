"""Is there live television? Moving pictures, sound, a zap within bounds, and a banner that can be read.

Runs on Python 2.7 and 3, under a rack or here with `headend run live_tv.py`. Argument: the longest zap in seconds, 3.0 unless given.
"""

import sys

import stormtest.ClientAPI as StormTest
from stormtest.ClientAPI import TM

SLOT = 1
SCREEN = (0, 0, 1280, 720)
BANNER = (60, 500, 1160, 180)
QUIET_DB = -60
ZAPS = ["Channel+", "Channel+", "Channel-"]


def step(name, passed, comment):
    """One step of the test, told to the log and to the results."""
    StormTest.BeginTestStep(name)
    StormTest.EndTestStep(name, TM.PASS if passed else TM.FAIL, comment)
    return passed


def moves():
    row = StormTest.DetectMotionEx(SCREEN, 5)[0]
    return step("moving pictures", row[1], "motion: %s" % row[1])


def is_heard():
    row = StormTest.WaitAudioPresence(QUIET_DB, 5)[0]
    return step("sound", row[1], "%.1f dB" % row[2])


def zaps(key, longest):
    """From the key to the first new stable picture, by the times of the pictures."""
    StormTest.StartZapMeasurement(key, 1, SCREEN, timeout=10.0)
    StormTest.PressButton(key)
    row = StormTest.GetZapTimes()[0]
    return step("zap with %s" % key, row[1] and row[3] <= longest, "%.2f s" % row[3])


def banner_is_read():
    StormTest.PressButton("Info")
    StormTest.WaitSec(1)
    text = StormTest.OCRSlot(BANNER)[4][0][1]
    StormTest.WriteDebugLine("banner: %r" % text)
    return step("banner", any(word.isdigit() for word in text.split()), text.replace("\n", " "))


def check(longest):
    StormTest.PressDigits(3)
    StormTest.PressButton("Ok")
    StormTest.WaitSec(8)
    StormTest.ReserveVideoTimer()
    checks = [moves(), is_heard()] + [zaps(key, longest) for key in ZAPS] + [banner_is_read()]
    StormTest.FreeVideoTimer()
    return TM.PASS if all(checks) else TM.FAIL


def main(longest):
    result = TM.FAIL
    StormTest.ConnectToServer("rack1", "live television")
    try:
        if StormTest.ReserveSlot(SLOT, "default", [], True):
            result = check(longest)
        else:
            result = TM.NOT_RUN
    finally:
        StormTest.ReleaseServerConnection()
        StormTest.ReturnTestResult(result)


if __name__ == "__main__":
    main(float((sys.argv[1:] or ["3.0"])[0]))
