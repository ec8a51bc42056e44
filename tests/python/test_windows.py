"""Paths of Windows: the configurator on a machine that looks like one, as far as another system can play it.

`os.name`, `os.sep` and `os.path` are those of Windows, and drives are folders of the test. What is not played: the
ANSI code page of Python 2 (names are UTF-8 here), junctions, and the file system's own blindness to case.
"""

import hashlib
import os

from test_configurator import Player

# The functions of `os` that the configurator calls, on drives that are folders of this machine.
_PRELUDE = u"""# -*- coding: utf-8 -*-
from __future__ import print_function
import errno, json, ntpath, os, sys
from JobConfigurator import CJobConfigurator
import JobConfigurator
cfg = CJobConfigurator(os.environ["ADDRESS"])
out = {}
text = type(u"")
there = os.environ["DRIVES"]
here = u"C:\\\\work"
locked = set()

def real(path):
    # Windows takes text, whatever the Python; bytes would depend on its code page.
    if not isinstance(path, text):
        raise AssertionError("%r is not text" % (path,))
    drive, rest = ntpath.splitdrive(ntpath.join(here, path))
    drive = drive.replace(u"/", u"\\\\").upper()
    if drive.startswith(u"\\\\\\\\?\\\\"):
        drive = drive[4:]
    parts = [part for part in rest.replace(u"/", u"\\\\").split(u"\\\\") if part]
    name = os_join(there, drive.strip(u"\\\\").replace(u":", u"").replace(u"\\\\", u"_"), *parts)
    return name if sys.version_info[0] > 2 else name.encode("utf-8")

class Locked(EnvironmentError):
    winerror = 32

def on_drive(function):
    def call(path, *rest, **named):
        if function.__name__ == "open" and path in locked:
            raise Locked(errno.EACCES, "The process cannot access the file")
        return function(real(path), *rest, **named)
    return call

def listed(path):
    names = os_listdir(real(path))
    return [name.decode("utf-8") if isinstance(name, bytes) else name for name in names]

os_join, os_listdir = os.path.join, os.listdir
if isinstance(there, bytes):
    there = there.decode("utf-8")
for name in ("stat", "lstat", "open"):
    setattr(os, name, on_drive(getattr(os, name)))
os.listdir, os.getcwd = listed, lambda: here
if hasattr(os, "getcwdu"):
    os.getcwdu = lambda: here
os.name, os.sep, os.altsep, os.path = "nt", "\\\\", "/", ntpath
ntpath.realpath = ntpath.abspath = lambda path: ntpath.normpath(ntpath.join(here, path))

def shown(name):
    return name.decode("utf-8") if isinstance(name, bytes) else name

def up(local, remote, **named):
    got = cfg.uploadFiles(local, remote, **named)
    for part in got[2:]:
        for one in part:
            assert isinstance(one, str), repr(one)
    reasons = [shown(one.reason) for one in got[4]]
    return [got[0]] + [[shown(one) for one in part] for part in got[2:]] + [reasons]
"""


