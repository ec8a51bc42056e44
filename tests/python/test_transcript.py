"""The transcript's driver itself: right answers are taken, wrong ones are told. The real run needs racks."""

import os
import subprocess
import sys

from support import DEADLINE_S, ROOT
from test_configurator import Player

FOLDER = os.path.join(ROOT, "tests", "python", "transcript")
sys.path.insert(0, FOLDER)

import examples  # noqa: E402
import shapes  # noqa: E402


def as_number(value):
    """The package makes numbers of ids that are text."""
    return int(value) if isinstance(value, str) and value.isdigit() else value


class Cases(Player):
    """For one interpreter, `self.python`."""

    def answer_by_shape(self):
        """Every call gets an example of what its step wants."""
        kept = {"folder": "/"}
        steps = [one for one in examples.STEPS if one["call"] != "uploadFiles" and one.get("only") != "package"]
        waiting = iter(steps)

        def reply(method):
            def give(*_args):
                one = next(waiting)
                self.asked.append((one["call"], method))
                value = shapes.sample(one["gives"], kept)
                if "keep" in one:
                    kept.update(one["keep"](value))
                return value
            return give

        self.asked = []
        for one in steps:
            self.farm.answers[one["call"]] = reply(one["call"])

    def run_transcript(self, via):
        env = self.python_environment(HEADEND_SERVER=self.farm.address)
        done = subprocess.run([self.python, os.path.join(FOLDER, "transcript.py"), "--via", via, "--patience", "0"],
                              env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              timeout=DEADLINE_S)
        self.assertEqual((done.stderr, self.farm.faults), (b"", []))
        return done.returncode, done.stdout.decode("utf-8")

    def test_right_answers_are_taken_both_ways(self):
        for via in ("package", "wire"):
            self.answer_by_shape()
            code, told = self.run_transcript(via)
            self.assertEqual(code, 0, told)
            self.assertEqual([one for one in self.asked if one[0] != one[1]], [])
            calls = self.sent()
            self.farm.calls.clear()
            if via == "package":
                by_package = calls
        # A legacy tool leaves defaults at the end out; what it sends is the same up to there.
        self.assertEqual([method for method, _ in calls], [method for method, _ in by_package])
        for (method, short), (_, whole) in zip(calls, by_package):
            self.assertEqual([as_number(one) for one in short], whole[: len(short)], method)

    def test_wrong_answers_are_told_with_their_place(self):
        self.answer_by_shape()
        for method, wrong in (("renameSchedule", [0, "OK", True]), ("modifySchedule", [0, "OK", 7])):
            right = self.farm.answers[method]
            self.farm.answers[method] = lambda *args, right=right, wrong=wrong: (right(*args), wrong)[1]
        code, told = self.run_transcript("package")
        self.assertEqual(code, 1)
        self.assertIn("7.1.2   renameSchedule WRONG: 3 elements, not 2", told)
        self.assertIn("7.1.3   modifySchedule WRONG: [2]: 7 is not '7'", told)
        self.assertTrue(told.endswith("\n2 wrong\n"))
