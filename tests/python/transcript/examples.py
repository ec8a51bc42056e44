# -*- coding: utf-8 -*-
"""The examples of the document's chapters 4, 5 and 7, in its order, as data. Python 2.7 and 3.

The server that this runs against has the racks `rack1` (slots 1 to 8) and `stormtest16` (slots 1 to 4), a DUT in each
slot, at least one of them named `TP...`, and nothing else to do. Steps without a chapter set the stage for the next.
"""

import datetime
import os

from shapes import (DATE, ID_TEXT, INT, MOMENT, NOT_AN_ERROR, POSITIVE, SOME_TEXT, STAMP, STAMP_OR_0, STARTED, TEXT,
                    TIME, URL, VERSION, WARNING, Begins, Either, Has, Keep, Kept, Rows, ending, saying)

OK = [0, "OK"]

SCRIPT = """\
from stormtest.ClientAPI import *
ConnectToServer("ignored", "a test of the transcript")
reserved = ReserveSlot(1)
ReleaseServerConnection()
ReturnTestResult(TM.PASS if reserved else TM.FAIL)
"""
# Document 4.9: a private script that uses a public file.
PRIVATE_SCRIPT = """\
import os
from stormtest.ClientAPI import *
image = os.path.join(STORMTEST_PUBLIC, "samples", "test1", "image_one.bmp")
ConnectToServer("ignored", "")
ReserveSlot(1)
ReleaseServerConnection()
ReturnTestResult(TM.PASS if os.path.isfile(image) else TM.FAIL)
"""
# Runs until it is killed.
LONG_SCRIPT = """\
import time
time.sleep(3600)
"""

# What the user's machine has, by path below a folder of its own.
LOCAL_FILES = {
    "samples/test1/script_one.py": SCRIPT,
    "samples/test1/image_one.bmp": "BM",
    "mine/script_one.py": PRIVATE_SCRIPT,
    "long/long.py": LONG_SCRIPT,
    "a_dir/a_test.py": SCRIPT,
    "own/test3.py": SCRIPT,
    "own/pass1.py": SCRIPT,
    "tests/test1.py": SCRIPT,
    "tests/test2.py": SCRIPT,
    "tests/more/test3.py": SCRIPT,
}


def step(chapter, call, *args, **more):
    """A step. `named`: arguments by name; `gives`: the shape of the answer; `until`: asked again until it has this
    shape; `keep`: function from the answer to what later steps need, by name; `only`: this way alone."""
    known = {"named", "gives", "until", "keep", "only"}
    if not set(more) <= known:
        raise ValueError("a step has %s" % sorted(known))
    return dict(more, chapter=chapter, call=call, args=list(args))


def local(path):
    """The full name of one of `LOCAL_FILES`, or of a folder of them."""
    return Kept("folder", lambda folder: os.path.join(folder, *path.split("/")))


def uploaded(*names):
    """The answer to an upload of which only the names on the server matter."""
    return OK + [list(names), Rows(SOME_TEXT, 1), []]


def put(path, remote, public):
    return step(None, "uploadFiles", local(path), remote, named={"makePublic": public}, gives=Begins(*OK))


SLOTS = [("rack1", 4), ("rack1", 5), ("rack1", 6), ("rack1", 7)]
TESTS = [("samples/test1/script_one.py", True, 4, 1, "")]
DEVICE = [TEXT] * 16 + [INT, INT, INT, SOME_TEXT]
RAN = [INT, 0, 111, SOME_TEXT, STAMP, STAMP, "public/samples/test1/script_one.py", URL, [[SOME_TEXT, INT, INT]]]
NOT_RUN = [INT, 0, 1, saying("Incomplete"), STAMP_OR_0, STAMP_OR_0, SOME_TEXT, TEXT, [["NULL", "NULL", "NULL"]]]
JOB = [Kept("test", int), 0, INT, MOMENT, '-s "an argument"', INT, ending("/pass1.py"), SOME_TEXT, 5, 0, 0, 2, 1, 0, 0]
DAY = datetime.date(2013, 9, 17)
MIDNIGHT, TEN, EIGHT_PM = datetime.time(0, 0), datetime.time(10, 0), datetime.time(20, 0)


def completed(*rows):
    return OK + [[2, STAMP, STAMP, 0, list(rows)]]


def ended(job, *rows):
    """Waits for the end of a job."""
    return step("5.1", "getBatchStatus", Kept(job), until=Begins(0, "OK", Begins(Either(2, 3, 5, 6, 7))),
                gives=completed(*rows))


