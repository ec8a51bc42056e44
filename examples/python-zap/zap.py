"""Zap through channels by number and by Channel+, with a picture of each, and report the result.

Arguments: channel numbers to visit; 1 2 3 unless given. Runs under a rack, or here with `headend run zap.py`.
"""

import sys

from stormtest.ClientAPI import *

SLOT = 1
BOOT_S = 10
ZAP_S = 2


def capture(name):
    """True if a picture was taken; its path goes to the log."""
    slot, ok, _image, path = CaptureImageEx(None, name + ".png", slotNo=SLOT)
    WriteDebugLine("slot %d: picture of %s: %s" % (slot, name, path))
    return ok


def visit(channel):
    """One test step: type the number, wait for the picture, capture it."""
    step = "channel %s" % channel
    BeginTestStep(step)
    ok = PressDigits(channel, waitSec=0.2) and PressButton("Ok")
    WaitSec(ZAP_S)
    ok = capture("channel-%s" % channel) and ok
    EndTestStep(step, TM.PASS if ok else TM.FAIL)
    return ok


def zap(channels):
    """Visit the channels, then go one up with Channel+. Gives a result of `TM`."""
    BeginLogRegion("zap")
    failed = [channel for channel in channels if not visit(channel)]
    if not (PressButton("Channel+") and PressButton("Menu") and capture("menu")):
        failed.append("menu")
    style = LogRegionStyle.Fail if failed else LogRegionStyle.Pass
    EndLogRegion("zap", style=style, comment="failed: %s" % failed if failed else "all well")
    if not failed:
        return TM.PASS
    return TM.FAIL if len(failed) > len(channels) else TM.PARTIAL_PASS


def main(channels):
    result = TM.FAIL
    ConnectToServer("rack1", "zap")
    try:
        if not ReserveSlot(SLOT):
            result = TM.NOT_RUN
        else:
            print("running on %s" % (GetPhysicalAllocations(),))
            PowerOnSTB(BOOT_S)
            result = zap(channels)
    finally:
        ReleaseServerConnection()
        ReturnTestResult(result)


if __name__ == "__main__":
    main(sys.argv[1:] or ["1", "2", "3"])
