"""The Client API on devices: what analysers are asked, and the rows that scripts get of their verdicts."""

from support import WithScripts, Zygote, png

_RESERVED = u"""
S.ConnectToServer("x", ""); S.ReserveSlot(1); S.ReserveSlot(2)
def shape(value):
    if isinstance(value, list):
        return [shape(one) for one in value]
    return "image" if isinstance(value, S.Imaging.StormTestImageObject) else value
"""
_BLUE = {"passed": True, "score": 1.0, "looks": 4, "seconds": 3.453125,
         "values": {"red": 47.2, "green": 106.0, "blue": 161.6, "flatness": 100.0, "peak_error": 0.0}}


class Cases(WithScripts):
    """For one interpreter, `self.python`."""

    def asked(self, call="watch"):
        return [args for name, args in self.host.calls if name == call]

    def test_colours(self):
        self.host_with().verdicts["colour"] = _BLUE
        out = self.play(_RESERVED + u"""
out["rows"] = shape(S.WaitColorMatch((47, 106, 162), (5, 5, 5), flatness=60, peakError=1, includedAreas=[[1, 2, 30, 20]],
                                     timeToWait=10, waitGap=2))
rows = S.WaitColorMatch([47, 106, 162], 5)
rows[0][1] = False
out["bare"] = shape(S.WaitColorMatch([47, 106, 162], slotNo=2))
out["no"] = shape(S.WaitColorNoMatch((0, 0, 0), timeToWait=0, slotNo=1))
""")
        row = [True, "image", [47, 106, 162], 100.0, 0.0, 4, 3.453125]
        self.assertEqual(out["rows"], [[1] + row, [2] + row])
        self.assertEqual(out["bare"], row)
        self.assertEqual(out["no"][0], False)
        first, second, third, fourth = self.asked()
        self.assertEqual(first["question"], {"analyser": "colour", "references": [], "parameters": {
            "value": [47, 106, 162], "tolerance": [5, 5, 5], "flatness": 60.0, "peak_error": 1.0,
            "region": [1, 2, 30, 20]}})
        self.assertEqual((first["until"], first["timeout_ms"], first["gap_ms"], first["slot"]), ("match", 10000, 2000, None))
        self.assertEqual(second["question"]["parameters"], {"value": [47, 106, 162], "tolerance": [5, 5, 5]})
        self.assertEqual((second["timeout_ms"], second["gap_ms"], third["slot"]), (5000, 1000, 2))
        self.assertEqual((fourth["until"], fourth["timeout_ms"]), ("no_match", 0))

    def test_several_areas_must_all_have_it(self):
        host = self.host_with()
        looks = []

        def verdict(question):
            left = question["parameters"]["region"][0] == 0
            looks.append(left)
            return dict(_BLUE, passed=left or len(looks) > 6, looks=1)

        host.verdicts["colour"] = verdict
        out = self.play(_RESERVED + u"""
S.FreeSlot(2)
areas = [(0, 0, 8, 8), (8, 0, 8, 8)]
out["rows"] = shape(S.WaitColorMatch((47, 106, 162), includedAreas=areas, timeToWait=10))
out["over"] = shape(S.WaitColorMatch((47, 106, 162), includedAreas=areas, timeToWait=0))
out["cut"] = shape(S.WaitColorMatch((47, 106, 162), includedAreas=(0, 0, 8, 8), excludedAreas=[(2, 2, 2, 2)],
                                    timeToWait=0, slotNo=1))
""")
        self.assertEqual(out["rows"], [[1, True, "image", [47, 106, 162], 100.0, 0.0, 4, 3.0]])
        self.assertEqual([args["ms"] for args in self.asked("wait")], [1000, 1000, 1000])
        self.assertEqual(out["over"][0][1], True)
        self.assertEqual([args["question"]["parameters"]["region"] for args in self.asked()[-4:]],
                         [[0, 0, 8, 2], [0, 2, 2, 2], [4, 2, 4, 2], [0, 4, 8, 4]])

    def test_a_wait_that_is_never_met_ends(self):
        self.host_with().verdicts["colour"] = dict(_BLUE, passed=False)
        out = self.play(_RESERVED + u"""
out["row"] = shape(S.WaitColorMatch((0, 0, 0), includedAreas=[(0, 0, 8, 8), (8, 0, 8, 8)], timeToWait=3, slotNo=1))
""")
        self.assertEqual((out["row"][0], out["row"][5], out["row"][6]), (False, 4, 3.0))

    def test_images(self):
        host = self.host_with()
        host.verdicts["image-match"] = {"passed": True, "score": 0.98, "looks": 2, "seconds": 1.0, "values": {"percent": 98.5}}
        host.verdicts["icon-search"] = {"passed": True, "score": 0.9, "values": {"percent": 97.0, "x": 7.0, "y": 9.0}}
        png(self.folder + "/screen.png")
        png(self.folder + "/part.png", 10, 8)
        out = self.play(_RESERVED + u"""
S.SetDirectories(imageDir=".")
out["rows"] = shape(S.WaitImageMatch("screen.png", percent=97, timeToWait=2))
out["bare"] = shape(S.WaitImageMatch(refImage="screen.png", includedAreas=[(4, 4, 20, 10)], excludedAreas=[(0, 0, 8, 8)], slotNo=1))
out["part"] = shape(S.WaitImageNoMatch("part.png", 90, includedAreas=(20, 10, 20, 20), slotNo=1))
image = S.CaptureImageEx(None, "shot.png", slotNo=1)[2]
out["compare"] = [S.CompareImageEx("screen.png", image, percent=90), S.CompareImage(image, image)]
out["icon"] = shape(S.WaitIconMatch("part.png", 90, (5, 6), slotNo=1))
out["icons"] = S.CompareIconEx("part.png", image, 80, (1, 2, 30, 30))
out["missing"] = [shape(S.WaitImageMatch("nowhere.png", slotNo=1)), S.CompareImageEx("nowhere.png", image), S.CompareColorEx("no", (1, 2, 3))]
out["odd"] = [S.CompareColorEx(image, "no colour"), shape(S.WaitColorMatch((1, 2)))]
""")
        row = [True, "image", 98.5, 2, 1.0]
        self.assertEqual((out["rows"], out["bare"]), ([[1] + row, [2] + row], row))
        self.assertEqual(out["part"][0], False)
        self.assertEqual(out["compare"], [[True, 98.5], [True, 98.5]])
        self.assertEqual(out["icon"][:4], [True, "image", 97.0, [7, 9]])
        self.assertEqual(out["icons"], [True, 97.0, [7, 9]])
        self.assertEqual(out["missing"], [[False, None, 0.0, 0, 0.0], [False, 0.0], [False, [0, 0, 0], 0.0, 0.0]])
        self.assertEqual(out["odd"], [[False, [0, 0, 0], 0.0, 0.0],
                                      [[slot, False, None, [0, 0, 0], 0.0, 0.0, 0, 0.0] for slot in (1, 2)]])
        whole, within, part, icon = [args["question"]["parameters"] for args in self.asked()]
        self.assertEqual(whole, {"percent": 97.0, "where": "same-place"})
        self.assertEqual(within, {"where": "same-place", "excluded": [
            [0, 0, 64, 4], [0, 4, 4, 10], [24, 4, 40, 10], [0, 14, 64, 22], [0, 0, 8, 8]]})
        self.assertEqual(part, {"percent": 90.0, "where": "anywhere", "region": [20, 10, 20, 20]})
        self.assertEqual(icon, {"percent": 90.0, "region": [5, 6, 10, 8]})
        self.assertTrue(any("nowhere.png" in line for line in self.host.logs()))

    def test_stored_colours(self):
        self.host_with().verdicts["colour"] = _BLUE
        png(self.folder + "/a.png")
        self.write("resources/COLOURS.json", '{"Blue": {"color": [47, 106, 162], "tolerances": [9, 9, 9], "flatness": 50}}')
        out = self.play(_RESERVED + u"""
out["answer"] = S.CompareColorEx("a.png", S.FindNamedColor("/COLOURS/Blue"), includedAreas=[1, 2, 3, 4])
out["older"] = S.CompareColor("a.png", "/colours/Blue")
""")
        self.assertEqual(out["answer"], [True, [47, 106, 162], 100.0, 0.0])
        self.assertEqual(out["older"], out["answer"])
        self.assertEqual(self.asked("analyse")[0]["question"]["parameters"], {
            "value": [47, 106, 162], "tolerance": [9, 9, 9], "flatness": 50.0, "region": [1, 2, 3, 4]})

    def test_motion_and_sound(self):
        host = self.host_with()
        host.verdicts["motion"] = {"passed": True, "score": 0.1, "seconds": 0.4, "values": {"percent": 12.5}}
        host.verdicts["audio-level"] = {"passed": True, "values": {"dbfs": -23.5}}
        out = self.play(_RESERVED + u"""
out["rows"] = shape(S.DetectMotionEx((0, 0, 10, 10), 5, 2))
out["flat"] = shape(S.DetectMotionEx([0, 0, 10, 10], 5, 2, 1))
out["same"] = shape(S.WaitMotion(None, 3, slotNo=2))
out["sound"] = [S.WaitAudioPresence(-95, 60), S.WaitAudioPresence(-95, 60, 1), S.GetAudioLevel(), S.GetAudioLevel(1)]
out["bad"] = [S.DetectMotionEx("nowhere", 1, slotNo=1), S.WaitAudioPresence("loud", 1)]
""")
        self.assertEqual(out["rows"], [[1, True, "image", 12.5, 0.4], [2, True, "image", 12.5, 0.4]])
        self.assertEqual(out["flat"], [1, True, "image", 12.5, 0.4])
        self.assertEqual(out["same"][:2], [2, True])
        self.assertEqual(out["sound"], [[[1, True, -23.5], [2, True, -23.5]], [True, -23.5], [[1, -23.5], [2, -23.5]], -23.5])
        self.assertEqual(out["bad"], [[1, False, None, 0.0, 0.0], [[1, False, -120.0], [2, False, -120.0]]])
        self.assertEqual(self.asked()[0]["question"]["parameters"], {"region": [0, 0, 10, 10], "percent": 2.0})

    def test_reading(self):
        host = self.host_with()
        words = [("Channel", 0, 0, "good"), ("7", 60, 0, "note"), ("News", 0, 20, "good")]
        host.verdicts["ocr"] = {"passed": True, "values": {"confidence": 0.9}, "found": [
            {"area": [x, y, 50, 12], "tone": tone, "label": label} for label, x, y, tone in words]}
        png(self.folder + "/a.png")
        out = self.play(_RESERVED + u"""
S.OCRSetLanguage("German")
out["rows"] = S.OCRSlot((0, 0, 100, 40))
out["bare"] = S.OCRSlot((0, 0, 100, 40), 1)
out["all"] = S.OCRSlot()[4][0][1]
S.OCRSetLanguage(["eng", "deu"])
out["image"] = S.OCRImage("a.png", (0, 0, 10, 10))
out["left"] = "%d" % S.OCRGetRemainingChars()
out["missing"] = S.OCRImage("nowhere.png")
out["distance"] = [S.ComputeStringsDistance("kitten", "sitting"), S.CompareStrings("Menu", "Menv", 1), S.CompareStrings("Menu", "M", 1)]
""")
        self.assertEqual(out["bare"], [1, 0, 12, 3, "Channel 7\nNews"])
        self.assertEqual(out["rows"], [[[slot, value] for slot in (1, 2)] for value in out["bare"]])
        self.assertEqual(out["all"], "Channel 7\nNews")
        self.assertEqual(out["image"], out["bare"])
        self.assertTrue(int(out["left"]) > 1000)
        self.assertEqual(out["missing"], [0, 0, 0, 0, ""])
        self.assertEqual(out["distance"], [3, 1, 0])
        self.assertEqual(self.asked()[0]["question"]["parameters"], {"region": [0, 0, 100, 40], "languages": ["deu"]})
        self.assertEqual(self.asked("analyse")[0]["question"]["parameters"]["languages"], ["eng", "deu"])

    def test_zapping(self):
        host = self.host_with()
        host.verdicts["zap-timer"] = {"values": {}, "picture": host.picture("zap.png")}
        out = self.play(_RESERVED + u"""
out["take"] = S.ReserveVideoTimer()
out["start"] = S.StartZapMeasurement("Channel+", 1, (0, 0, 32, 32), colorCount=5000, timeout=15.0)
S.PressButton("Channel+")
out["times"] = shape(S.GetZapTimes())
out["free"] = S.FreeVideoTimer()
out["trigger"] = S.TriggerHighSpeedTimer(irKey="Ok", keyCount=2, timeout=3, slotNo=1)
out["one"] = S.StartZapMeasurement(None, 1, None, slotNo=2)
""")
        self.assertEqual((out["take"], out["free"], out["one"]), (1, 1, 1))
        self.assertEqual(out["start"], [[1, 1], [2, 1]])
        self.assertEqual(out["times"], [[1, True, 32, 1.28, "image"], [2, True, 32, 1.28, "image"]])
        self.assertEqual(out["trigger"], [[1, 1]])
        first, second, third = self.asked("arm")
        self.assertEqual((first["key"], first["presses"], first["timeout_ms"]), ("Channel+", 1, 15000))
        self.assertEqual(first["question"]["parameters"], {"region": [0, 0, 32, 32], "timeout_s": 15.0})
        self.assertEqual((second["key"], second["presses"], second["slot"], third["key"]), ("Ok", 2, 1, None))

    def test_single_frames_of_a_zap(self):
        host = self.host_with()
        black, blue = {"passed": False}, _BLUE
        host.frames = [dict(host._verdict({"analyser": "colour"}), **one) for one in (black, black, blue, blue)]
        out = self.play(_RESERVED + u"""
out["enable"] = [S.EnableCaptureZapFrames(maxFrames=4, startFrame=1, skipCount=2, slotNo=1), S.EnableCaptureZapFrames(250)]
out["trigger"] = S.TriggerHighSpeedTimer(irKey="Ok", keyCount=1, timeout=3, slotNo=1)
S.PressButton("Ok", 1)
out["count"] = [S.GetCountImagesSaved(1), S.GetCountImagesSaved()]
out["frame"] = [shape(S.GetRawZapFrame(3)), shape(S.GetRawZapFrame(4, 2)), shape(S.GetRawZapFrame(0, slotNo=1))]
out["size"] = list(S.GetRawZapFrame(3, 1)[0][1].Size)
screen = S.ScreenDefinition()
screen.Regions.append(S.ColorRegion("corner", (47, 106, 162), 5, rect=(0, 0, 8, 8)))
out["found"] = [S.FindRawZapMatch(screen, 0, 10), S.FindRawZapMatch(screen, 3, 3, 1), S.FindRawZapMatch(screen, 0, 1, slotNo=2),
                S.FindRawZapMatch(screen), S.FindRawZapMatch(S.ScreenDefinition(), 0, 10, 1)]
out["wrong"] = [S.GetRawZapFrame(-1, 1), S.EnableCaptureZapFrames("many", slotNo=1), S.FindRawZapMatch(screen, None, 1, 1)]
""")
        self.assertEqual(out["enable"], [[[1, 1]], [[1, 1], [2, 1]]])
        self.assertEqual(host.calls[3], ("keep_frames", {"most": 4, "first": 1, "skip": 2, "slot": 1}))
        self.assertEqual(host.frames_wanted, (250, 0, 0))
        self.assertEqual(out["count"], [[[1, 4]], [[1, 4], [2, 4]]])
        self.assertEqual(out["frame"], [[[1, "image"], [2, "image"]], [[2, None]], [[1, "image"]]])
        self.assertEqual(out["size"], [64, 36])
        self.assertEqual(out["found"], [[[1, True, 2], [2, True, 2]], [[1, True, 3]], [[2, False, None]],
                                        [[1, True, 2], [2, True, 2]], [[1, False, None]]])
        self.assertEqual(out["wrong"], [[[1, None]], [[1, 0]], [[1, False, None]]])
        self.assertEqual(self.asked("analyse")[0]["picture"], "frame:1/0")

    def test_zap_times_without_a_measurement(self):
        self.host_with()
        out = self.play(_RESERVED + u'out["times"] = S.GetZapTimes()')
        self.assertEqual(out["times"], [[1, False, 0, 0.0, None], [2, False, 0, 0.0, None]])

    def test_serial_lines_are_called_back(self):
        host = self.host_with()
        out = self.play(_RESERVED + u"""
import re, threading, time
heard, seen = [], []
def once(slot, pattern, line):
    heard.append([slot, pattern, line, threading.current_thread().name != "MainThread"])
    S.RemoveObserve(pattern, slot)
def each(slot, pattern, line):
    S.CommentToLog("heard " + line)
    seen.append(line)
    if line == "key 3":
        raise ValueError("of its own")
S.PressButton("before", 1)
out["add"] = [S.AddObserve("key 1", once, 1), S.AddObserve(r"^key [23]$", each, 2, waitForEOL=True), S.AddObserve("x", None)]
for key in "121323":
    S.PressButton(key, 1)
deadline = time.time() + 60
while (len(heard) < 1 or len(seen) < 4) and time.time() < deadline:
    S.WaitSec(0.1)
S.WaitSec(2)
out["heard"] = heard
out["gone"] = [S.RemoveObserve("key 1", 1), S.RemoveObserve(r"^key [23]$"), S.RemoveObserve("never")]
S.PressButton("2", 1)
out["send"] = [S.SendSerial(b"\\x00\\xff"), S.SendSerial(u"\u00e4\\n", 1)]
""")
        self.assertEqual(out["add"], [1, 1, 0])
        self.assertEqual(out["heard"], [[1, "key 1", "key 1", True]])
        self.assertEqual(out["gone"], [0, 1, 0])
        self.assertEqual(out["send"], [1, 1])
        self.assertEqual(host.sent, [u"\x00\xff", u"\xc3\xa4\n"])
        self.assertEqual([line for line in host.logs() if line.startswith("heard")],
                         ["heard key 2", "heard key 3", "heard key 2", "heard key 3"])
        self.assertTrue(any("of its own" in line for line in host.logs()))
        # A wait is cut into parts while somebody listens.
        self.assertTrue(all(args["ms"] <= 500 for args in self.asked("wait")))

    def test_observing_ends_with_the_script(self):
        host = self.host_with()
        self.play(_RESERVED + u"""
S.AddObserve("x", lambda *_: None)
S.ReturnTestResult(S.TM.PASS)
""")
        self.assertEqual(host.names()[-1] in ("result", "serial_read"), True)

    def test_observing_from_the_warm_interpreter(self):
        host = self.host_with()
        zygote = Zygote(self.python, self.folder)
        self.addCleanup(zygote.close)
        how, printed = zygote.run(u"""
            import stormtest.ClientAPI as S
            S.ConnectToServer("x", ""); S.ReserveSlot(1)
            S.AddObserve("key", lambda slot, pattern, line: S.CommentToLog("heard " + line))
            S.PressButton("1")
            for turn in range(20):
                S.WaitSec(0.1)
            print("done")
            """, env=host.environment())
        self.assertEqual((how.get("code"), how.get("leaked"), printed), (0, 0, "done\n"))
        self.assertIn("heard key 1", host.logs())

    def test_a_device_without_a_serial_port(self):
        self.host_with().refuse["serial_read"] = ("device", "no serial port")
        out = self.play(_RESERVED + u"""
out["add"] = [S.AddObserve("x", lambda *_: None, 1), S.AddObserve("x", lambda *_: None, "one")]
S.WaitSec(1)
""")
        self.assertEqual(out["add"], [0, 0])
        self.assertEqual(self.host.names().count("serial_read"), 1)

    def test_video(self):
        host = self.host_with()
        out = self.play(_RESERVED + u"""
out["show"] = [S.ShowVideo(slotNo=1), S.CloseVideo()]
out["none"] = S.StopVideoLog()
out["start"] = S.StartVideoLog(prefix="a_")
out["stop"] = S.StopVideoLog()
out["one"] = [S.StartVideoLog(None, 2), S.StopVideoLog(2), S.StopVideoLog(2)]
""")
        self.assertEqual(out["start"], [[slot, True, "%s/a_Vid_%d.avi" % (host.out, slot)] for slot in (1, 2)])
        self.assertEqual((out["show"], out["none"], out["stop"]), ([1, 1], [], [[1, True], [2, True]]))
        self.assertEqual(out["one"], [[True, host.out + "/Vid_2.avi"], [True], []])

    def test_any_analyser_results_and_faults(self):
        host = self.host_with()
        host.verdicts["black"] = {"passed": True, "score": 0.99, "values": {"share": 0.99}}
        png(self.folder + "/a.png")
        out = self.play(_RESERVED + u"""
row = S.WaitAnalyser("black", {"share": 0.9}, until="match", timeToWait=2, slotNo=1)
out["row"] = [row[0], row[1]["values"]["share"], shape(row[1]["image"]), len(S.WaitAnalyser("black"))]
out["stored"] = S.AnalyseImage("a.png", "black", references={"one": "a.png"})[0]
out["until"] = S.WaitAnalyser("black", until="never", slotNo=1)[0]
out["kept"] = [S.RecordMeasurement("zap", 1.5, "s"), S.RecordMeasurement("zap", "long"), S.AddArtifact("a.txt", "notes")]
out["fault"] = S.InjectFault("freeze 5s")
""")
        self.assertEqual(out, {"row": [True, 0.99, "image", 2], "stored": True, "until": False, "kept": [1, 0, 1], "fault": 1})
        self.assertEqual(self.asked("measure"), [{"name": "zap", "value": 1.5, "unit": "s"}])
        self.assertEqual(self.asked("analyse")[0]["question"]["references"], [{"name": "one", "path": self.folder + "/a.png"}])

    def test_measurements_have_limits(self):
        host = self.host_with()
        out = self.play(_RESERVED + u"""
out["within"] = [S.RecordMeasurement("zap", 1.5, "s", high=2), S.RecordMeasurement("level", -20, "dB", -30, -10.0),
                 S.RecordMeasurement("zap", 2, "s", low=2, high=2)]
out["outside"] = [S.RecordMeasurement("zap", 2.5, "s", high=2), S.RecordMeasurement("zap", 0.1, low=0.5)]
out["wrong"] = S.RecordMeasurement("zap", 1, "s", high="two")
""")
        self.assertEqual(out, {"within": [1, 1, 1], "outside": [0, 0], "wrong": 0})
        told = self.asked("measure")
        self.assertEqual(told[0], {"name": "zap", "value": 1.5, "unit": "s", "high": 2.0})
        self.assertEqual(told[1], {"name": "level", "value": -20.0, "unit": "dB", "low": -30.0, "high": -10.0})
        self.assertEqual((len(told), host.faults), (5, []))
        self.assertRegex(host.logs()[-1], r"^Failure in RecordMeasurement\(zap\): u?'two' is no number$")

    def test_refused_results_are_told(self):
        self.host_with().refuse["artifact"] = ("bad_call", "no such file")
        out = self.play(_RESERVED + u'out["kept"] = S.AddArtifact("nowhere.txt")')
        self.assertEqual(out["kept"], 0)
        self.assertIn("Failure in AddArtifact: no such file", self.host.logs())

    def test_parameters(self):
        self.host_with().signal = {"present": True, "width": 1280, "height": 720, "rate": 50.0}
        out = self.play(_RESERVED + u"""
out["is"] = [S.GetResolution(1), S.GetFrameRate(1), S.GetMaxBitRate(1), S.GetResolution()]
out["set"] = [S.SetResolution("4CIF", 1), S.SetResolution("1280x720", 2), S.SetFrameRate(30, 1), S.SetMaxBitRate(1024000), S.SetResolution("big", 1)]
out["now"] = [S.GetResolution(1), S.GetResolution(2), S.GetFrameRate(1), S.GetMaxBitRate(2)]
out["reset"] = [S.ResetDefaultParameters(1), S.GetResolution(1), S.GetResolution(2)]
out["raw"] = S.GetRawInputInfo(1)
out["sub"] = [S.GetCurrentSubslot(1), S.SetCurrentSubslot(3, 1), S.GetCurrentSubslot(1), S.SetCurrentSubslot(9, 1), S.ResetSlot(1), S.GetCurrentSubslot(1)]
converter = S.GetWorldToDesignTransform()[0][1]
converter.SetFromRectangles((0, 0, 1280, 720), [0, 0, 640, 360])
out["moved"] = [converter.Transform((100, 50)), converter.Transform((100, 50, 20, 10))]
out["checks"] = [S.ResyncAudio(1), S.SetSignalRecoveryMode(S.SignalRecoveryMode.Fast, 1), S.CheckSlots()]
out["debug"] = [S.SetDebugLevel(0, 1), S.WriteDebugLine("quiet")]
""")
        self.assertEqual(out["is"], ["1280 x 720", 50, 2048000, [[1, "1280 x 720"], [2, "1280 x 720"]]])
        self.assertEqual((out["set"], out["now"]), ([1, 1, 1, 1, 0], ["704 x 576", "1280 x 720", 30, 1024000]))
        self.assertEqual(out["reset"], [1, "1280 x 720", "1280 x 720"])
        self.assertEqual(out["raw"], {"HardwareCaptureRate": 50, "Width": 1280, "Height": 720, "SignalPresent": True})
        self.assertEqual(out["sub"], [0, 1, 3, 0, 1, 0])
        self.assertEqual(out["moved"], [[50, 25], [50, 25, 10, 5]])
        self.assertEqual(out["checks"], [1, 1, [1, 2]])
        self.assertEqual(out["debug"], [None, 0])

    def test_parameters_without_a_signal(self):
        self.host_with().refuse["signal"] = ("device", "no signal")
        out = self.play(_RESERVED + u'out["is"] = [S.GetResolution(1), S.GetFrameRate(1), S.GetRawInputInfo(1)["SignalPresent"]]')
        self.assertEqual(out["is"], ["720 x 576", 25, False])

    def test_matches_never_raise_for_want_of_a_slot_or_analyser(self):
        host = self.host_with()
        host.refuse.update(watch=("bad_call", "no analyser of that name"), analyse=("bad_call", "no analyser"))
        png(self.folder + "/a.png")
        out = self.play(_RESERVED + u"""
out["with"] = [S.WaitColorMatch((0, 0, 0), slotNo=1), S.OCRSlot(None, 1), S.CompareImageEx("a.png", "a.png"), S.WaitAudioPresence(-60, 1, 1)]
S.ReleaseServerConnection()
out["without"] = [S.WaitColorMatch((0, 0, 0)), S.DetectMotionEx(None, 1, slotNo=1), S.OCRSlot(), S.GetZapTimes(), S.StartVideoLog()]
""")
        self.assertEqual(out["with"], [[False, None, [0, 0, 0], 0.0, 0.0, 0, 0.0], [0, 0, 0, 0, ""], [False, 0.0], [False, -120.0]])
        self.assertEqual(out["without"], [[], [1, False, None, 0.0, 0.0], [[]] * 5, [], []])

    def test_the_end_of_the_lease_is_raised(self):
        self.host_with().refuse["watch"] = ("lease_lost", "the lease is over")
        out = self.play(_RESERVED + u'out["raised"] = raised(lambda: S.WaitColorMatch((0, 0, 0)))')
        self.assertEqual(out["raised"], ["CallRefused", "the lease is over"])
