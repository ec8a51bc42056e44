"""Uploads: what goes over the wire, what is skipped, what goes on after a cut, and what is said of files that fail."""

import hashlib
import os
import pty
import socket
import threading

from config_server import Problem
from support import DEADLINE_S
from test_configurator import Player

_MIB = 1 << 20


def digest(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


class Cases(Player):
    """For one interpreter, `self.python`."""

    def put(self, name, data=b"x"):
        path = os.path.join(self.folder, "samples", name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as target:
            target.write(data)
        return path

    def upload(self, **named):
        """One `uploadFiles` of `samples` with its folders, into the public area; `reasons` beside what it gives."""
        call = {"localPath": "samples", "remotePath": "samples", "makePublic": True, "includeSubDirs": True}
        call.update(named)
        out = self.play(u"""
def text(name):
    return name.decode("utf-8", "replace") if isinstance(name, bytes) else name
got = cfg.uploadFiles(**%r)
out["got"] = got[:2] + [[text(one) for one in part] for part in got[2:]]
out["reasons"] = [getattr(one, "reason", None) for one in got[4]]
out["types"] = sorted(set(type(one).__name__ for part in got[2:] for one in part))
# Not `ru_maxrss`, which a process has from the one that started it.
out["kib"] = [int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmHWM")][0]
""" % (call,))
        self.reasons, self.types, self.kib = out["reasons"], out["types"], out["kib"]
        return out["got"]

    def committed(self):
        return self.farm.commits[-1][2] if self.farm.commits else None

    def test_the_example_of_the_document(self):
        self.put("test1/script_one.py", b"print(1)\n")
        self.put("test1/image_one.bmp", b"BM")
        wanted = [0, "OK", ["\\samples", "\\samples\\test1", "\\samples\\test1\\image_one.bmp",
                            "\\samples\\test1\\script_one.py"],
                  ["samples/test1/image_one.bmp", "samples/test1/script_one.py"], []]
        self.assertEqual(self.upload(), wanted)
        self.assertEqual(self.types, ["str"])
        self.assertEqual(self.farm.commits, [("public", None, {
            "samples/test1/image_one.bmp": digest(b"BM"), "samples/test1/script_one.py": digest(b"print(1)\n")})])
        received = self.farm.received
        # What is there already is not sent again, wherever it goes.
        again = self.upload(localPath=self.folder + "/samples/", remotePath="\\other\\folder/", makePublic=False)
        self.assertEqual(again[2][:3], ["\\other", "\\other\\folder", "\\other\\folder\\test1"])
        self.assertEqual(again[3][0], self.folder + "/samples/test1/image_one.bmp")
        self.assertEqual((self.farm.received, self.farm.commits[-1][0]), (received, "private"))

    def test_without_sub_folders_and_to_the_root(self):
        self.put("a.py")
        self.put("test1/b.py")
        self.assertEqual(self.upload(includeSubDirs=False, remotePath="")[2], ["\\a.py"])
        self.assertEqual(self.committed(), {"a.py": digest(b"x")})

    def test_a_single_file_goes_into_the_folder_or_under_its_own_name(self):
        self.put("a.py")
        self.assertEqual(self.upload(localPath="samples/a.py", remotePath="lab")[2], ["\\lab", "\\lab\\a.py"])
        self.assertEqual(self.upload(localPath="samples/a.py", remotePath="lab/a.py")[2], ["\\lab", "\\lab\\a.py"])

    def test_nothing_to_upload(self):
        os.mkdir(os.path.join(self.folder, "samples"))
        self.assertEqual(self.upload(), [0, "OK", [], [], []])
        self.assertEqual(self.upload(localPath="nowhere"),
                         [5, "Not found: localPath nowhere: it is not there", [], [], ["nowhere"]])
        self.assertEqual(self.farm.requests, [])

    def test_what_is_no_plain_file_fails_by_itself(self):
        good = self.put("good.py")
        os.symlink(good, os.path.join(self.folder, "samples/link.py"))
        os.symlink(self.folder, os.path.join(self.folder, "samples/loop"))
        os.mkfifo(os.path.join(self.folder, "samples/pipe"))
        with open(os.path.join(self.folder, "samples").encode() + b"/\xff.py", "wb"):
            pass
        with socket.socket(socket.AF_UNIX) as plug:
            plug.bind(os.path.join(self.folder, "samples/plug"))
            got = self.upload()
        self.assertEqual(got[0], -7)
        self.assertIn("Some files were not uploaded: 5 of 6, first samples/link.py: it is a symbolic link", got[1])
        self.assertEqual(got[2:4], [["\\samples", "\\samples\\good.py"], ["samples/good.py"]])
        self.assertEqual(got[4][:4], ["samples/link.py", "samples/loop", "samples/pipe", "samples/plug"])
        self.assertEqual(self.reasons[2:], ["it is no plain file"] * 2 + ["its name is not UTF-8"])
        self.assertEqual(self.types, ["FailedFile", "str"])

    def test_what_may_not_be_read_fails_by_itself(self):
        self.put("good.py")
        os.chmod(self.put("secret.py"), 0)
        self.put("shut/in.py")
        shut = os.path.join(self.folder, "samples/shut")
        os.chmod(shut, 0)
        self.addCleanup(os.chmod, shut, 0o700)
        os.chmod(self.folder, 0o755)
        out = self.play(u"""
cfg.ServerVersion  # whatever Python loads only when it is needed must be loaded before the rights go
if os.getuid() == 0: os.setuid(65534)
out["got"] = cfg.uploadFiles("samples", "samples", includeSubDirs=True)
out["reasons"] = [one.reason for one in out["got"][4]]
""")
        self.assertEqual((out["got"][0], out["got"][3]), (-7, ["samples/good.py"]))
        self.assertEqual((out["got"][4], out["reasons"]), (["samples/shut", "samples/secret.py"],
                                                           ["permission denied"] * 2))

    def test_a_link_that_the_script_names_is_followed(self):
        self.put("a.py")
        os.symlink("samples", os.path.join(self.folder, "link"))
        os.symlink("samples/a.py", os.path.join(self.folder, "one.py"))
        self.assertEqual(self.upload(localPath="link")[3], ["link/a.py"])
        self.assertEqual(self.upload(localPath="one.py")[2:4], [["\\samples", "\\samples\\one.py"], ["one.py"]])

    def test_names_beyond_ascii(self):
        self.put(u"pr\u00fcf\u4e2d.py")
        got = self.upload()
        self.assertEqual(got[2], ["\\samples", u"\\samples\\pr\u00fcf\u4e2d.py"])
        # As this interpreter opens it, whatever its locale is.
        self.assertEqual(os.fsencode(got[3][0]), u"samples/pr\u00fcf\u4e2d.py".encode("utf-8"))
        self.assertEqual(self.committed(), {u"samples/pr\u00fcf\u4e2d.py": digest(b"x")})

    def test_refused_names_fail_by_themselves_and_before_they_are_sent(self):
        self.put("a.py", b"a")
        self.put("CON", b"device")
        self.put("Test.py", b"1")
        self.put("test.py", b"2")
        self.farm.refused["samples/CON"] = "bad_path", "path \"samples/CON\" is a device name"
        self.farm.refused_late["samples/test.py"] = "case_clash", "Test.py is there"
        got = self.upload()
        self.assertEqual((got[0], got[3], got[4]), (-7, ["samples/Test.py", "samples/a.py"],
                                                    ["samples/CON", "samples/test.py"]))
        self.assertEqual(self.reasons, ["path \"samples/CON\" is a device name", "Test.py is there"])
        self.assertNotIn(digest(b"device"), self.farm.blobs)
        self.farm.refused.update((name, ("bad_path", "no")) for name in ("samples/a.py", "samples/Test.py"))
        why = "samples/CON: The path is not allowed: path \"samples/CON\" is a device name"
        self.assertEqual(self.upload()[:2], [29, why])

    def test_what_the_server_refuses_fails_all(self):
        self.put("a.py")
        def full():
            raise Problem(507, "storage_full", "no space")
        self.farm.before["/blobs"] = full
        self.assertEqual(self.upload(), [8, "The server's disk is full: no space", [], [], ["samples/a.py"]])
        self.assertEqual(self.reasons, ["no space"])
        self.farm.token = "another"
        self.assertEqual(self.upload()[0], 3)

    def test_a_file_that_is_too_large_fails_by_itself(self):
        data = b"l" * _MIB
        self.put("large", data)
        self.put("small")
        def refuse():
            raise Problem(413, "too_large", "at most 5 bytes")
        self.farm.before["/uploads/" + digest(data).replace(":", "%3A")] = refuse
        got = self.upload()
        self.assertEqual((got[0], got[3], got[4], self.reasons), (-7, ["samples/small"], ["samples/large"],
                                                                  ["at most 5 bytes"]))

    def test_files_that_change_vanish_or_close_meanwhile(self):
        small, large, gone = self.put("small"), self.put("large", b"l" * _MIB), self.put("gone", b"g")
        self.put("stays", b"s")
        self.put("twin", b"s")
        def meddle():
            self.put("small", b"y")
            self.put("large", b"m" * _MIB + b"!")
            os.remove(gone)
            os.remove(os.path.join(self.folder, "samples/stays"))
        self.farm.before["/files/public/missing"] = meddle
        got = self.upload()
        self.assertEqual((got[0], got[3]), (-7, ["samples/twin"]))
        self.assertEqual(dict(zip(got[4], self.reasons)), {
            "samples/small": "it changed while it was read; upload it again",
            "samples/large": "it changed while it was read; upload it again",
            "samples/gone": "it is not there", "samples/stays": "it is not there"})
        self.assertTrue(small and large)

    def test_bytes_that_change_under_the_same_stamp_are_noticed_by_the_server(self):
        path = self.put("large", b"l" * _MIB)
        before = os.stat(path)
        def meddle():
            with open(path, "r+b") as target:
                target.write(b"other")
            os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
        self.farm.before["/files/public/missing"] = meddle
        self.assertEqual(self.upload()[4], ["samples/large"])
        self.assertEqual(self.reasons, ["it changed while it was read; upload it again"])

    def test_a_cut_upload_goes_on_where_it_stopped(self):
        data = os.urandom(_MIB) * 40
        self.put("large", data)
        self.farm.cut_after = [5 * _MIB, 20 * _MIB]
        self.assertEqual(self.upload()[0], 0)
        self.assertEqual(self.committed(), {"samples/large": digest(data)})
        # Whatever had arrived was not sent again.
        self.assertEqual(self.farm.received, len(data))

    def test_a_later_call_goes_on_where_a_former_one_gave_up(self):
        data = os.urandom(_MIB) * 20
        self.put("large", data)
        def down():
            if self.farm.received:
                raise Problem(507, "storage_full", "no space")
        self.farm.cut_after = [3 * _MIB]
        self.farm.before["/uploads/" + digest(data).replace(":", "%3A")] = down
        self.assertEqual(self.upload()[0], 8)
        arrived, self.farm.before = self.farm.received, {}
        self.assertGreaterEqual(arrived, 3 * _MIB)
        self.assertEqual(self.upload()[0], 0)
        self.assertEqual(self.farm.received, len(data))

    def test_blobs_that_the_server_loses_are_sent_again(self):
        self.put("a.py")
        self.farm.lose = 1
        self.assertEqual(self.upload()[0], 0)
        self.farm.lose = 5
        self.assertEqual(self.upload()[0], 37)

    def test_many_small_files_take_few_requests(self):
        for number in range(2500):
            self.put("d%d/f%d" % (number % 7, number), b"%d" % number)
        got = self.upload()
        self.assertEqual((got[0], len(got[3])), (0, 2500))
        self.assertEqual(self.committed(), {"samples/d%d/f%d" % (number % 7, number): digest(b"%d" % number)
                                            for number in range(2500)})
        self.assertLessEqual(len(self.farm.requests), 6)
        self.assertEqual(self.farm.connections, 1)

    def test_a_large_file_is_never_in_memory(self):
        self.farm.keep = False
        with open(self.put("large"), "r+b") as target:
            target.truncate(96 * _MIB)
        self.assertEqual(self.upload()[0], 0)
        self.assertLess(self.kib, 64 << 10)

    def test_progress_is_shown_on_a_terminal_alone(self):
        self.put("large", os.urandom(_MIB) * 3)
        self.upload()
        self.assertEqual(self.stderr, "")
        self.farm.blobs.clear()
        master, slave = pty.openpty()
        shown = []
        def listen():
            while True:
                try:
                    data = os.read(master, 4096)
                except OSError:
                    return
                shown.append(data)
        reader = threading.Thread(target=listen)
        reader.start()
        try:
            self.play(u"""out["got"] = cfg.uploadFiles("samples", "x", includeSubDirs=True)""", stderr=slave)
        finally:
            os.close(slave)
            reader.join(DEADLINE_S)
            os.close(master)
        text = b"".join(shown).decode("ascii")
        self.assertIn("uploading ", text)
        self.assertIn(" of 3.0 MiB, ", text)
        self.assertNotIn("\n", text)