CHAPTER_4 = [
    step("4.1", "ServerVersion", gives=VERSION, only="package"),
    step("4.1", "ServerStartTime", gives=STARTED, only="package"),
    step("4.3", "uploadFiles", local("samples"), "samples", named={"makePublic": True, "includeSubDirs": True},
         gives=OK + [["\\samples", "\\samples\\test1", "\\samples\\test1\\image_one.bmp",
                      "\\samples\\test1\\script_one.py"],
                     [local("samples/test1/image_one.bmp"), local("samples/test1/script_one.py")], []]),
    step("4.4", "submitBatchJob", "My 1st job", SLOTS, None, TESTS, gives=OK + [Keep("job", INT), []]),
    step("4.4", "submitBatchJob", "with a warning", [("rack1", 4)], None,
         [("samples/test1/nowhere.py", True, 1, 1, "")],
         gives=[NOT_AN_ERROR, TEXT, INT, Rows([WARNING, SOME_TEXT, ending("samples/test1/nowhere.py")], 1)]),
    step("4.4", "submitBatchJob", "not with a warning", [("rack1", 4)], None,
         [("samples/test1/nowhere.py", True, 1, 1, "")], named={"failOnWarning": True},
         gives=Begins(Either(POSITIVE, WARNING), SOME_TEXT)),
    step("4.5", "findStb", ["Name==*"], gives=OK + [Rows(DEVICE, 4)],
         keep=lambda answer: {"duts": [row[16] for row in answer[2]], "maker": answer[2][0][5]}),
    step("4.5", "submitBatchJob", "My 1st job", None, Kept("duts", lambda duts: duts[:4]), TESTS,
         gives=[NOT_AN_ERROR, TEXT, Keep("by_dut", INT), Rows([WARNING, SOME_TEXT, TEXT])]),
    step("4.5", "findStb", ["Name==TP*", "Manufacturer==*"], gives=OK + [Rows(DEVICE, 1)]),
    step("4.5", "findStb", ['Name=="TP*', "Manufacturer==*"], gives=Begins(POSITIVE, saying('"'))),
    step("4.5", "findStb", [Kept("maker", lambda maker: "Manufacturer==" + maker)], gives=OK + [Rows(DEVICE, 1)]),
    step("4.6", "submitBatchJob", "one process", [("rack1", 1), ("rack1", 2)], None,
         [("samples/test1/script_one.py", True, 2, 0, "")],
         gives=[NOT_AN_ERROR, TEXT, Keep("gang", INT), Rows([WARNING, SOME_TEXT, TEXT])]),
    step("4.6.1", "submitBatchJob", "test coverage", [("rack1", 1), ("rack1", 2)], None,
         [("samples/test1/script_one.py", True, 2, 2, "")],
         gives=[NOT_AN_ERROR, TEXT, Keep("coverage", INT), Rows([WARNING, SOME_TEXT, TEXT])]),
    put("long", "long", True),
    step(None, "submitBatchJob", "long", [("stormtest16", 1)], None, [("long/long.py", True, 1, 1, "")],
         gives=[NOT_AN_ERROR, TEXT, Keep("long", INT), Rows([WARNING, SOME_TEXT, TEXT])]),
    step("4.7", "killBatchJob", Kept("long"), gives=OK + [Kept("long")]),
    step("4.8", "uploadFiles", local("mine"), "path/to/private",
         gives=uploaded("\\path", "\\path\\to", "\\path\\to\\private", "\\path\\to\\private\\script_one.py")),
    step("4.8", "submitBatchJob", "private", [("rack1", 8)], None, [("path/to/private/script_one.py", False, 1, 1, "")],
         gives=OK + [Keep("private", INT), []]),
    step("4.8", "submitBatchJob", "private as public", [("rack1", 8)], None,
         [("path/to/private/script_one.py", True, 1, 1, "")],
         gives=[NOT_AN_ERROR, TEXT, INT, Rows([WARNING, SOME_TEXT, TEXT], 1)]),
    step("4.9", "getBatchStatus", Kept("private"), until=Begins(0, "OK", Begins(Either(2, 3, 5, 6, 7))),
         gives=completed([INT, 0, 111, SOME_TEXT, STAMP, STAMP, ending("/path/to/private/script_one.py"), URL,
                          [[SOME_TEXT, 8, INT]]])),
    step("4.10", "convertFilesToPublic", "/path/to/private/*.py", "/public/path/", named={"includeSubDirs": True},
         gives=Begins(*OK)),
    step(None, "listPublicFiles", "public/path", gives=OK + [[["script_one.py", STAMP, INT, "File"]]]),
    step(None, "listPrivateFiles", "path/to/private", gives=OK + [[["script_one.py", STAMP, INT, "File"]]]),
    step("4.11", "setUser", "somename", gives=OK, only="package"),
    step("7.1.21", "setUser", gives=OK, only="package"),
]

