"""The Client API: what goes over the wire, and what a script gets back."""

import json
import os

from support import Host, WithScripts


class Cases(WithScripts):
    """For one interpreter, `self.python`."""

    def test_a_whole_run_as_scripts_write_it(self):
        host = self.host_with()
        out = self.play(u"""
out["public"] = S.STORMTEST_PUBLIC
out["daemon"] = S.IsUnderDaemon()
out["alloc"] = S.GetPhysicalAllocations()
out["dir"] = S.GetLogFileDirectory()
out["connect"] = S.ConnectToServer("ignored", "a test")
out["reserve"] = S.ReserveSlot(1, "default", [115200, 8, "none", 1, "none", "T"], videoFlag=True)
out["press"] = S.PressButton("Menu")
out["digits"] = [S.PressDigits(25), S.PressDigits("07", slotNo=1)]
out["power"] = [S.PowerOffSTB(2), S.PowerOnSTB()]
S.WaitSec(1.5)
S.BeginLogRegion("zap"); S.EndLogRegion("zap", style=S.LogRegionStyle.Pass, comment="fine")
out["steps"] = [S.BeginTestStep("one"), S.EndTestStep("one", S.TM.PASS, None)]
out["line"] = S.WriteDebugLine("hello", level=S.DebugLevel.WARNING)
S.CommentToLog("a comment")
out["video"] = [S.ShowVideo(1), S.CloseVideo()]
out["free"] = [S.FreeSlot(1), S.FreeSlot(1)]
out["release"] = S.ReleaseServerConnection()
out["result"] = [S.ReturnTestResult(S.TM.PASS, False), S.ReturnTestResult(S.TM.FAIL)]
""")
        self.assertEqual(out, {
            "public": "/area/public", "daemon": True, "alloc": ["rack1:8001", [7, 9]], "dir": host.out, "connect": 1,
            "reserve": 1, "press": 1, "digits": [1, 1], "power": [1, 1], "steps": [1, 1], "line": 1, "video": [1, 1],
            "free": [1, 0], "release": 1, "result": [1, 0]})
        calls = [call for call in host.calls if call[0] not in ("allocations", "log")]
        self.assertEqual(calls[:4], [
            ("connect", {"server": "ignored", "description": "a test"}),
            ("reserve_slot", {"slot": 1, "params": {"signalDb": "default", "videoFlag": True,
                                                    "serialParams": [115200, 8, "none", 1, "none", "T"]}}),
            ("press", {"key": "Menu", "slot": None}), ("press", {"key": "2", "slot": None})])
        self.assertIn(("press", {"key": "0", "slot": 1}), calls)
        self.assertIn(("wait", {"ms": 1500}), calls)
        self.assertIn(("end_region", {"name": "zap", "style": "pass", "comment": "fine"}), calls)
        self.assertIn(("end_step", {"name": "one", "result": 111, "comment": None}), calls)
        self.assertIn(("result", {"code": 111, "comment": None}), calls)

    def test_calls_tell_where_they_stand(self):
        host = self.host_with(script=os.path.join(self.folder, "script.py"))
        self.write("helpers/__init__.py", u"")
        self.write("helpers/keys.py", u"""
            import stormtest.ClientAPI as S
            def ok():
                S.PressButton("Ok")
        """)
        self.play(u"""
from helpers.keys import ok
S.ConnectToServer("x", ""); S.ReserveSlot(1)
ok()
S.PressDigits(7)
exec(compile("S.WaitSec(1)", "/elsewhere/made.py", "exec"))
""")
        first = self.PRELUDE.count("\n") + 1
        pressed = [places for name, places in host.sources if name == "press"]
        self.assertEqual(pressed, [["helpers/keys.py:4", "script.py:%d" % (first + 3)], ["script.py:%d" % (first + 4)]])
        self.assertIn(("wait", ["script.py:%d" % (first + 5)]), host.sources)

    def test_flags_are_the_very_ints_one_and_zero(self):
        self.host_with()
        out = self.play(u"""
S.ConnectToServer("x", "")
values = [S.ReserveSlot(1), S.ReserveSlot(1), S.PressButton("Ok"), S.PressButton("Ok", 5), S.ReturnTestResult(5)]
out["types"] = [type(value) is int for value in values]
out["values"] = values
""")
        self.assertEqual(out, {"types": [True] * 5, "values": [1, 0, 1, 0, 0]})
        self.assertIn("Slot 1 is unavailable", self.host.logs())

    def test_without_a_slot_nothing_raises(self):
        self.host_with()
        out = self.play(u"""
out["early"] = S.ReserveSlot(1)
S.ConnectToServer("x", "")
out["press"] = S.PressButton("Menu")
out["power"] = S.PowerOnSTB(1)
out["capture"] = [S.CaptureImageEx(None, "a"), S.CaptureImageEx(None, "a", slotNo=2)]
out["odd"] = [S.PressButton("Ok", "one"), S.PressButton(None), S.PressDigits(""), S.ReserveSlot(0)]
out["odd_rect"] = S.CaptureImageEx((1, 2), "a", slotNo=1)
""")
        self.assertEqual(out, {"early": 0, "press": 0, "power": 0, "capture": [[], [2, False, None, None]],
                               "odd": [0, 0, 0, 0], "odd_rect": [1, False, None, None]})
        self.assertTrue(any(line.startswith("Failure in PressButton(Menu)") for line in self.host.logs()))

    def test_one_dead_slot_makes_a_press_fail(self):
        self.host_with().dead_keys.add("Vol+")
        out = self.play(u"""
S.ConnectToServer("x", ""); S.ReserveSlot(3); S.ReserveSlot(4)
out["press"] = S.PressButton("Vol+")
""")
        self.assertEqual(out["press"], 0)
        self.assertTrue(any("[3, 4]" in line for line in self.host.logs()))

    def test_captures_are_rows_that_can_be_written_to(self):
        host = self.host_with()
        out = self.play(u"""
S.ConnectToServer("x", ""); S.ReserveSlot(1); S.ReserveSlot(2)
rows = S.CaptureImageEx([1, 2, 30, 40], "C:\\\\shots\\\\a_%d")
rows[0][3] = rows[0][3] + ""
out["rows"] = [[row[0], row[1], isinstance(row[2], S.Imaging.StormTestImageObject), row[3]] for row in rows]
row = S.CaptureImageEx(None, None, slotNo=True)
out["flat"] = [row[0], row[1], os.path.isfile(row[2].GetLastSavedName()), row[3]]
out["plain"] = S.CaptureImageEx(None, "b.png", slotNo=2, returnImage=False)
image = S.Imaging.ImageFromFile(rows[0][3])
out["saved"] = [image.Save("kept/copy"), image.GetLastSavedName(), image.Close()]
out["gone"] = raised(lambda: S.Imaging.ImageFromFile("nowhere.png"))[0] in ("IOError", "OSError")
""")
        name = host.calls[[one[0] for one in host.calls].index("capture")][1]["name"]
        self.assertRegex(name, r"^a_\d{4}-\d\d-\d\d\.jpg$")
        self.assertEqual(out["rows"], [[1, True, True, "%s/1-%s" % (host.out, name)],
                                       [2, True, True, "%s/2-%s" % (host.out, name)]])
        self.assertEqual(out["flat"], [1, True, True, None])
        self.assertEqual(out["plain"], [2, True, None, host.out + "/2-b.png"])
        self.assertEqual(out["saved"], [1, host.out + "/kept/copy.jpg", 1])
        self.assertTrue(out["gone"] and os.path.isfile(host.out + "/kept/copy.jpg"))

    def test_a_second_connect_is_an_error_line(self):
        self.host_with()
        out = self.play(u'out["ret"] = [S.ConnectToServer("a", ""), S.ConnectToServer("b", "")]')
        self.assertEqual(out["ret"], [1, 0])
        self.assertEqual(self.host.logs(), ["ConnectToServer(b) failed because this test has already been connected to a"])

    def test_a_failed_connect_is_a_system_exit(self):
        self.host_with().refuse["connect"] = ("device", "the rack is draining; try later")
        out = self.play(u'out["exit"] = raised(lambda: S.ConnectToServer("r", ""))')
        self.assertEqual(out["exit"], ["SystemExit", "ConnectToServer(r) failed: the rack is draining; try later"])

    def test_other_refusals_are_raised_and_the_session_goes_on(self):
        self.host_with().refuse["press"] = ("limit", "too many calls")
        out = self.play(u"""
S.ConnectToServer("x", ""); S.ReserveSlot(1)
out["raised"] = raised(lambda: S.PressButton("Ok"))
out["next"] = S.PowerOnSTB()
""")
        self.assertEqual(out, {"raised": ["CallRefused", "too many calls"], "next": 1})

    def test_import_star_hides_nothing(self):
        self.host_with()
        out = self.play(u"""
from stormtest.ClientAPI import *
out["before"] = STORMTEST_PUBLIC
STORMTEST_PUBLIC = "mine"
out["after"] = [STORMTEST_PUBLIC, S.STORMTEST_PUBLIC]
out["names"] = [callable(PressButton), TM.PASS, Imaging is S.Imaging, stormtest_client.NamedRegion.__name__]
from stormtest.ClientAPI import PressButton as again
import stormtest.ClientAPI
import stormtest.WarningCenter as WarningCenter
out["same"] = again is stormtest.ClientAPI.PressButton
out["centre"] = [WarningCenter.GetTestRun(), WarningCenter.SendEvent(name="n", value=1)]
""")
        self.assertEqual(out, {"before": "/area/public", "after": ["mine", "/area/public"], "same": True,
                               "names": [True, 111, True, "NamedRegion"], "centre": [None, 1]})

    def test_unknown_names_are_told_with_the_nearest(self):
        out = self.play(u"""
out["call"] = raised(lambda: S.PresButton("Ok"))
out["has"] = [hasattr(S, name) for name in ("GetMacroblockCount", "WaitImageMatch")]
out["cfg"] = raised(lambda: S.GetJobConfigurator().submitBatchJobs())
""")
        self.assertEqual(out["call"], ["AttributeError", "stormtest.ClientAPI has no call or name 'PresButton'; "
                                                         "the nearest name is PressButton"])
        self.assertEqual(out["has"], [False, True])
        self.assertEqual(out["cfg"][0], "AttributeError")
        self.assertIn("the nearest name is submitBatchJob", out["cfg"][1])

    def test_text_of_any_kind_arrives(self):
        host = self.host_with(rack=u"r\u00e4ck", public=u"/\u00e4rea/public")
        out = self.play(u"""
S.WriteDebugLine(u"gr\u00fc\u00df \\U0001f4fa"); S.WriteDebugLine("gr\u00fc\u00df"); S.WriteDebugLine(b"\\xff\\xc3\\xbc")
S.WriteDebugLine(u"half \\ud83d pair"); S.WriteDebugLine(12); S.BeginLogRegion(u"\u20ac" * 20000)
S.WriteDebugLine(u"\\U0001f4fa" * 200000)
out["native"] = type(S.STORMTEST_PUBLIC) is str
out["public"] = S.STORMTEST_PUBLIC
""")
        self.assertEqual(host.logs()[0], u"gr\u00fc\u00df \U0001f4fa")
        self.assertEqual(host.logs()[1], u"gr\u00fc\u00df")
        self.assertEqual(host.logs()[3:5], [u"half \ufffd pair", "12"])
        self.assertEqual("".join(host.logs()[5:]), u"\U0001f4fa" * 200000)
        self.assertTrue(host.calls[5][1]["name"].endswith("... (cut)"))
        self.assertEqual(out, {"native": True, "public": u"/\u00e4rea/public"})

    def test_answers_up_to_the_limit_are_read(self):
        host = self.host_with(slots=[1])
        host.leased[:] = list(range(60000, 60000 + 130000))
        out = self.play(u'out["count"] = len(S.GetPhysicalAllocations()[1])')
        self.assertEqual(out["count"], 130000)

    def test_a_rack_that_goes_away_is_told_once_and_for_all(self):
        self.host_with().hang_up_on = "wait"
        out = self.play(u"""
S.ConnectToServer("x", "")
out["first"] = raised(lambda: S.WaitSec(1))
out["later"] = raised(lambda: S.PressButton("Ok"))
out["release"] = S.ReleaseServerConnection()
out["kind"] = issubclass(__import__("stormtest.errors").errors.SessionLost, RuntimeError)
""")
        self.assertEqual(out["first"][0], "SessionLost")
        self.assertIn("is gone: it closed the session", out["first"][1])
        self.assertEqual(out["later"], out["first"])
        self.assertEqual((out["release"], out["kind"]), (0, True))

    def test_nonsense_from_the_rack_ends_the_session(self):
        self.host_with().garbage_on = "allocations"
        out = self.play(u'out["raised"] = raised(S.GetPhysicalAllocations)')
        self.assertEqual(out["raised"][0], "SessionLost")

    def test_a_rack_that_is_not_there_fails_the_import(self):
        self.play(u"", code=1, HEADEND_SESSION=self.folder + "/nobody")
        self.assertIn("nobody is gone: connecting failed", self.stderr)

    def test_a_forked_child_may_not_use_the_session(self):
        host = self.host_with()
        out = self.play(u"""
end, mine = os.pipe()
if os.fork() == 0:
    os.write(mine, raised(lambda: S.PressButton("Ok"))[0].encode("ascii"))
    os._exit(0)
os.wait()
out["child"] = os.read(end, 100).decode("ascii")
out["parent"] = S.ConnectToServer("x", "")
""")
        self.assertEqual(out, {"child": "WrongProcess", "parent": 1})
        self.assertEqual(host.names(), ["connect"])

    def test_threads_share_the_session(self):
        host = self.host_with()
        out = self.play(u"""
import threading
S.ConnectToServer("x", ""); S.ReserveSlot(1)
answers = []
def work(number):
    for turn in range(50):
        answers.append((S.PressButton("k%d" % number), S.GetPhysicalAllocations()[1]) == (1, [7, 9]))
threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
out["right"] = answers.count(True)
""")
        self.assertEqual(out["right"], 400)
        self.assertEqual(host.names().count("press"), 400)

    def test_a_signal_handler_may_raise_or_call_in_the_middle(self):
        host = self.host_with()
        out = self.play(u"""
import signal
class Stop(Exception): pass
heard, wrong = [], []
def handler(number, frame):
    heard.append(1)
    if len(heard) % 2:
        raise Stop()
    S.CommentToLog("from the handler")
signal.signal(signal.SIGALRM, handler)
S.ConnectToServer("x", "alarm %d" % os.getpid()); S.ReserveSlot(1)
for turn in range(20):
    try:
        S.WaitSec(1)
        while len(heard) <= turn:
            pass
    except Stop:
        pass
    if S.GetPhysicalAllocations() != ["rack1:8001", [7, 9]] or S.PressButton("Ok") != 1:
        wrong.append(turn)
out["wrong"] = wrong
out["heard"] = len(heard)
""")
        self.assertEqual(out, {"wrong": [], "heard": 20})
        self.assertEqual(host.logs(), ["from the handler"] * 10)

    def test_at_a_prompt_nothing_is_needed_before_the_connect(self):
        out = self.play(u"""
out["public"] = S.STORMTEST_PUBLIC
out["daemon"] = S.IsUnderDaemon()
out["alloc"] = S.GetPhysicalAllocations()
out["exit"] = raised(lambda: S.ConnectToServer("rack", ""))
out["release"] = S.ReleaseServerConnection()
out["result"] = S.ReturnTestResult(S.TM.FAIL)
S.SetMasterConfigurationServer("127.0.0.1:1")
out["version"] = S.GetJobConfigurator().ServerVersion
S.SetProjectDir("project")
S.SetDirectories(logDir="logs")
out["dir"] = S.GetLogFileDirectory()
""", PATH="/usr/bin:/bin")
        self.assertEqual((out["public"], out["daemon"], out["alloc"]), (None, False, ["", []]))
        self.assertEqual(out["exit"][0], "SystemExit")
        self.assertIn("headend run", out["exit"][1])
        self.assertEqual((out["release"], out["result"], out["version"]), (1, 1, "Not Connected"))
        self.assertTrue(out["dir"].startswith(self.folder + "/project/logs/script_") and os.path.isdir(out["dir"]))
        self.assertIn("RESULT 100 FAIL", self.stderr)

    def local_rack(self, text):
        path = self.write("headend", "#!/bin/sh\n" + text)
        os.chmod(path, 0o755)
        return path

    def test_a_connect_at_a_prompt_starts_a_local_rack(self):
        host = Host(self.folder, under_daemon=False, public=None)
        self.addCleanup(host.close)
        greeting = json.dumps({"socket": host.path, "token": "token-of-the-run"})
        program = self.local_rack(
            "echo \"$@\" > asked\necho '%s'\ncat > /dev/null\necho stopped >> asked\n" % greeting)
        out = self.play(u"""
out["connect"] = S.ConnectToServer("any", "")
out["reserve"] = S.ReserveSlot(1)
out["daemon"] = S.IsUnderDaemon()
""", HEADEND_PROGRAM=program)
        self.assertEqual(out, {"connect": 1, "reserve": 1, "daemon": False})
        with open(os.path.join(self.folder, "asked")) as asked:
            self.assertRegex(asked.read(), r"^session --local --out \S+/log/script_\S+\nstopped\n$")
        self.assertEqual((host.scripts, host.faults), ([os.path.join(self.folder, "script.py")], []))

    def test_a_reserved_slot_is_driven_instead_of_a_virtual_box(self):
        host = Host(self.folder, under_daemon=False, public=None)
        self.addCleanup(host.close)
        greeting = json.dumps({"socket": host.path, "token": "token-of-the-run"})
        program = self.local_rack("echo \"$@\" > asked\necho '%s'\ncat > /dev/null\n" % greeting)
        out = self.play(u'out["connect"] = S.ConnectToServer("lab:8001", "")',
                        HEADEND_PROGRAM=program, HEADEND_SLOT="rack1/4")
        self.assertEqual(out, {"connect": 1})
        with open(os.path.join(self.folder, "asked")) as asked:
            self.assertRegex(asked.read(), r"^session --slot rack1/4 --out \S+/log/script_\S+\n$")

    def on_a_reserved_slot(self, server, refuses="nowhere", **environment):
        """What `headend session` was asked with when the script names this server, and what the run's log then says."""
        host = Host(self.folder, under_daemon=False, public=None)
        self.addCleanup(host.close)
        greeting = json.dumps({"socket": host.path, "token": "token-of-the-run"})
        program = self.local_rack("echo \"$HEADEND_SERVER $HEADEND_TOKEN\" >> asked\n"
                                  "case \"$HEADEND_SERVER\" in *%s*) exit 4;; esac\n"
                                  "echo '%s'\ncat > /dev/null\n" % (refuses, greeting))
        credentials = self.write("credentials.toml", 'server = "http://usual:8001"\ntoken = "t-usual"\n')
        os.chmod(credentials, 0o600)
        settings = dict({"HEADEND_CONFIG": credentials, "HEADEND_SERVER": "", "HEADEND_TOKEN": ""}, **environment)
        out = self.play(u'out["connect"] = S.ConnectToServer("%s", "")' % server,
                        HEADEND_PROGRAM=program, HEADEND_SLOT="rack1/4", **settings)
        self.assertEqual(out, {"connect": 1})
        with open(os.path.join(self.folder, "asked")) as asked:
            return asked.read().splitlines(), host

    def test_a_name_with_a_token_chooses_the_server_of_a_reserved_slot(self):
        asked, host = self.on_a_reserved_slot("http://anna:s3cret@lab:8001")
        self.assertEqual((asked, host.logs()), (["http://lab:8001 s3cret"], []))
        self.assertEqual(host.calls[0][1]["server"], "http://lab:8001")

    def test_a_token_that_is_for_no_other_server_is_for_the_named_one(self):
        asked, _ = self.on_a_reserved_slot("lab:8001", HEADEND_TOKEN="t-1", HEADEND_CONFIG="", XDG_CONFIG_HOME=self.folder)
        self.assertEqual(asked, ["http://lab:8001 t-1"])

    def test_a_bare_name_is_not_shown_a_token_of_nobody(self):
        asked, host = self.on_a_reserved_slot("lab", HEADEND_TOKEN="t-1", HEADEND_CONFIG="", XDG_CONFIG_HOME=self.folder)
        self.assertEqual(asked, [" t-1"])
        self.assertEqual(host.logs(), ["ConnectToServer(lab): there is no token that is meant for it; "
                                       "the session is on rack1/4 of 127.0.0.1:8001"])

    def test_a_name_that_cannot_be_had_is_told_with_the_server_that_is(self):
        told = "the session is on rack1/4 of http://usual:8001"
        asked, host = self.on_a_reserved_slot("old-lab")
        self.assertEqual((asked, host.logs()), ([" "], ["ConnectToServer(old-lab): there is no token that is meant for it; " + told]))
        self.assertIn("WARNING ConnectToServer(old-lab)", self.stderr)

    def test_a_named_server_without_a_session_leads_to_the_usual_one(self):
        asked, host = self.on_a_reserved_slot("http://anna:s3cret@old-lab:8001", refuses="old-lab")
        self.assertEqual(asked, ["http://old-lab:8001 s3cret", " "])
        self.assertEqual(host.logs(), ["ConnectToServer(http://old-lab:8001): it gives no session; "
                                       "the session is on rack1/4 of http://usual:8001"])

    def test_the_environment_goes_before_the_name(self):
        asked, host = self.on_a_reserved_slot("lab:8001", HEADEND_SERVER="http://mine:8001", HEADEND_TOKEN="t-2")
        self.assertEqual(asked, ["http://mine:8001 t-2"])
        self.assertEqual(host.logs(), ["ConnectToServer(lab:8001): HEADEND_SERVER goes before it; "
                                       "the session is on rack1/4 of http://mine:8001"])

    def test_names_of_the_rack_and_of_the_usual_server_need_no_word(self):
        for name in ("rack1", "RACK1:8001", "usual", "http://usual:8001/", ""):
            asked, host = self.on_a_reserved_slot(name)
            self.assertEqual((asked[-1], host.logs()), (" ", []), name)
            host.close()
            os.remove(host.path)

    def test_slots_of_a_rack_file_are_driven_on_this_machine(self):
        host = Host(self.folder, under_daemon=False, public=None)
        self.addCleanup(host.close)
        greeting = json.dumps({"socket": host.path, "token": "token-of-the-run"})
        program = self.local_rack("echo \"$@\" > asked\necho '%s'\ncat > /dev/null\n" % greeting)
        out = self.play(u'out["connect"] = S.ConnectToServer("lab:8001", "")',
                        HEADEND_PROGRAM=program, HEADEND_RACK_FILE="rack.toml", HEADEND_SLOT="2, 4")
        self.assertEqual((out, host.logs()), ({"connect": 1}, []))
        with open(os.path.join(self.folder, "asked")) as asked:
            self.assertRegex(asked.read(), r"^session --file rack.toml --slot 2 --slot 4 --out \S+/log/script_\S+\n$")

    def test_a_program_without_sessions_is_told_apart(self):
        program = self.local_rack("echo unknown command >&2; exit 2\n")
        out = self.play(u'out["exit"] = raised(lambda: S.ConnectToServer("any", ""))', HEADEND_PROGRAM=program)
        self.assertEqual(out["exit"][0], "SystemExit")
        self.assertIn("headend run", out["exit"][1])
