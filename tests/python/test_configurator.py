"""The job configurator: what its calls send, what they give back, and what they say when something is wrong."""

import json
import os
import re
import shutil
import socket
import subprocess
import xmlrpc.client

from config_server import ConfigServer, Problem
from support import DEADLINE_S, ROOT, SDK, WithFolder

_FILE = os.path.join(SDK, "stormtest", "JobConfigurator.py")
_PRELUDE = u"""# -*- coding: utf-8 -*-
from __future__ import print_function
import datetime, json, os, sys
from JobConfigurator import CJobConfigurator
cfg = CJobConfigurator(os.environ["ADDRESS"])
out = {}
"""
_EPILOGUE = u"""
print("OUT" + json.dumps(out, default=repr))
"""


class Player(WithFolder):
    """Scripts that have nothing but a copy of the one file, and a server for them."""

    def setUp(self):
        super().setUp()
        self.farm = ConfigServer()
        self.addCleanup(self.farm.close)
        self.alone = os.path.join(self.folder, "alone")
        os.mkdir(self.alone)
        shutil.copy(_FILE, self.alone)

    def play(self, source, prelude=_PRELUDE, address=None, stderr=subprocess.PIPE, **env):
        """Run a script; gives its `out`. The server must have liked all that it was sent."""
        path = self.write("script.py", prelude + source + _EPILOGUE)
        known = dict({"ADDRESS": address or self.farm.address, "HEADEND_TOKEN": "t1", "PYTHONPATH": self.alone}, **env)
        known = {key: value for key, value in known.items() if value is not None}
        done = subprocess.run([self.python, path], env=self.python_environment(**known), stdin=subprocess.DEVNULL,
                              cwd=self.folder, stdout=subprocess.PIPE, stderr=stderr, timeout=DEADLINE_S)
        self.stderr = (done.stderr or b"").decode("utf-8")
        self.assertEqual(done.returncode, 0, self.stderr)
        self.assertEqual(self.farm.faults, [])
        told = [line for line in done.stdout.decode("utf-8").splitlines() if line.startswith("OUT")]
        return json.loads(told[-1][3:])

    def sent(self):
        return [(method, args) for method, args, _ in self.farm.calls]