CHAPTER_5 = [
    ended("job", RAN, RAN, RAN, RAN),
    ended("by_dut", RAN, RAN, RAN, RAN),
    ended("coverage", RAN, RAN),
    ended("gang", RAN[:8] + [[[SOME_TEXT, INT, INT], [SOME_TEXT, INT, INT]]]),
    step("5.1", "getBatchStatus", Kept("long"), until=Begins(0, "OK", Begins(3, STAMP_OR_0, STAMP)),
         gives=OK + [[3, STAMP_OR_0, STAMP, 0, Rows([INT, 0, INT] + [TEXT] + [STAMP_OR_0] * 2 + [TEXT] * 2 + [Rows(
             [Either(INT, TEXT)] * 3)])]]),
    step("5.1", "submitBatchJob", "more than there are", [("rack1", 3)], None,
         [("samples/test1/script_one.py", True, 2, 1, "")],
         gives=[NOT_AN_ERROR, TEXT, Keep("surplus", INT), Rows([WARNING, SOME_TEXT, TEXT], 1)]),
    ended("surplus", RAN, NOT_RUN),
]

CHAPTER_7 = [
    step("7.1.1", "createSchedule", "schedule name", "Daily", DAY, None, TEN, EIGHT_PM, 100, 2,
         gives=OK + [Keep("schedule", ID_TEXT)]),
    step("7.1.2", "renameSchedule", Kept("schedule", int), "new name", gives=OK),
    step("7.1.3", "modifySchedule", Kept("schedule", int), "Daily", DAY, None, TEN, EIGHT_PM,
         gives=OK + [Kept("schedule")]),
    step("7.1.4", "deleteSchedule", Kept("schedule"), gives=OK),
    step("7.1.4", "deleteSchedule", Kept("schedule"), gives=Begins(POSITIVE, SOME_TEXT)),
    # An open end far away: it must not start while the rest goes on.
    step(None, "createSchedule", "a weekday schedule", "Weekdays", datetime.date(2090, 1, 2), None, TEN, EIGHT_PM,
         gives=OK + [ID_TEXT]),
    step("7.1.5", "getScheduleIdFromName", "a weekday schedule", gives=OK + [Keep("weekday", INT)]),
    step("7.1.5", "getScheduleIdFromName", "no such schedule", gives=Begins(POSITIVE, SOME_TEXT)),
    step("7.1.6", "addSlotToSchedule", Kept("weekday"), "stormtest16", 3, gives=OK),
    step("7.1.7", "removeSlotFromSchedule", Kept("weekday"), "stormtest16", 3, gives=OK),
    step("7.1.8", "addStbToSchedule", Kept("weekday"), Kept("duts", lambda duts: duts[0]), gives=OK),
    step("7.1.9", "removeStbFromSchedule", Kept("weekday"), Kept("duts", lambda duts: duts[0]), gives=OK),
    put("a_dir", "a_dir", True),
    step("7.1.10", "deletePublicFiles", "a_dir\\a_test.py", gives=OK + ["a_dir\\a_test.py"]),
    put("own", "", False),
    step("7.1.11", "deletePrivateFiles", "test3.py", gives=OK + ["test3.py"]),
    step("7.1.11", "deletePrivateFiles", "test*.py", gives=Begins(POSITIVE, SOME_TEXT)),
    step(None, "addSlotToSchedule", Kept("weekday"), "stormtest16", 2, gives=OK),
    step(None, "addSlotToSchedule", Kept("weekday"), "stormtest16", 3, gives=OK),
    step("7.1.12", "addTestToSchedule", Kept("weekday"), "pass1.py",
         named={"publicJob": False, "slotsNeeded": 2, "schedulingMode": 1}, gives=OK + [Keep("test", ID_TEXT)]),
    step("7.1.13", "updateJob", Kept("test", int),
         named={"publicJob": False, "slotsNeeded": 2, "priority": 5, "expectedDuration": 0, "schedulingMode": 1,
                "overrideArgs": '-s "an argument"'}, gives=OK + [Kept("test")]),
    step(None, "showJobsOnSchedule", Kept("weekday"), gives=OK + [[JOB]]),
    step("7.1.14", "deleteJob", Kept("test", int), gives=OK + ["1 records deleted"]),
    step(None, "createSchedule", "a loop schedule", "Loop", datetime.date(2090, 7, 15), None, MIDNIGHT, MIDNIGHT, 1000,
         gives=OK + [ID_TEXT]),
    step(None, "createSchedule", "a daily schedule", "Daily", datetime.date(2090, 9, 17), datetime.date(2090, 12, 25),
         TEN, EIGHT_PM, gives=OK + [ID_TEXT]),
    step(None, "createSchedule", "a weekly schedule", "Weekly", datetime.date(2090, 9, 12), None, datetime.time(15, 24),
         datetime.time(16, 24), named={"repeatRate": 3, "repeatDays": ["Wed", "Fri"]}, gives=OK + [ID_TEXT]),
    step("7.1.15", "showSchedules", gives=OK + [Has(
        [INT, "a loop schedule", MOMENT, "Loop", datetime.date(2090, 7, 15), DATE, MIDNIGHT, MIDNIGHT, 1000,
         Either("NULL", INT), [], MOMENT, MOMENT])]),
    step("7.1.15", "showSchedules", gives=OK + [Has(
        [INT, "a daily schedule", MOMENT, "Daily", datetime.date(2090, 9, 17), datetime.date(2090, 12, 25), TEN,
         EIGHT_PM, 0, 1, [], MOMENT, MOMENT])]),
    step("7.1.15", "showSchedules", gives=OK + [Has(
        [INT, "a weekly schedule", MOMENT, "Weekly", datetime.date(2090, 9, 12), datetime.date(2038, 1, 19), TIME, TIME,
         0, 3, ["Wed", "Fri"], MOMENT, MOMENT])]),
    step("7.1.16", "showSlotsOnSchedule", Kept("weekday"), gives=OK + [[["stormtest16", 2], ["stormtest16", 3]]]),
    step(None, "createSchedule", "with devices", "Loop", datetime.date(2090, 1, 1), None, TEN, TEN,
         gives=OK + [Keep("with_duts", ID_TEXT)]),
    step(None, "addStbToSchedule", Kept("with_duts"), Kept("duts", lambda duts: duts[0]), gives=OK),
    step("7.1.17", "showStbsOnSchedule", Kept("with_duts", int),
         gives=OK + [[[Kept("duts", lambda duts: duts[0]), TEXT, TEXT, TEXT]]]),
    step(None, "uploadFiles", local("tests"), "tests", named={"makePublic": True, "includeSubDirs": True},
         gives=Begins(*OK)),
    step(None, "addTestToSchedule", Kept("weekday"), "tests/test1.py", True, 2, 1, 1,
         gives=OK + [Keep("test", ID_TEXT)]),
    step("7.1.18", "showJobsOnSchedule", Kept("weekday"), gives=OK + [[
        [Kept("test", int), 0, INT, MOMENT, "", INT, "public/tests/test1.py", SOME_TEXT, 1, 0, 1, 2, 1, 0, 0]]]),
    step("7.1.19", "listPublicFiles", "\\tests",
         gives=OK + [[["test1.py", STAMP, len(SCRIPT), "File"], ["test2.py", STAMP, len(SCRIPT), "File"]]]),
    step("7.1.19", "listPublicFiles", "/tests", named={"includeDirs": True},
         gives=OK + [Has(["more", INT, INT, "Dir"])]),
    step("7.1.20", "listPrivateFiles", "", gives=OK + [Has(["pass1.py", STAMP, len(SCRIPT), "File"])]),
    # The stage as it was, so that it can be set again.
    step(None, "deleteSchedule", Kept("with_duts"), gives=OK),
    step(None, "deleteSchedule", Kept("weekday"), gives=OK),
]
for _name in ("a loop schedule", "a daily schedule", "a weekly schedule"):
    CHAPTER_7 += [step(None, "getScheduleIdFromName", _name, gives=OK + [Keep("gone", INT)]),
                  step(None, "deleteSchedule", Kept("gone"), gives=OK)]

STEPS = CHAPTER_4 + CHAPTER_5 + CHAPTER_7