def digest(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


class Cases(Player):
    """For one interpreter, `self.python`."""

    def put(self, *parts, data=b"x"):
        path = os.path.join(self.folder, "drives", *parts)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as target:
            target.write(data)

    def upload(self, source):
        return self.play(source, prelude=_PRELUDE, DRIVES=os.path.join(self.folder, "drives"), PYTHONUTF8="1",
                         LC_ALL="C.UTF-8")

    def committed(self):
        return sorted(path for _, _, files in self.farm.commits for path in files)

    def test_the_example_of_the_document_from_a_drive(self):
        self.put("C", "samples", "test1", "script_one.py", data=b"print(1)\n")
        self.put("C", "samples", "test1", "image_one.bmp", data=b"BM")
        out = self.upload(u"""
out["got"] = up("C:\\\\samples", "samples", makePublic=True, includeSubDirs=True)
""")
        self.assertEqual(out["got"], [
            0, ["\\samples", "\\samples\\test1", "\\samples\\test1\\image_one.bmp",
                "\\samples\\test1\\script_one.py"],
            ["C:\\samples\\test1\\image_one.bmp", "C:\\samples\\test1\\script_one.py"], [], []])
        self.assertEqual(self.farm.commits, [("public", None, {
            "samples/test1/image_one.bmp": digest(b"BM"), "samples/test1/script_one.py": digest(b"print(1)\n")})])

    def test_all_spellings_of_a_folder_are_that_folder(self):
        self.put("C", "work", "samples", "a.py")
        for spelled in ("C:\\work\\samples", "C:\\work\\samples\\", "C:/work/samples", "C:/work\\samples//",
                        "c:\\work\\samples\\\\", "samples", ".\\samples", "..\\work\\samples", "\\work\\samples",
                        "C:samples", "\\\\?\\C:\\work\\samples"):
            self.farm.commits.clear()
            out = self.upload(u"out['got'] = up(%r, 'there')[:2]" % spelled)
            self.assertEqual(out["got"], [0, ["\\there", "\\there\\a.py"]], spelled)
            self.assertEqual(self.committed(), ["there/a.py"], spelled)

    def test_a_whole_drive_and_a_share(self):
        self.put("D", "a.py")
        self.put("SERVER_SHARE", "tests", "b.py")
        out = self.upload(u"""
out["drive"] = [up(spelled, "d")[:3] for spelled in ("D:\\\\", "D:/")]
out["share"] = [up(spelled, "s", includeSubDirs=True)[1] for spelled in
                ("\\\\\\\\server\\\\share\\\\tests", "//server/share/tests", "\\\\\\\\server\\\\share\\\\")]
""")
        names = [["\\d", "\\d\\a.py"]]
        self.assertEqual(out["drive"], [[0, names[0], ["D:\\a.py"]], [0, names[0], ["D:/a.py"]]])
        self.assertEqual(out["share"], [["\\s", "\\s\\b.py"]] * 2 + [["\\s", "\\s\\tests", "\\s\\tests\\b.py"]])

    def test_one_file_goes_under_its_name_or_into_a_folder(self):
        self.put("C", "work", "one.py")
        out = self.upload(u"""
for local in ("C:\\\\work\\\\one.py", "C:/work/one.py", "one.py", "C:one.py"):
    for remote in ("", "\\\\", "one.py", "a\\\\b", "a/b\\\\one.py"):
        out[local + " " + remote] = up(local, remote)[1][-1]
""")
        wanted = {"": "\\one.py", "\\": "\\one.py", "one.py": "\\one.py", "a\\b": "\\a\\b\\one.py",
                  "a/b\\one.py": "\\a\\b\\one.py"}
        self.assertEqual(len(out), 20)
        for case, name in out.items():
            self.assertEqual(name, wanted[case.split(" ")[1]], case)

    def test_names_beyond_ascii_and_what_cannot_be_read(self):
        self.put("C", "work", "t\u00e4glich", "\u0444\u0430\u0439\u043b.py")
        self.put("C", "work", "t\u00e4glich", "locked.py")
        out = self.upload(u"""
locked.add(u"t\u00e4glich\\\\locked.py")
out["got"] = up(u"t\u00e4glich", u"t\u00e4glich")
out["nothing"] = cfg.uploadFiles("C:\\\\no\\\\such", "x")[:2]
out["nul"] = cfg.uploadFiles("C:\\\\a\\0b", "x")[0]
""")
        self.assertEqual(out["got"], [-7, ["\\t\u00e4glich", "\\t\u00e4glich\\\u0444\u0430\u0439\u043b.py"],
                                      ["t\u00e4glich\\\u0444\u0430\u0439\u043b.py"], ["t\u00e4glich\\locked.py"],
                                      ["another program has locked it"]])
        self.assertEqual(self.committed(), ["t\u00e4glich/\u0444\u0430\u0439\u043b.py"])
        self.assertEqual((out["nothing"][0], out["nul"]), (5, 2))
        self.assertIn("C:\\no\\such", out["nothing"][1])

    def test_the_credentials_lie_below_appdata(self):
        folder = os.path.join(self.folder, "drives", "C", "Users", "bob")
        self.put("C", "Users", "bob", "headend", "credentials.toml", data=(
            'server = "http://%s"\ntoken = "t2"\n' % self.farm.address).encode("ascii"))
        os.chmod(os.path.join(folder, "headend", "credentials.toml"), 0o644)
        self.farm.token = "t2"
        out = self.upload(u"""
import io
os.environ.pop("HEADEND_TOKEN")
os.environ["APPDATA"] = "C:\\\\Users\\\\bob"
out["path"] = JobConfigurator._config_path()[0]
plain = io.open
io.open = lambda path, *rest, **named: plain(real(shown(path)) if path == out["path"] else path, *rest, **named)
out["code"] = cfg.showSchedules()[0]
""")
        self.assertEqual(out, {"path": "C:\\Users\\bob\\headend\\credentials.toml", "code": 0})


class Plain(Player):
    """What backslashes are elsewhere: letters of a name, which the server would take for the edge of a folder."""

    def test_a_file_with_a_backslash_in_its_name_is_refused(self):
        for name in ("a\\b.py", "good.py"):
            path = os.path.join(self.folder, "samples", name)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "wb") as target:
                target.write(b"x")
        out = self.play(u"""
got = cfg.uploadFiles("samples", "s")
out["got"] = [got[0], got[2], got[4], [one.reason for one in got[4]]]
alone = cfg.uploadFiles("samples/a\\\\b.py", "s")
out["alone"] = [alone[0] > 0, alone[2], alone[4]]
""")
        name = "samples/a\\b.py"
        self.assertEqual(out["got"][:3], [-7, ["\\s", "\\s\\good.py"], [name]])
        self.assertIn("backslash", out["got"][3][0])
        self.assertEqual(out["alone"], [True, [], [name]])
        self.assertEqual([sorted(files) for _, _, files in self.farm.commits], [["s/good.py"]])
