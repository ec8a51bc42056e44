"""The examples run as they stand, from the warm interpreter."""

import os

from support import ROOT, Host, WithFolder, Zygote

EXAMPLES = os.path.join(ROOT, "examples")


class Cases(WithFolder):
    """For one interpreter, `self.python`."""

    def play(self, folder, script, args=(), host=None):
        host = host or Host(self.folder)
        self.addCleanup(host.close)
        zygote = Zygote(self.python, self.folder)
        self.addCleanup(zygote.close)
        home = os.path.join(EXAMPLES, folder)
        how, printed = zygote.end(zygote.fork(None, script=os.path.join(home, script), cwd=home, args=list(args),
                                              env=host.environment()))
        self.assertEqual((how.get("code"), how.get("leaked")), (0, 0), printed)
        self.assertEqual(host.faults, [])
        return host, printed

    def test_zap(self):
        if self.number[0] == 2:
            self.skipTest("a Python 3 script")
        host, printed = self.play("python-zap", "zap.py", ["5", "17"])
        self.assertEqual(host.calls[-1], ("result", {"code": 111, "comment": None}))
        self.assertEqual([args["key"] for name, args in host.calls if name == "press"],
                         ["5", "Ok", "1", "7", "Ok", "Channel+", "Menu"])
        self.assertEqual(sorted(os.listdir(host.out)), ["1-channel-17.png", "1-channel-5.png", "1-menu.png"])
        self.assertIn("rack1:8001", printed)

    def test_legacy(self):
        if self.number[0] != 2:
            self.skipTest("a Python 2.7 script")
        host, printed = self.play("python27-legacy", "menu_walk.py", ["a b"])
        self.assertEqual(host.calls[-1], ("result", {"code": 111, "comment": None}))
        self.assertIn("arguments: ['a b']\npublic files: /area/public\nreally on ['rack1:8001', [7, 9]]\nslot 1 captured",
                      printed)

    def test_screens(self):
        host = Host(self.folder)
        # Half as wide as the screens are designed for.
        host.signal = dict(host.signal, width=640, height=360)
        titles = {"Guide": "TV Guide", "Menu": "Main Menu"}

        def title(question):
            keys = [args["key"] for name, args in host.calls if name == "press"]
            return {"passed": bool(keys) and question["parameters"]["expect"] == titles.get(keys[-1])}

        host.verdicts = dict({name: {"passed": True} for name in ("colour", "motion", "audio-level")}, ocr=title)
        self.play("screens", "screens.py", host=host)
        self.assertIn(("result", {"code": 111, "comment": "2 of 2 screens"}), host.calls)
        self.assertEqual([args["key"] for name, args in host.calls if name == "press"],
                         ["Guide", "Exit", "Menu", "Exit"])
        asked = [args["question"] for name, args in host.calls if name in ("watch", "analyse")]
        colours = [one["parameters"]["value"] for one in asked if one["analyser"] == "colour"]
        titles = [one["parameters"]["region"] for one in asked if one["analyser"] == "ocr"]
        # As resources/UI.json says, for the guide's file and for the navigator.
        self.assertEqual((set(map(tuple, colours)), set(map(tuple, titles))),
                         ({(16, 20, 40)}, {(25, 20, 150, 22), (40, 33, 150, 22)}))
        self.assertIn("Guide, title: True", host.logs())
        self.assertIn("Main menu, panel: True", host.logs())