class Cases(Player):
    """For one interpreter, `self.python`."""

    def test_every_call_goes_out_by_its_name_and_order(self):
        self.farm.answers["killBatchJob"] = lambda job: [0, "OK", job]
        out = self.play(u"""
calls = [
    cfg.submitBatchJob("My 1st job", [("rack1", 4), ["rack1", "5"]], None, [("samples/a.py", True, 4, 1, "")]),
    cfg.submitBatchJob("dut", None, [11682, "3820"], [["a.py", False, "1", 0, "-s 'x'"]], failOnWarning=True),
    cfg.findStb(["Name==TP*", "Manufacturer==*"]), cfg.findStb('Name=="TP*'),
    cfg.killBatchJob("38407"), cfg.getBatchStatus(38407),
    cfg.convertFilesToPublic("/path/to/private/*.py", "/public/path/", includeSubDirs = True),
    cfg.createSchedule('schedule name', 'Daily', datetime.date(2013,9,17), None, datetime.time(10,0),
                       datetime.time(20,0), 100, 2),
    cfg.modifySchedule(1103713, 'Weekly', datetime.date(2013,9,17), datetime.date(2040,1,2), datetime.time(10,0,1),
                       endTime=datetime.time(20,0,0,250000), repeatDays=["Mon", "Fri"]),
    cfg.renameSchedule(1103713, 'new name'), cfg.deleteSchedule('1103713'),
    cfg.getScheduleIdFromName('a weekday schedule'), cfg.getScheduleIdFromName('x', userName="bob"),
    cfg.addSlotToSchedule(1103266, 'stormtest16', 3), cfg.removeSlotFromSchedule(1103266, 'stormtest16', 3),
    cfg.addStbToSchedule(1103266, 182), cfg.removeStbFromSchedule(1103266, 148),
    cfg.deletePublicFiles('a_dir\\\\a_test.py'), cfg.deletePrivateFiles(file='test3.py'),
    cfg.addTestToSchedule(1103266, 'pass1.py', publicJob=False, slotsNeeded=3, schedulingMode=1),
    cfg.updateJob(1103735, publicJob=False, slotsNeeded=4, priority=5, expectedDuration=0, schedulingMode=1,
                  overrideArgs='-s "an argument"'),
    cfg.deleteJob(1103735), cfg.showSchedules(), cfg.showSchedules(userName="bob"), cfg.showSlotsOnSchedule(1103742),
    cfg.showStbsOnSchedule(1103742), cfg.showJobsOnSchedule(1103742), cfg.listPublicFiles('\\\\tests'),
    cfg.listPrivateFiles('x', includeDirs=True, userName="bob"), cfg.deleteJob(1 << 40)]
out["wrong"] = [call for call in calls if call[:2] != [0, "OK"]]
out["kill"] = calls[4]
""")
        self.assertEqual(out, {"wrong": [], "kill": [0, "OK", 38407]})
        self.assertEqual(self.sent(), [
            ("submitBatchJob", ["My 1st job", [["rack1", 4], ["rack1", 5]], None, [["samples/a.py", True, 4, 1, ""]],
                                False]),
            ("submitBatchJob", ["dut", None, [11682, 3820], [["a.py", False, 1, 0, "-s 'x'"]], True]),
            ("findStb", [["Name==TP*", "Manufacturer==*"]]), ("findStb", [['Name=="TP*']]),
            ("killBatchJob", [38407]), ("getBatchStatus", [38407]),
            ("convertFilesToPublic", ["/path/to/private/*.py", "/public/path/", True]),
            ("createSchedule", ["schedule name", "Daily", "2013-09-17", None, "10:00:00", "20:00:00", 100, 2, None]),
            ("modifySchedule", [1103713, "Weekly", "2013-09-17", "2040-01-02", "10:00:01", "20:00:00.250000", 0, 1,
                                ["Mon", "Fri"]]),
            ("renameSchedule", [1103713, "new name"]), ("deleteSchedule", [1103713]),
            ("getScheduleIdFromName", ["a weekday schedule", ""]), ("getScheduleIdFromName", ["x", "bob"]),
            ("addSlotToSchedule", [1103266, "stormtest16", 3]), ("removeSlotFromSchedule", [1103266, "stormtest16", 3]),
            ("addStbToSchedule", [1103266, 182]), ("removeStbFromSchedule", [1103266, 148]),
            ("deletePublicFiles", ["a_dir\\a_test.py"]), ("deletePrivateFiles", ["test3.py"]),
            ("addTestToSchedule", [1103266, "pass1.py", False, 3, 1, 1, ""]),
            ("updateJob", [1103735, False, 4, 5, 0, 1, '-s "an argument"']),
            ("deleteJob", [1103735]), ("showSchedules", [""]), ("showSchedules", ["bob"]),
            ("showSlotsOnSchedule", [1103742]), ("showStbsOnSchedule", [1103742]), ("showJobsOnSchedule", [1103742]),
            ("listPublicFiles", ["\\tests", False]), ("listPrivateFiles", ["x", True, "bob"]),
            ("deleteJob", [1 << 40])])
        keyed = [headers.get("Idempotency-Key") for _, _, headers in self.farm.calls]
        self.assertTrue(keyed[0] and keyed[1] and keyed[0] != keyed[1] and not any(keyed[2:]))
        self.assertEqual(self.farm.connections, 1)

    def test_dates_come_back_as_objects(self):
        moment = xmlrpc.client.DateTime("20130917T12:10:19")
        self.farm.answers["showSchedules"] = [0, "OK", [
            [1103725, "t\u00e4glich", moment, "Daily", "2013-09-17", "2038-01-19", "10:00:00", "20:00:01", 100, "NULL",
             [], moment, "NULL"]]]
        self.farm.answers["showJobsOnSchedule"] = [0, "OK", [[1, 0, 2, moment, "2013-09-17", 2862]]]
        out = self.play(u"""
row = cfg.showSchedules()[2][0]
out["row"] = [repr(column) for column in row[2:]]
out["name"] = [type(row[1]) is str, row[1] == "t\u00e4glich", type(row[0]) is int]
out["job"] = [repr(column) for column in cfg.showJobsOnSchedule(1)[2][0]]
""")
        moment = "datetime.datetime(2013, 9, 17, 12, 10, 19)"
        self.assertEqual(out["row"], [moment, "'Daily'", "datetime.date(2013, 9, 17)", "datetime.date(2038, 1, 19)",
                                      "datetime.time(10, 0)", "datetime.time(20, 0, 1)", "100", "'NULL'", "[]", moment,
                                      "'NULL'"])
        self.assertEqual(out["name"], [True] * 3)
        self.assertEqual(out["job"], ["1", "0", "2", moment, "'2013-09-17'", "2862"])

    def test_zones_go_out_by_name_or_offset(self):
        self.play(u"""
class Fixed(datetime.tzinfo):
    def utcoffset(self, when): return datetime.timedelta(hours=-3, minutes=-30)
    def dst(self, when): return None
    def tzname(self, when): return "x"
class Named(datetime.tzinfo):
    key = "Europe/Berlin"
    def utcoffset(self, when): return None
class Silent(Named):
    key = None
when = datetime.date(2026, 1, 2)
def make(start, day=when):
    return cfg.createSchedule("n", "OneOff", day, day, start, start)
out["good"] = [make(datetime.time(10, 0, tzinfo=Fixed())), make(datetime.time(10, 0, tzinfo=Named())),
               make(datetime.datetime(2026, 1, 2, 3, 4), datetime.datetime(2026, 1, 2, 3, 4)), make("9:00", "1.2.2026")]
out["silent"] = make(datetime.time(10, 0, tzinfo=Silent()))
""")
        self.assertEqual([(args[2], args[4]) for _, args in self.sent()], [
            ("2026-01-02", "10:00:00-03:30"), ("2026-01-02", "10:00:00[Europe/Berlin]"), ("2026-01-02", "03:04:00"),
            ("1.2.2026", "9:00")])

    def test_wrong_arguments_are_named_and_nothing_is_sent(self):
        out = self.play(u"""
ok = [("a", True, 1, 1, "")]
day, hour = datetime.date(2026, 1, 2), datetime.time(1, 2)
calls = [
    ("name", cfg.submitBatchJob(5, [("r", 1)], None, ok)),
    ("slots", cfg.submitBatchJob("n", "rack1", None, ok)), ("slots[0]", cfg.submitBatchJob("n", ["rack1"], None, ok)),
    ("slots[0]: the slot", cfg.submitBatchJob("n", [("r", "one")], None, ok)),
    ("duts[1]", cfg.submitBatchJob("n", None, [1, 2.5], ok)), ("duts[0]", cfg.submitBatchJob("n", None, [True], ok)),
    ("tests", cfg.submitBatchJob("n", None, [1], None)), ("tests[0]", cfg.submitBatchJob("n", None, [1], ["a.py"])),
    ("tests[1]: public", cfg.submitBatchJob("n", None, [1], ok + [("a", "yes", 1, 1, "")])),
    ("failOnWarning", cfg.submitBatchJob("n", None, [1], ok, failOnWarning="x")),
    ("filters[1]", cfg.findStb(["Name==TP*", "Name"=="TP*"])), ("filters", cfg.findStb(None)),
    ("jobId", cfg.killBatchJob(None)), ("jobId", cfg.getBatchStatus("12a")), ("jobId", cfg.deleteJob(1 << 63)),
    ("scheduleId", cfg.deleteSchedule("")), ("scheduleId", cfg.renameSchedule([], "x")),
    ("startDate", cfg.createSchedule("n", "Loop", 5, None, hour, hour)),
    ("endTime", cfg.createSchedule("n", "Loop", day, None, hour, day)),
    ("repeatCount", cfg.createSchedule("n", "Loop", day, None, hour, hour, "x")),
    ("repeatDays", cfg.createSchedule("n", "Loop", day, None, hour, hour, repeatDays=5)),
    ("newName", cfg.renameSchedule(1, "a\\0b")), ("newName", cfg.renameSchedule(1, u"half \\ud83d")),
    ("newName", cfg.renameSchedule(1, b"\\xff")), ("userName", cfg.setUser("a\\r\\nX: y")),
    ("file", cfg.deletePublicFiles(None)), ("localPath", cfg.uploadFiles(5, "x")),
    ("remotePath", cfg.uploadFiles(".", None)), ("includeSubDirs", cfg.uploadFiles(".", "x", includeSubDirs="yes"))]
out["bad"] = [[name, answer] for name, answer in calls
              if answer[0] != 2 or not answer[1].startswith("A field is not valid: %s is " % name)
              and not answer[1].startswith("A field is not valid: %s has " % name)]
out["stray"] = calls[10][1][1]
""")
        self.assertEqual(out["bad"], [])
        self.assertIn('Write it as one text, "Name==TP*"', out["stray"])
        self.assertEqual(self.farm.requests, [])

    def test_text_of_every_kind_arrives(self):
        self.play(u"""
cfg.renameSchedule(1, u"gr\u00fc\u00df <&>\\r\\n\\t \\U0001f4fa")
cfg.renameSchedule(1, "gr\u00fc\u00df ]]>")
""")
        self.assertEqual([args[1] for _, args in self.sent()],
                         [u"gr\u00fc\u00df <&>\r\n\t \U0001f4fa", u"gr\u00fc\u00df ]]>"])

    def test_what_the_server_refuses_is_passed_on(self):
        self.farm.answers.update({
            "findStb": [2, 'A field is not valid: `Name=="TP*`: take the quote away'],
            "deleteJob": xmlrpc.client.Fault(1, "no such method"),
            "killBatchJob": Problem(403, "forbidden", "this is bob's"),
            "deleteSchedule": Problem(422, "new_code", "something new", number=77),
            "renameSchedule": Problem(503, "newer_code", "busy"),
            "getBatchStatus": [-3, "Another user has work on this slot", 5, []]})
        out = self.play(u"""
out["answers"] = [cfg.findStb(['Name=="TP*']), cfg.deleteJob(1), cfg.killBatchJob(1), cfg.deleteSchedule(1),
                  cfg.renameSchedule(1, "x"), cfg.getBatchStatus(1)]
""")
        self.assertEqual(out["answers"], [
            [2, 'A field is not valid: `Name=="TP*`: take the quote away'], [1, "no such method"],
            [4, "Not allowed for this token: this is bob's"], [77, "Title of new_code: something new"],
            [9, "Title of newer_code: busy"], [-3, "Another user has work on this slot", 5, []]])

    def test_faults_of_the_network_are_answers(self):
        with socket.socket() as closed:
            closed.bind(("127.0.0.1", 0))
            nobody = "127.0.0.1:%d" % closed.getsockname()[1]
            out = self.play(u"""
out["answers"] = [cfg.showSchedules(), cfg.submitBatchJob("n", None, [1], [("a", True, 1, 1, "")]),
                  cfg.uploadFiles("script.py", "x"), CJobConfigurator("no.such.host.invalid").deleteJob(5)]
out["none"] = [cfg.ServerVersion, cfg.ServerStartTime]
out["slow"] = CJobConfigurator("x" * 70 + ".invalid").deleteJob(5)[0]
""", address=nobody)
        gone = "The server cannot answer now: %s: nothing listens there" % nobody
        self.assertEqual(out["answers"][:3], [[9, gone], [9, gone], [9, gone, [], [], ["script.py"]]])
        self.assertEqual((out["answers"][3][0], out["slow"]), (9, 9))
        self.assertIn("no.such.host.invalid:8001", out["answers"][3][1])
        self.assertEqual(out["none"], ["Not Connected", "Not Connected"])

    def test_other_servers_are_told_from_a_configuration_server(self):
        for kind, body in (("text/html", b"<html>hello"), ("text/xml", b""), ("text/xml", b"\xff\x00"),
                           ("text/xml", b"<methodResponse><params><param><value>x</value></param></params>"
                                        b"</methodResponse>")):
            self.farm.raw = kind, body
            out = self.play(u"""out["answer"] = cfg.showSchedules(); out["version"] = cfg.ServerVersion""")
            self.assertEqual(out["answer"][0], 9, body)
            self.assertIn("is no configuration server", out["answer"][1])
            self.assertEqual(out["version"], "Not Connected")

    def test_lost_answers_are_asked_for_again_where_that_is_safe(self):
        self.farm.cut = ["showSchedules", "submitBatchJob", "createSchedule", "addTestToSchedule"]
        out = self.play(u"""
day, hour = datetime.date(2026, 1, 2), datetime.time(1, 2)
out["answers"] = [cfg.showSchedules(), cfg.submitBatchJob("n", None, [1], [("a", True, 1, 1, "")]),
                  cfg.createSchedule("n", "Loop", day, None, hour, hour), cfg.addTestToSchedule(1, "a", True, 1),
                  cfg.deleteJob(1)]
""")
        self.assertEqual([answer[0] for answer in out["answers"]], [0, 0, 9, 9, 0])
        self.assertEqual([method for method, _ in self.sent()],
                         ["showSchedules"] * 2 + ["submitBatchJob"] * 2 + ["createSchedule", "addTestToSchedule",
                                                                           "deleteJob"])
        keys = [headers["Idempotency-Key"] for method, _, headers in self.farm.calls if method == "submitBatchJob"]
        self.assertEqual(keys[0], keys[1])

    def test_half_an_answer_is_none(self):
        self.farm.halve = True
        out = self.play(u"""out["answer"] = cfg.showSchedules()""")
        self.assertEqual(out["answer"], [9, "The server cannot answer now: %s: the connection was cut in the middle of "
                                            "the answer" % self.farm.address])
        self.assertEqual(len(self.farm.calls), 2)

    def test_a_connection_that_the_server_ended_is_not_used(self):
        self.farm.hang_up = True
        out = self.play(u"""
import select
for _ in range(3):
    out["last"] = cfg.deleteJob(1)
    if cfg._link._plug: select.select([cfg._link._plug.sock], [], [], 60)
""")
        self.assertEqual((out["last"], len(self.farm.calls), self.farm.connections), ([0, "OK"], 3, 3))

    def test_a_forked_child_takes_its_own_connection(self):
        self.play(u"""
cfg.deleteJob(1)
child = os.fork()
if not child:
    cfg.deleteJob(2)
    os._exit(0)
os.waitpid(child, 0)
out["answer"] = cfg.deleteJob(3)
""")
        self.assertEqual((len(self.farm.calls), self.farm.connections), (3, 2))

    def test_properties_tell_the_server(self):
        out = self.play(u"""out["all"] = [cfg.ServerVersion, cfg.ServerStartTime, type(cfg.ServerVersion) is str]""")
        self.assertEqual(out["all"], ["1.2.3", "2026-11-22 20:38:46Z", True])

    def test_addresses_of_every_form(self):
        out = self.play(u"""
def read(text):
    try:
        a = CJobConfigurator(text)._link.address
        return [a.scheme, a.host, a.port, a.prefix, a.token]
    except ValueError as error:
        return "ValueError" if repr(text) in str(error) else str(error)
good = ["rack1", "rack1:8001", " rack1:9 ", "http://rack1", "https://rack1/lab/", "[::1]:7", "::1",
        "http://u:p%40@h:1/"]
out["good"] = [read(text) for text in good]
out["bad"] = [read(text) for text in ["", "rack1:x", "rack1:0", "rack1:70000", "ftp://x", "http://", "a b", None, 5]]
""")
        self.assertEqual(out["good"], [
            ["http", "rack1", 8001, "", None], ["http", "rack1", 8001, "", None], ["http", "rack1", 9, "", None],
            ["http", "rack1", 8001, "", None], ["https", "rack1", 443, "/lab", None], ["http", "::1", 7, "", None],
            ["http", "::1", 8001, "", None], ["http", "h", 1, "", "p@"]])
        self.assertEqual(out["bad"], ["ValueError"] * 9)

    def test_who_is_asking(self):
        self.farm.token = "t1"
        out = self.play(u"""
cfg.deleteJob(1)
out["set"] = cfg.setUser("somename"); cfg.deleteJob(2)
out["again"] = cfg.setUser(); cfg.deleteJob(3)
""")
        self.assertEqual((out["set"], out["again"]), ([0, "OK"], [0, "OK"]))
        self.assertEqual([headers["X-Headend-User"] for _, _, headers in self.farm.calls], [None, "somename", None])
        out = self.play(u"""out["answer"] = cfg.deleteJob(1)""", HEADEND_TOKEN=None, LOGNAME="carol")
        self.assertEqual(out["answer"], [3, "No valid token: no token was given"])
        # A server that asks for no token is told who is logged on here, as the document has it.
        self.farm.token = None
        self.play(u"""cfg.deleteJob(1)""", HEADEND_TOKEN=None, LOGNAME="carol")
        self.assertEqual(self.farm.calls[-1][2]["X-Headend-User"], "carol")
        self.assertNotIn("Authorization", self.farm.calls[-1][2])
        # Names that no server takes must not make everybody the same user.
        self.play(u"""cfg.deleteJob(1)""", HEADEND_TOKEN=None, LOGNAME=u".J\u00f6rg Smith")
        self.assertRegex(self.farm.calls[-1][2]["X-Headend-User"], r"\AJ__?rg_Smith\Z")

    def test_a_user_name_that_no_server_takes_is_refused_at_once(self):
        out = self.play(u"""
cfg.setUser("bob")
out["bad"] = [cfg.setUser(name) for name in ["john smith", "DOMAIN\\\\john", "a@b", "../x", "-a", "x" * 65, u"J\u00f6rg"]]
cfg.deleteJob(1)
""")
        for answer in out["bad"]:
            self.assertEqual(answer[0], 2)
            self.assertIn("userName is ", answer[1])
            self.assertIn("use 1 to 64 letters", answer[1])
        self.assertEqual(self.farm.calls[-1][2]["X-Headend-User"], "bob")

    def test_a_mode_may_be_true_or_false(self):
        self.play(u"""
cfg.submitBatchJob("n", None, [1], [("a", True, 1, True, ""), ("a", True, 1, False, ""), ("a", True, 1, "2", "")])
cfg.addTestToSchedule(1, "a", True, 1, schedulingMode=True)
""")
        calls = self.sent()
        self.assertEqual([repr(test[3]) for test in calls[0][1][3]], ["1", "0", "2"])
        self.assertEqual(repr(calls[1][1][5]), "1")

    def test_the_token_of_the_credentials_file(self):
        self.farm.token = "t2"
        path = self.write("home/headend/credentials.toml",
                          'server = "http://localhost:%d"\ntoken = "t2"\n' % self.farm.port)
        where = {"HEADEND_TOKEN": None, "XDG_CONFIG_HOME": self.folder + "/home"}
        ask = u"""out["answer"] = cfg.deleteJob(1)"""
        os.chmod(path, 0o640)
        self.assertIn("chmod 600", self.play(ask, **where)["answer"][1])
        os.chmod(path, 0o600)
        self.assertEqual(self.play(ask, **where)["answer"], [0, "OK"])
        named = {"HEADEND_TOKEN": None, "HEADEND_CONFIG": path}
        self.assertEqual(self.play(ask, **named)["answer"], [0, "OK"])
        self.assertIn("nowhere", self.play(ask, **dict(named, HEADEND_CONFIG="nowhere"))["answer"][1])
        self.assertEqual(self.play(ask, address="http://u:t2@" + self.farm.address, HEADEND_TOKEN=None)["answer"][0], 0)
        # What the script itself says comes before the environment.
        self.assertEqual(self.play(ask, address="http://u:t2@" + self.farm.address)["answer"][0], 0)
        # The token of one server is not shown to another.
        with open(path, "w") as target:
            target.write("server = 'http://127.0.0.1:1'\ntoken = 't2'\n")
        self.assertEqual(self.play(ask, **where)["answer"][0], 3)

    def test_the_client_api_gives_the_configurator(self):
        prelude = u"from __future__ import print_function\nimport json, os, sys\nout = {}\n"
        out = self.play(u"""
from stormtest.ClientAPI import *
from datetime import *
SetMasterConfigurationServer(os.environ["ADDRESS"])
cfg = GetJobConfigurator()
cfg.setUser("bob")
import stormtest.ClientAPI as StormTest
out["same"] = StormTest.GetJobConfigurator() is cfg
out["version"] = cfg.ServerVersion
out["answer"] = cfg.createSchedule("n", "Loop", date(2026, 1, 2), None, time(1, 2), time(3, 4))
from stormtest.JobConfigurator import CJobConfigurator
out["kind"] = type(cfg) is CJobConfigurator
""", prelude=prelude, PYTHONPATH=SDK)
        self.assertEqual(out, {"same": True, "version": "1.2.3", "answer": [0, "OK"], "kind": True})
        out = self.play(u"""
import stormtest.ClientAPI as StormTest
out["version"] = StormTest.GetJobConfigurator().ServerVersion
""", prelude=prelude, PYTHONPATH=SDK, HEADEND_SERVER="http://%s/" % self.farm.address)
        self.assertEqual(out, {"version": "1.2.3"})

    def test_codes_are_those_of_the_servers_table(self):
        with open(os.path.join(ROOT, "engine", "wire", "src", "codes.rs"), encoding="utf-8") as source:
            rows = re.findall(r'= (-?\d+), \d+, "(\w+)", "([^"]+)"', source.read())
        table = {name: [int(number), text] for number, name, text in rows}
        out = self.play(u"""
import JobConfigurator
out["codes"] = dict((name, list(row)) for name, row in JobConfigurator.CODES.items())
out["version"] = JobConfigurator.__version__
""")
        self.assertEqual(out["codes"], {name: table.get(name) for name in out["codes"]})
        with open(os.path.join(SDK, "stormtest", "__init__.py")) as source:
            self.assertIn('__version__ = "%s"' % out["version"], source.read())

    def test_unknown_calls_are_told_with_the_nearest(self):
        out = self.play(u"""
try:
    cfg.uploadFile("a", "b")
except AttributeError as error:
    out["text"] = str(error)
""")
        self.assertEqual(out["text"], "CJobConfigurator has no call 'uploadFile'; the nearest name is uploadFiles")
