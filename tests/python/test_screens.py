"""Screen definitions, navigators, named resources, images."""

import json
import os
import struct

from support import ROOT, WithScripts, png

_RESERVED = u"""
S.ConnectToServer("x", ""); S.ReserveSlot(1)
"""
_BLUE = {"passed": True, "score": 1.0, "values": {"red": 1.0, "green": 2.0, "blue": 3.0, "flatness": 90.0, "peak_error": 0.5}}
# In the form of real files; the numbers are ours.
_SCREEN = {"Type": "ScreenDef", "Name": "Banner", "Comment": "", "DesignSize": [128, 72], "ReturnScreenImage": 1,
           "Verify": True, "ModelId": 0, "EvaluationMethod": 0, "CoordConverters": None,
           "MetaData": {"SoftwareVersion": "3.2", "SoftwareBuild": "1", "Date": "01/02/2015"},
           "Regions": [
               {"Type": "ColorTest", "Name": "bar", "Rect": {"rect": [0, 0, 20, 10]}, "PassOnNoMatch": False, "Odd": 7,
                "ReferenceColor": {"Color": [1, 2, 3], "Tolerance": [4, 4, 4], "Flatness": 80, "PeakError": 1}},
               {"Type": "MotionTest", "Name": "moves", "Rect": {"rect": [0, 0, 128, 72]}, "PassOnNoMatch": False,
                "MotionThreshold": 3, "Timeout": 2},
               {"Type": "AudioTest", "Name": "sounds", "AudioThreshold": -60, "Timeout": 2, "Channel": 0}]}

# Looks at nothing, and notes what it is asked.
_NOTING = u"""
from stormtest import _regions, _watching

class Noting(_regions.Sight):
    noted = None
    def ask(self, questions):
        self.note(questions[0])
        return _watching.NOTHING
    def watch(self, question, until, times):
        self.note(question, timeout_ms=int(round(times[0] * 1000)), gap_ms=int(round(times[1] * 1000)))
        return _watching.NOTHING
    def note(self, question, **times):
        self.noted = dict(times, analyser=question["analyser"], parameters=question["parameters"])

def asked(path, size):
    screen = S.ScreenDefinition()
    assert screen.Load(path) == 1
    sights = []
    for leaf, design in screen.leaves():
        sights.append(Noting("test", None, 1, size))
        leaf.evaluate(design, sights[-1])
    return [sight.noted for sight in sights]
"""


