"""The warm interpreter: a script's process is as `python script.py` has it, and nothing of it is left behind."""

import json
import os
import subprocess
import time

from support import SIGKILL, SIGTERM, Host, WithFolder, Zygote, is_free, wait_until

CANARY = "canary-5c1f"
_HOLD = """
import fcntl, os, sys, time
def hold(path):
    # Held until the process dies, however it dies.
    lock = open(path, "a")
    fcntl.flock(lock, fcntl.LOCK_EX)
    return lock
"""
# A process that gives up its parent, its session and every polite signal, and keeps standard output.
_LEFT_BEHIND = _HOLD + """
import signal
def leave_behind(path, double):
    end, mine = os.pipe()
    child = os.fork()
    if child == 0:
        os.setsid()
        if double and os.fork():
            os._exit(0)
        for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
            signal.signal(number, signal.SIG_IGN)
        lock = hold(path)
        os.write(mine, b"x")
        while True:
            time.sleep(3600)
    os.read(end, 1)
    if double:
        # The one between is on its way out: it must not be met alive, and counted too.
        os.waitpid(child, 0)
"""


def clean(**changes):
    """What a run that went well ends with."""
    return dict({"code": 0, "signal": None, "leaked": 0, "unkillable": False}, **changes)


class Cases(WithFolder):
    """For one interpreter, `self.python`, started with `self.flags`."""

    def setUp(self):
        super().setUp()
        self.zygote = self.another()
        if not self.flags and os.getuid() == 0 and not self.zygote.ready["namespaces"]:
            self.skipTest("this system lets even root make no PID namespaces")
        if "--user-namespaces" in self.flags and not self.zygote.ready["namespaces"]:
            self.skipTest("this system lets nobody make user namespaces")

    def another(self, **named):
        zygote = Zygote(self.python, self.folder, self.flags, **named)
        self.addCleanup(zygote.close)
        return zygote

    def ended(self, run):
        """How a run ended, without its number."""
        how, printed = self.zygote.end(run)
        self.assertEqual(how.pop("run", run), run)
        return how, printed

    def play(self, source, **changes):
        return self.ended(self.zygote.fork(source, **changes))

    def lock(self, name="lock"):
        return os.path.join(self.folder, name)

    # How a script ends

    def test_it_says_what_it_is(self):
        self.assertEqual(self.zygote.ready["version"], "%d.%d.%d" % self.number)
        if "--no-namespaces" in self.flags:
            self.assertFalse(self.zygote.ready["namespaces"])
        self.assertEqual(self.zygote.ready["users"], "--user-namespaces" in self.flags)

    def test_news_of_a_run_is_forked_then_exited(self):
        run = self.zygote.fork("pass\n")
        forked = self.zygote.news()["forked"]
        self.assertEqual(forked["run"], run)
        self.assertGreater(forked["pid"], 1)
        self.assertEqual(list(self.zygote.news()), ["exited"])

    def test_exit_codes(self):
        for source, code in (("pass", 0), ("import sys; sys.exit(3)", 3), ("raise SystemExit", 0),
                             ("import sys; sys.exit(300)", 44), ("import sys; sys.exit(-1)", 255),
                             ("import sys; sys.exit(True)", 1), ("import os; os._exit(7)", 7)):
            self.assertEqual(self.play(source), (clean(code=code), ""), source)

    def test_an_exit_with_a_text_prints_it(self):
        self.assertEqual(self.play("import sys\nsys.exit('no rack')"), (clean(code=1), "no rack\n"))

    def test_death_by_a_signal(self):
        how, _ = self.play("import os, signal\nos.kill(os.getpid(), signal.SIGKILL)")
        self.assertEqual(how, clean(code=None, signal=SIGKILL))
        how, _ = self.play("import os\nos.abort()")
        self.assertEqual((how["code"], how["signal"]), (None, 6))

    def test_an_exception_prints_the_scripts_traceback_only(self):
        how, printed = self.play("def f():\n    raise ValueError('oh')\nprint('before')\nf()\n")
        self.assertEqual(how, clean(code=1))
        lines = [line for line in printed.splitlines() if not line.strip().startswith(("^", "~"))]
        path = os.path.join(self.folder, "script.py")
        self.assertEqual(lines, ["before", "Traceback (most recent call last):",
                                 '  File "%s", line 4, in <module>' % path, "    f()",
                                 '  File "%s", line 2, in f' % path, "    raise ValueError('oh')", "ValueError: oh"])

    def test_a_script_that_does_not_compile(self):
        how, printed = self.play("x = = 1\n")
        self.assertEqual(how, clean(code=1))
        self.assertIn("SyntaxError", printed)
        self.assertNotIn("_runner", printed)

    def test_excepthook_of_the_script_is_asked(self):
        how, printed = self.play("import sys\nsys.excepthook = lambda *a: sys.stderr.write('mine\\n')\n1/0\n")
        self.assertEqual((how, printed), (clean(code=1), "mine\n"))

    def test_what_happens_at_exit(self):
        how, printed = self.play("""
            from __future__ import print_function
            import atexit, sys, threading
            class Last(object):
                def __del__(self, write=sys.stdout.write):
                    write("del\\n")
            kept = open("kept.txt", "w")
            kept.write("not closed")
            thing = Last()
            gate = threading.Event()
            def work():
                gate.wait()
                print("thread")
            threading.Thread(target=work).start()
            atexit.register(lambda: print("atexit"))
            sys.stdout.write("main\\n")
            gate.set()
            sys.exit(4)
            """)
        self.assertEqual((how, printed), (clean(code=4), "main\nthread\natexit\ndel\n"))
        with open(os.path.join(self.folder, "kept.txt")) as kept:
            self.assertEqual(kept.read(), "not closed")

    # What a script sees

    def test_main_is_as_a_plain_run_has_it(self):
        self.write("sibling.py", "import sys\nname = __name__\nmain = sys.modules['__main__'].__file__\n")
        how, printed = self.play("""
            from __future__ import print_function
            import json, os, sys, pickle
            import __main__, sibling
            class Mine(object): pass
            print(json.dumps([__name__, __file__, sys.argv, os.getcwd(), sys.path[0], sibling.name, sibling.main,
                              __main__.Mine is Mine, type(pickle.loads(pickle.dumps(Mine()))) is Mine,
                              __package__, __doc__, sorted(set(globals()) - set(
                                  ["json", "os", "sys", "pickle", "__main__", "sibling", "Mine", "print_function"])),
                              1 / 2 == 0, isinstance(b"", str), sys.stdin.read(), os.getsid(0) == os.getpid()]))
            """, args=["one", "two words", "", "@file", "-c"])
        self.assertEqual(how, clean(), printed)
        told = json.loads(printed)
        script = os.path.join(self.folder, "script.py")
        old = self.number[0] == 2
        self.assertEqual(told[:11], ["__main__", script, [script, "one", "two words", "", "@file", "-c"], self.folder,
                                     self.folder, "sibling", script, True, True, None, None])
        bare = {"__builtins__", "__doc__", "__file__", "__name__", "__package__"}
        self.assertEqual(set(told[11]) - {"__annotations__", "__cached__", "__loader__", "__spec__"}, bare)
        self.assertEqual(told[12:], [old, old, "", True])

    def test_the_environment_is_the_given_one_and_no_other(self):
        zygote = self.another(env=dict(os.environ, CANARY=CANARY))
        how, printed = zygote.end(zygote.fork("""
            import json, os, subprocess
            # Where nothing is hidden, at least its own line of ancestors must not tell.
            pids = [str(pid) for pid in (os.getpid(), os.getppid())] + [p for p in os.listdir("/proc") if %s and p.isdigit()]
            seen = []
            for pid in pids:
                try:
                    seen.append(open("/proc/%%s/environ" %% pid, "rb").read().decode("latin-1"))
                except (IOError, OSError):
                    pass
            child = subprocess.check_output(["/usr/bin/env"]).decode("latin-1")
            print(json.dumps([dict(os.environ), child, "".join(seen)]))
            """ % bool(zygote.ready["namespaces"]), env={"ONE": "1", "UML": u"\u00e4"}))
        self.assertEqual(how["code"], 0, printed)
        own, child, seen = json.loads(printed)
        self.assertEqual(own, {"ONE": "1", "UML": u"\u00e4"})
        self.assertEqual(sorted(line.split("=")[0] for line in child.splitlines()), ["ONE", "UML"])
        self.assertNotIn(CANARY, seen)
        self.assertNotIn("HOME=", seen)

    def test_no_descriptor_but_the_three(self):
        how, printed = self.play("""
            import json, os, subprocess, sys
            open_ones = dict((n, os.readlink("/proc/self/fd/" + n)) for n in os.listdir("/proc/self/fd")
                             if os.path.exists("/proc/self/fd/" + n))
            child = subprocess.Popen(["/bin/ls", "/proc/self/fd"], stdout=subprocess.PIPE, close_fds=False)
            listed = child.communicate()[0].decode("ascii").split()
            cat = subprocess.call(["/bin/cat"])
            print(json.dumps([open_ones, listed, cat]))
            """)
        self.assertEqual(how, clean(), printed)
        own, listed, cat = json.loads(printed)
        self.assertEqual((sorted(own), own["0"]), (["0", "1", "2"], "/dev/null"))
        # ls itself holds 3.
        self.assertEqual((listed, cat), (["0", "1", "2", "3"], 0))

    def test_signals_are_as_in_a_fresh_process(self):
        how, printed = self.play("""
            import signal
            print([signal.getsignal(n) == h for n, h in ((signal.SIGTERM, 0), (signal.SIGHUP, 0), (signal.SIGCHLD, 0),
                                                         (signal.SIGINT, signal.default_int_handler))])
            """)
        self.assertEqual((how, printed), (clean(), "[True, True, True, True]\n"))

    def test_text_that_is_not_ascii(self):
        how, printed = self.play(u"""# -*- coding: utf-8 -*-
from __future__ import print_function, unicode_literals
import os, sys
print(u"\u00e4\u20ac \U0001f4fa")
name = sys.argv[1] if isinstance(sys.argv[1], type(u"")) else sys.argv[1].decode("utf-8")
print(name == u"gr\u00fc\u00df", type(sys.argv[1]) is type(str(sys.argv[1])))
print(os.path.basename(os.getcwd()), file=sys.stderr)
raise ValueError("bad")
""", name=u"scr\u00efpt.py", args=[u"gr\u00fc\u00df"], cwd=self.umlauts())
        self.assertEqual(how, clean(code=1), printed)
        self.assertTrue(printed.startswith(u"\u00e4\u20ac \U0001f4fa\nTrue True\n\u00fcml\u00e4ut\n"), printed)
        self.assertIn(u"scr\u00efpt.py", printed)

    def umlauts(self):
        path = os.path.join(self.folder, u"\u00fcml\u00e4ut")
        os.mkdir(path)
        return path

    def test_future_flags_of_ours_do_not_reach_the_script(self):
        _, printed = self.play("import sys\nprint(bool(sys.version_info[0] == 2) == (1 / 2 == 0))\n")
        self.assertEqual(printed, "True\n")
        if self.number[0] == 2:
            self.assertEqual(self.play("print 'statement', 031\n"), (clean(), "statement 25\n"))

    def test_files_beside_the_script_do_not_harm_us_and_are_its_own(self):
        host = Host(self.folder)
        self.addCleanup(host.close)
        for name in ("json", "socket", "threading", "select", "random", "stormtest", "sitecustomize", "_text"):
            self.write(name + ".py", "mine = True\nprint('loaded %s')\n" % name)
        how, printed = self.play("""
            import stormtest.ClientAPI as S
            S.ConnectToServer("x", "")
            import json, random
            S.ReserveSlot(1)
            """, env=host.environment())
        # What the interpreter itself has loaded before it looks at a script stays, as in a plain run.
        bare = subprocess.check_output([self.python, "-c", "import sys; print(' '.join(sys.modules))"]).decode("ascii").split()
        expected = ["loaded " + name for name in ("json", "random") if name not in bare]
        self.assertEqual((how, printed.splitlines()), (clean(), expected))
        self.assertEqual((host.faults, host.names()), ([], ["connect", "reserve_slot"]))

    def test_the_standard_library_is_the_standard_library(self):
        _, printed = self.play("import json, os, random\nprint(json.dumps([json.__file__, random.__file__, os.__file__]))")
        folder = os.path.dirname(json.loads(printed)[2])
        self.assertTrue(all(path.startswith(folder) for path in json.loads(printed)))

    def test_scripts_do_not_see_each_other(self):
        self.play("import os, sys, json\njson.spoilt = sys.spoilt = True\nos.environ['SPOILT'] = '1'\nimport uuid\n")
        _, printed = self.play("import os, sys, json\nprint(hasattr(json, 'spoilt') or hasattr(sys, 'spoilt') or "
                               "'SPOILT' in os.environ or 'uuid' in sys.modules)\n")
        self.assertEqual(printed, "False\n")

    def test_chance_differs_from_run_to_run(self):
        drawn = {self.play("import random\nprint(random.random())")[1] for _ in range(4)}
        self.assertEqual(len(drawn), 4)

    # What a script leaves behind

    def leave(self, double):
        how, printed = self.play(_LEFT_BEHIND + "leave_behind(%r, %r)\n" % (self.lock(), double))
        self.assertEqual((how, printed), (clean(leaked=1), ""))
        self.assertTrue(is_free(self.lock()))

    def test_a_child_that_stays_is_killed_and_counted(self):
        self.leave(double=False)

    def test_a_daemon_that_stays_is_killed_and_counted(self):
        self.leave(double=True)

    def test_a_crowd_that_stays_is_killed_and_counted(self):
        source = _LEFT_BEHIND + "for n in range(12):\n    leave_behind(%r + str(n), n %% 2)\nos._exit(5)\n"
        how, _ = self.play(source % self.lock())
        self.assertEqual(how, clean(code=5, leaked=12))
        self.assertTrue(all(is_free(self.lock(str(n).join(["lock", ""]))) for n in range(12)))

    def test_children_that_ended_are_no_leak(self):
        how, _ = self.play("""
            import os
            for n in range(5):
                if os.fork() == 0:
                    if os.fork() == 0:
                        os._exit(0)
                    os._exit(0)
                os.wait()
            end, mine = os.pipe()
            if os.fork() == 0:
                os._exit(0)
            os.close(mine)
            os.read(end, 1)
            """)
        self.assertEqual((how["code"], how["unkillable"]), (0, False))

    def test_one_that_kills_its_parents_is_still_caught(self):
        how, _ = self.play(_LEFT_BEHIND + """
leave_behind(%r, True)
os.kill(os.getppid(), signal.SIGKILL)
time.sleep(3600 if os.getppid() != 1 else 0)
""" % self.lock())
        self.assertFalse(how["unkillable"])
        wait_until(lambda: is_free(self.lock()), "the process left behind dead")

    # Kill

    def started(self, source, **changes):
        run = self.zygote.fork(source + "\nprint('up')\nimport sys; sys.stdout.flush()\nimport time; time.sleep(3600)\n",
                               **changes)
        self.zygote.wait_printed(run, "up")
        return run

    def test_a_kill_is_a_sigterm(self):
        run = self.started("pass")
        self.zygote.kill(run, 60000)
        self.assertEqual(self.ended(run)[0], clean(code=None, signal=SIGTERM))

    def test_a_kill_leaves_time_to_clean_up(self):
        run = self.started("import signal, sys\nsignal.signal(signal.SIGTERM, lambda *a: sys.exit(9))\n"
                           "import atexit\natexit.register(lambda: sys.stdout.write('tidy\\n'))\n")
        self.zygote.kill(run, 60000)
        self.assertEqual(self.ended(run), (clean(code=9), "up\ntidy\n"))

    def test_who_ignores_sigterm_is_killed_after_the_grace(self):
        run = self.started("import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)")
        self.zygote.kill(run, 50)
        self.assertEqual(self.ended(run)[0], clean(code=None, signal=SIGKILL))

    def test_a_kill_reaches_what_it_left_behind(self):
        run = self.started(_LEFT_BEHIND + "leave_behind(%r, True)\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
                           % self.lock())
        self.zygote.kill(run, 0)
        how, _ = self.ended(run)
        self.assertEqual((how["signal"], how["unkillable"]), (SIGKILL, False))
        self.assertTrue(is_free(self.lock()))

    def test_a_stopped_script_can_be_killed(self):
        run = self.zygote.fork("import os, signal\nprint('up')\nos.kill(os.getpid(), signal.SIGSTOP)\n")
        self.zygote.wait_printed(run, "up")
        self.zygote.kill(run, 50)
        self.assertIn(self.ended(run)[0]["signal"], (SIGKILL, SIGTERM))

    def test_a_kill_of_nobody_is_no_fault(self):
        self.zygote.kill(4711, 0)
        self.assertEqual(self.play("pass"), (clean(), ""))

    def test_the_zygotes_end_is_everybodys_end(self):
        self.started(_LEFT_BEHIND + "leave_behind(%r, True)\n" % self.lock())
        self.assertEqual(self.zygote.close(), 0)
        wait_until(lambda: is_free(self.lock()), "the process left behind dead")

    def test_the_zygotes_sudden_death_too(self):
        self.started(_LEFT_BEHIND + "leave_behind(%r, True)\nmine = hold(%r)\n" % (self.lock(), self.lock("main")))
        self.zygote.process.kill()
        wait_until(lambda: is_free(self.lock("main")), "the script dead")
        wait_until(lambda: is_free(self.lock()), "the process left behind dead")

    # Limits

    def test_the_console_has_a_cap(self):
        how, printed = self.play("import sys\nsys.stdout.write('x' * 300000)\n", console_bytes=1000)
        self.assertEqual(how, clean())
        self.assertEqual(printed, "x" * 1000 + "\n[console cut: 299000 more bytes were printed]\n")

    def test_the_times_of_what_was_printed_are_noted(self):
        before = int(time.time() * 1e6)
        run = self.zygote.fork("import os, sys\nprint('one')\nsys.stdout.flush()\nos.system('echo two')\n")
        self.ended(run)
        after = int(time.time() * 1e6)
        with open(self.zygote.console(run) + ".times") as times:
            noted = [[int(number) for number in line.split()] for line in times]
        self.assertEqual(noted[0][0], 0)
        self.assertEqual(noted, sorted(noted))
        self.assertTrue(all(place < len("one\ntwo\n") and before <= at <= after for place, at in noted), noted)

    def test_the_console_is_appended_to(self):
        run = self.zygote.fork("print('one')", console=self.zygote.console(99))
        self.ended(run)
        self.ended(self.zygote.fork("import os\nos.system('echo two')", console=self.zygote.console(99)))
        self.assertEqual(self.zygote.printed(99), "one\ntwo\n")

    def test_memory_has_a_limit(self):
        how, printed = self.play("x = bytearray(1 << 30)\n", memory_bytes=512 << 20)
        self.assertEqual(how, clean(code=1))
        self.assertIn("MemoryError", printed)

    def test_processor_time_has_a_limit(self):
        how, _ = self.play("while True: pass\n", cpu_seconds=1)
        self.assertEqual((how["code"], how["signal"]), (None, 24))

    def test_no_core_is_dumped_and_no_rights_are_gained(self):
        _, printed = self.play("import resource\nprint(resource.getrlimit(resource.RLIMIT_CORE) == (0, 0))\n"
                               "print('NoNewPrivs:\\t1' in open('/proc/self/status').read())\n")
        self.assertEqual(printed, "True\nTrue\n")

    # What cannot be started

    def test_what_cannot_be_started_is_said(self):
        for changes, words in (({"script": self.folder + "/none.py"}, "none.py"), ({"cwd": self.folder + "/none"}, "none"),
                               ({"cgroup": self.folder + "/group"}, "cgroup.procs"),
                               ({"console": self.folder + "/none/console"}, "console"),
                               ({"env": {"a=b": "c"}}, None)):
            run = self.zygote.fork(None if "script" in changes else "pass", **changes)
            piece = self.zygote.wait_for("failed", run)
            self.assertIn(words or "", piece["failed"]["reason"])
        self.zygote.order({"fork": {"run": 999}})
        self.assertIn("lacks script", self.zygote.wait_for("failed", 999)["failed"]["reason"])
        self.assertEqual(self.play("pass"), (clean(), ""))

    def test_the_cgroup_is_entered(self):
        os.mkdir(self.lock("group"))
        self.assertEqual(self.play("pass", cgroup=self.lock("group")), (clean(), ""))
        with open(self.lock("group/cgroup.procs")) as processes:
            self.assertEqual(processes.read(), "0")

    def test_an_order_that_cannot_be_read_ends_it(self):
        self.zygote.order("no order")
        self.zygote.process.wait(60)

    # Many

    def test_two_hundred_in_a_row_leave_nothing(self):
        before = self.zygote.descriptors()
        for _ in range(200):
            self.assertEqual(self.play("pass")[0], clean())
        wait_until(lambda: self.zygote.children() == [], "all keepers reaped")
        wait_until(lambda: self.zygote.descriptors() == before, "descriptors as before")

    def test_many_at_once(self):
        runs = [self.zygote.fork("import sys\nsys.stdout.write(sys.argv[1])\n", name="s%d.py" % n, args=[str(n)])
                for n in range(30)]
        for number, run in enumerate(runs):
            self.assertEqual(self.ended(run), (clean(), str(number)))