class Cases(WithScripts):
    """For one interpreter, `self.python`."""

    def asked(self, call="watch"):
        return [args for name, args in self.host.calls if name == call]

    def lab(self):
        host = self.host_with()
        host.verdicts.update({"colour": _BLUE, "motion": {"passed": True, "values": {"percent": 5.0}, "seconds": 0.4},
                              "audio-level": {"passed": True, "values": {"dbfs": -20.0}}})
        self.write("Banner.stscreen", json.dumps(_SCREEN))
        return host

    def test_a_screen_from_a_file(self):
        self.lab()
        out = self.play(_RESERVED + u"""
sdo = S.ScreenDefinition()
out["load"] = [sdo.Load("Banner.stscreen"), sdo.Name, sdo.DesignSize, len(sdo.Regions)]
rows = S.WaitScreenDefMatch(screenDef=sdo, timeToWait=10, waitGap=1)
seen = rows[0][1]
out["row"] = [len(rows), rows[0][0], seen.VerifyStatus, seen is not sdo, sdo.VerifyStatus, rows[0][3]]
out["image"] = os.path.isfile(seen.Image.GetLastSavedName())
out["regions"] = [[one.Name, one.VerifyStatus] for one in seen.Regions]
out["actual"] = [seen.Regions[0].ActualColor, seen.Regions[1].ActualMotion, seen.Regions[2].ActualAudio, seen.Regions[2].AudioThreshold]
bare = S.WaitScreenDefMatch("Banner.stscreen", 10, 1, 1)
out["bare"] = [bare[0].VerifyStatus, len(bare)]
out["match"] = [len(sdo.Match()[0]), sdo.Match(1)[0].VerifyStatus]
out["saved"] = sdo.Save("kept/copy.stscreen")
out["close"] = sdo.Close()
""")
        self.assertEqual(out["load"], [1, "Banner", [128, 72], 3])
        self.assertEqual(out["row"], [1, 1, True, True, True, 1])
        self.assertTrue(out["image"])
        self.assertEqual(out["regions"], [["bar", True], ["moves", True], ["sounds", True]])
        self.assertEqual(out["actual"], [[1, 2, 3], 5.0, -20.0, -60])
        self.assertEqual((out["bare"], out["match"], out["close"]), ([True, 3], [4, True], 1))
        # The screen is half as wide as the design: so are the regions.
        self.assertEqual(self.asked()[0]["question"]["parameters"]["region"], [0, 0, 10, 5])
        self.assertEqual(self.asked()[1]["question"]["parameters"], {"region": [0, 0, 64, 36], "percent": 3.0})
        with open(self.host.out + "/kept/copy.stscreen") as saved:
            text = saved.read()
        again = json.loads(text)
        self.assertNotIn("\n", text)
        again.pop("MetaData")
        for region in again["Regions"]:
            region.pop("Verify"), region.pop("Comment")
        self.assertEqual(again["Regions"][0], _SCREEN["Regions"][0])
        self.assertEqual({key: again[key] for key in _SCREEN if key not in ("MetaData", "Regions")},
                         {key: _SCREEN[key] for key in _SCREEN if key not in ("MetaData", "Regions")})

    def test_a_screen_that_does_not_come(self):
        host = self.lab()
        host.verdicts["colour"] = dict(_BLUE, passed=False)
        out = self.play(_RESERVED + u"""
row = S.WaitScreenDefMatch("Banner.stscreen", 4, 1, 1)
out["row"] = [row[0].VerifyStatus, row[1] >= 4.0, [one.VerifyStatus for one in row[0].Regions]]
out["missing"] = S.WaitScreenDefMatch("nowhere.stscreen", 0, 1, 1)[0].VerifyStatus
out["none"] = [S.WaitScreenDefMatch(None, 0, 1, 1)[0].VerifyStatus, S.WaitScreenDefMatch("Banner.stscreen", 5, 1, 7)[2]]
out["load"] = S.ScreenDefinition().Load("nowhere.stscreen")
""")
        self.assertEqual(out["row"], [False, True, [False, True, True]])
        self.assertEqual((out["missing"], out["none"], out["load"]), (False, [False, 0], 0))

    def test_a_screen_made_by_hand(self):
        host = self.lab()
        host.verdicts["image-match"] = {"passed": True, "values": {"percent": 99.0}}
        host.verdicts["ocr"] = lambda question: {"passed": question["parameters"].get("expect") != "Guide", "found": [
            {"area": [0, 0, 9, 9], "tone": "good", "label": "Menu"}]}
        png(self.folder + "/ref.png")
        out = self.play(_RESERVED + u"""
inner = S.ScreenDefinition("inner")
inner.Regions.append(S.OCRRegion("Menu", "title", rect=(0, 0, 30, 10), verify=True))
image = S.ImageRegion("logo", 90, (1, 1, 5, 5))
out["set"] = [image.SetImage("ref.png"), image.SetImage("nowhere.png")]
sdo = S.ScreenDefinition()
sdo.Regions = [image, S.ColorRegion("c", (1, 2, 3)), inner, S.OCRRegion("Guide", "read only", verify=False)]
copy = sdo.Regions[0].Clone()
copy.Name = "copy"
row = sdo.Match()[0]
out["ok"] = [row[1].VerifyStatus, row[1].Regions[2].VerifyStatus, row[1].Regions[3].VerifyStatus, image.Name]
out["text"] = row[1].Regions[2].Regions[0].ResultText
sdo.Regions[3].Verify = True
out["strict"] = sdo.Match(1)[0].VerifyStatus
sdo.Regions[3].PassOnNoMatch = True
out["not"] = sdo.Match(1)[0].VerifyStatus
shot = S.CaptureImageEx(None, "shot.png", slotNo=1)[2]
out["stored"] = S.ScreenDefMatchImage(sdo, shot).VerifyStatus
sdo.Regions.append(S.MotionRegion("m", 1, (0, 0, 9, 9)))
out["moving"] = S.ScreenDefMatchImage(sdo, "ref.png").VerifyStatus
out["lost"] = S.ScreenDefMatchImage(sdo, "nowhere.png").VerifyStatus
out["save"] = sdo.Save(os.path.join(os.getcwd(), "made.stscreen"))
again = S.ScreenDefinition(); again.Load("made.stscreen")
out["kinds"] = [type(one).__name__ for one in again.Regions]
out["ref"] = [again.Regions[0].ReferenceImage.Size, again.Regions[3].ExpectedText, again.Regions[3].PassOnNoMatch]
""")
        self.assertEqual((out["set"], out["ok"], out["text"]), ([1, 0], [True, True, False, "logo"], "Menu"))
        self.assertEqual((out["strict"], out["not"], out["stored"], out["moving"], out["lost"]),
                         (False, True, True, False, False))
        self.assertEqual((out["save"], out["ref"]), (1, [[64, 36], "Guide", True]))
        self.assertEqual(out["kinds"], ["ImageRegion", "ColorRegion", "ScreenDefinition", "OCRRegion", "MotionRegion"])
        with open(self.folder + "/made.stscreen") as made:
            self.assertEqual(json.load(made)["Regions"][0]["ReferenceImage"], "ref.png")

    def test_the_same_is_asked_as_by_other_languages(self):
        self.host_with()
        with open(os.path.join(ROOT, "tests", "data", "screens", "questions.json")) as data:
            cases = json.load(data)["cases"]
        self.assertGreaterEqual(len(cases), 6)
        for number, case in enumerate(cases):
            self.write("case%d.stscreen" % number, json.dumps(case["screen"]))
            if "image" in case:
                png(self.folder + "/logo.png", *case["image"])
            out = self.play(_NOTING + u"out['asked'] = asked(%r, %r)" % ("case%d.stscreen" % number, case["size"]))
            self.assertEqual(out["asked"], case["asked"], case["name"])

    def test_unknown_regions_are_kept_and_never_there(self):
        self.lab()
        self.write("odd.stscreen", json.dumps(dict(_SCREEN, Regions=[{"Type": "SmellTest", "Name": "n", "Much": 3}])))
        out = self.play(_RESERVED + u"""
sdo = S.ScreenDefinition()
out["load"] = sdo.Load("odd.stscreen")
out["there"] = sdo.Match(1)[0].VerifyStatus
out["save"] = sdo.Save("odd2.stscreen")
""")
        self.assertEqual(out, {"load": 1, "there": False, "save": 1})
        with open(self.host.out + "/odd2.stscreen") as saved:
            region = json.load(saved)["Regions"][0]
        self.assertEqual((region["Type"], region["Much"]), ("SmellTest", 3))

    def test_navigators(self):
        self.lab()
        self.write("menu.stnav_runtime", json.dumps({"Type": "Navigator", "Name": "menu", "Screens": [
            dict(_SCREEN, Name="Guide"), {"Name": "Other", "File": "Banner.stscreen"}]}))
        with open(self.folder + "/vendor.stnav_runtime", "wb") as other:
            other.write(b"\x00\x01binary")
        out = self.play(_RESERVED + u"""
out["open"] = [S.OpenNavigatorFile("vendor.stnav_runtime", 1), S.OpenNavigatorFile("menu.stnav_runtime", 1)]
out["names"] = [S.GetNavigatorScreens(1), S.GetCurrentNavigator(1)]
out["valid"] = S.ValidateNavigatorScreen("Guide", 1)
out["rows"] = len(S.ValidateNavigatorScreen("Guide"))
out["gone"] = S.ValidateNavigatorScreen("Nothing", 1)
out["sdo"] = S.ConvertNavigatorToScreenDef("Other", 1).Name
out["close"] = [S.CloseNavigator(1), S.CloseNavigator(1), S.GetNavigatorScreens(1)]
""")
        self.assertEqual((out["open"], out["names"]), ([0, 1], [["Guide", "Other"], "menu"]))
        self.assertEqual(out["valid"], [True, [["bar", True, {"Detected Peak Error": 0.5}], ["moves", True, {}], ["sounds", True, {}]]])
        self.assertEqual((out["rows"], out["gone"], out["sdo"]), (1, [False, []], "Other"))
        self.assertEqual(out["close"], [1, 0, []])
        self.assertTrue(any("CLIENT.md" in line for line in self.host.logs()))

    def test_resources_are_found_while_a_script_is_imported(self):
        for name in ("public/resources/TV/Logo.png", "resources/TV/Logo.png"):
            self.write(name, "")
            png(self.folder + "/" + name)
        self.write("public/resources/TV/Bar.json", '{"region": [1, 2, 3, 4], "slots": {"2": [5, 6, 7, 8]}}')
        self.write("public/resources/Names.json", '{"Title": {"string": "Guide"}, "Red": {"color": [255, 0, 0]}}')
        out = self.play(u"""
logo = S.FindNamedImage("/TV/logo")
bar = S.FindNamedRegion("/TV/Bar")
out["logo"] = [logo.Path, isinstance(logo, S.stormtest_client.NamedImage)]
out["bar"] = [bar.Rect, list(bar), bar.LookupBySlot(2).Rect, S.ReadNamedRegion("TV\\\\Bar"), isinstance(bar, S.stormtest_client.NamedRegion)]
out["others"] = [str(S.FindNamedString("/Names/Title")), S.ReadNamedString("/Names/Title"), list(S.FindNamedColor("/Names/Red"))]
out["none"] = [S.FindNamedImage("/TV/Nothing"), S.FindNamedRegion("/../x"), S.ReadNamedRegion("/Names/Title")]
out["write"] = S.WriteNamedImage("/New/Copy", logo)
out["copy"] = os.path.basename(S.FindNamedImage("/New/Copy").Path)
""", script="public/tests/script.py")
        self.assertEqual(out["logo"], [self.folder + "/public/resources/TV/Logo.png", True])
        self.assertEqual(out["bar"], [[1, 2, 3, 4], [1, 2, 3, 4], [5, 6, 7, 8], [1, 2, 3, 4], True])
        self.assertEqual(out["others"], ["Guide", "Guide", [255, 0, 0]])
        self.assertEqual((out["none"], out["write"], out["copy"]), ([None, None, None], 1, "Copy.png"))
        self.assertIn("resources", self.stderr)

    def test_named_things_stand_for_what_they_are(self):
        host = self.lab()
        host.verdicts["image-match"] = {"passed": True, "values": {"percent": 99.0}}
        self.write("resources/A/Part.json", '{"region": [1, 2, 3, 4]}')
        png(os.path.join(self.folder, "resources/A/Ref.png"))
        out = self.play(_RESERVED + u"""
out["a"] = S.WaitImageMatch(S.FindNamedImage("/A/Ref"), slotNo=1)[0]
out["b"] = S.WaitImageMatch("/A/Ref", includedAreas=["/A/Part"], slotNo=1)[0]
S.CaptureImageEx("/A/Part", "x", slotNo=1)
S.CaptureImageEx(S.FindNamedRegion("/A/Part"), "x", slotNo=1)
""")
        self.assertEqual(out, {"a": True, "b": True})
        self.assertEqual([args["rect"] for args in self.asked("capture")], [[1, 2, 3, 4]] * 2)

    def test_bitmaps_are_brought_into_a_form_that_the_rack_reads(self):
        host = self.lab()
        host.verdicts["image-match"] = {"passed": True, "values": {"percent": 99.0}}
        pixels = b"\x01\x02\x03" * 2 + b"\0\0" + b"\x11\x12\x13" * 2 + b"\0\0"
        head = struct.pack("<IIiiHHIIiiII", 54, 40, 2, 2, 1, 24, 0, len(pixels), 0, 0, 0, 0)
        with open(self.folder + "/old.bmp", "wb") as bitmap:
            bitmap.write(b"BM" + struct.pack("<II", 54 + len(pixels), 0) + head + pixels)
        with open(self.folder + "/cut.bmp", "wb") as bitmap:
            bitmap.write(b"BM" + struct.pack("<II", 54, 0) + head)
        out = self.play(_RESERVED + u"""
out["bmp"] = S.WaitImageMatch(".\\\\old.bmp", slotNo=1)[0]
out["twice"] = S.WaitImageMatch("old.bmp", slotNo=1)[0]
out["cut"] = S.WaitImageMatch("cut.bmp", slotNo=1)[0]
""")
        self.assertEqual(out, {"bmp": True, "twice": True, "cut": False})
        paths = {args["question"]["references"][0]["path"] for args in self.asked()}
        self.assertEqual(paths, {host.out + "/references/old_1.png"})
        with open(paths.pop(), "rb") as png_file:
            data = png_file.read()
        self.assertEqual(struct.unpack(">II", data[16:24]), (2, 2))

    def test_sizes_and_bitmaps_of_all_kinds(self):
        jpeg = b"\xff\xd8\xff\xe0\x00\x10" + b"J" * 14 + b"\xff\xff\xc2\x00\x11\x08" + struct.pack(">HH", 720, 1280) + b"\0" * 9
        for name, data in (("a.jpg", jpeg), ("cut.jpg", jpeg[:25]), ("none.jpg", b"\xff\xd8"), ("text.png", b"text")):
            with open(os.path.join(self.folder, name), "wb") as file_:
                file_.write(data)

        def bitmap(name, bits, height, pixels, palette=b""):
            start = 54 + len(palette)
            head = struct.pack("<IIiiHHIIiiII", start, 40, 2, height, 1, bits, 0, len(pixels), 0, 0, 0, 0)
            with open(os.path.join(self.folder, name), "wb") as file_:
                file_.write(b"BM" + struct.pack("<II", start + len(pixels), 0) + head + palette + pixels)

        # Two pixels, red and blue, in each form; from the top, except for the first.
        bitmap("24.bmp", 24, 1, b"\0\0\xff\xff\0\0\0\0")
        bitmap("32.bmp", 32, -1, b"\0\0\xff\0\xff\0\0\0")
        bitmap("8.bmp", 8, -1, b"\1\2\0\0", b"\0\0\0\0" + b"\0\0\xff\0" + b"\xff\0\0\0")
        bitmap("4.bmp", 4, 1, b"\0\0\0\0")
        out = self.play(u"""
from stormtest import _pictures
import zlib
out["sizes"] = [_pictures.size(name) for name in ("a.jpg", "cut.jpg", "none.jpg", "text.png", "8.bmp", "32.bmp")]
def pixels(name):
    _pictures.bitmap_to_png(name, name + ".png")
    data = open(name + ".png", "rb").read()
    return list(bytearray(zlib.decompress(data[41:-16])))
out["pixels"] = [pixels(name) for name in ("24.bmp", "32.bmp", "8.bmp")]
out["other"] = raised(lambda: pixels("4.bmp"))
""")
        self.assertEqual(out["sizes"], [[1280, 720], None, None, None, [2, 1], [2, 1]])
        self.assertEqual(out["pixels"], [[0, 255, 0, 0, 0, 0, 255]] * 3)
        self.assertEqual(out["other"][0], "ValueError")
        self.assertIn("4 bits a pixel", out["other"][1])

    def test_images_of_the_library_pillow(self):
        # A stand-in for the library: what is ours is only how it is used.
        self.lab()
        self.write("PIL/__init__.py", "")
        self.write("PIL/Image.py", """
            AFFINE = BILINEAR = 0
            _open = open
            class Picture(object):
                mode, size = "RGB", (64, 36)
                def __init__(self, path=None):
                    self.path = path
                def load(self):
                    pass
                def copy(self):
                    return self
                def save(self, path):
                    _open(path, "wb").close()
                def transform(self, size, kind, data, filter):
                    made = Picture()
                    made.size, made.data = size, data
                    return made
            open = Picture
            """)
        png(self.folder + "/a.png")
        out = self.play(_RESERVED + u"""
from PIL import Image
made = S.Imaging.StormTestImageObject(Image.Picture())
out["made"] = [made.GetLastSavedName(), os.path.isfile(made.Path), made.Save("x_%d_%t"), os.path.isfile(made.GetLastSavedName()), made.Size]
stored = S.Imaging.StormTestImageObject.FromFile("a.png")
out["pil"] = stored.ToPILImage(retainRawImage=False).path
converter = S.GetWorldToDesignTransform()[0][1]
out["same"] = stored.Transform(converter).Path
converter.SetFromRectangles((0, 0, 64, 36), (0, 0, 128, 72))
out["large"] = stored.Transform(converter).Size
out["kept"] = [stored.Save("b.jpg"), stored.Close()]
""")
        self.assertEqual(out["made"], [None, True, 1, True, [64, 36]])
        self.assertEqual((out["pil"], out["same"]), (self.folder + "/a.png",) * 2)
        self.assertEqual((out["large"], out["kept"]), ([128, 72], [1, 1]))

    def test_without_pillow_it_says_so(self):
        self.lab()
        png(self.folder + "/a.png")
        self.write("PIL/__init__.py", "raise ImportError('not here')")
        out = self.play(u"""
image = S.Imaging.ImageFromFile("a.png")
out["raised"] = raised(image.ToPILImage)
out["saved"] = [image.Save("b.jpg"), os.path.getsize(image.GetLastSavedName()) > 0, image.Size]
""")
        self.assertEqual(out["raised"][0], "StormTestError")
        self.assertIn("Pillow", out["raised"][1])
        self.assertEqual(out["saved"], [1, True, [64, 36]])
