"""What a run can reach, as root, as a user without rights, and without namespaces: its own folders, and no others."""

import json
import os
import shutil
import subprocess
import tempfile

from support import SDK, SIGKILL, WithFolder, Zygote, is_free, wait_until
from test_zygote import _LEFT_BEHIND

SECRET = "secret-9d41"
NOBODY = 65534
# Whether an interpreter can be started by this user, and once more by itself.
_REACHED = "import os, sys; os.execv(sys.executable, [sys.executable, '-c', ''])"
# How a path can be touched; prints what came of it, by name.
_TRY = """
from __future__ import print_function
import errno, os, sys
def attempt(name, what):
    try:
        said = what()
        print(name, "yes" if said is None else said)
    except (IOError, OSError) as error:
        print(name, errno.errorcode[error.errno])
def write(path):
    with open(path, "w") as target:
        target.write("x")
def read(path):
    with open(path, "rb") as source:
        source.read(1)
"""


class Cases(WithFolder):
    """For one interpreter, `self.python`."""

    def setUp(self):
        super().setUp()
        # Not in /tmp, of which a run sees nothing anyway.
        self.lay_out(os.path.realpath(tempfile.mkdtemp(prefix="headend-", dir="/var/tmp")))

    def lay_out(self, base):
        """Makes a rack's data folder in `base`."""
        self.addCleanup(shutil.rmtree, base, True)
        self.base, self.data = base, os.path.join(base, "data")
        self.roots = [os.path.join(self.data, name) for name in ("copy", "private", "out")]
        for root in self.roots + [os.path.join(self.data, "other")]:
            os.makedirs(root)
        self.tmp = os.path.join(self.roots[1], "tmp")
        os.mkdir(self.tmp)
        for name in ("token", "other/file"):
            with open(os.path.join(self.data, name), "w") as secret:
                secret.write(SECRET)

    def zygote(self, *flags, **named):
        python = named.pop("python", self.python)
        zygote = Zygote(python, self.roots[0], ["--hide", self.data] + list(flags), **named)
        self.addCleanup(zygote.close)
        return zygote

    def as_nobody(self):
        """A zygote of a user who owns nothing but the folders and has no rights; its tests are skipped where that
        cannot be."""
        drop = ["setpriv", "--reuid=%d" % NOBODY, "--regid=%d" % NOBODY, "--clear-groups", "--inh-caps=-all", "--"]
        if os.getuid() != 0 or not shutil.which("setpriv"):
            self.skip("only root with `setpriv` can become somebody without rights")
        # An interpreter in root's home is out of reach.
        within_reach = [python for python in (self.python, "/usr/bin/python3")
                        if subprocess.call(drop + [python, "-c", _REACHED], stderr=subprocess.DEVNULL) == 0]
        if not within_reach:
            self.skip("no interpreter here can be run by user %d" % NOBODY)
        lent = os.path.join(self.base, "sdk")
        shutil.copytree(SDK, lent, ignore=shutil.ignore_patterns("__pycache__", "*.pyc"))
        for root, folders, files in os.walk(self.base):
            for name in [root] + [os.path.join(root, name) for name in folders + files]:
                os.chown(name, NOBODY, NOBODY)
        zygote = self.zygote(before=drop, python=within_reach[0], zygote=os.path.join(lent, "stormtest", "zygote.py"))
        if not zygote.ready["namespaces"]:
            self.skip("this kernel lets users without rights make no user namespaces")
        self.assertTrue(zygote.ready["users"] and zygote.ready["mounts"])
        return zygote

    def skip(self, why):
        print("SKIPPED %s: %s" % (self.id(), why), flush=True)
        self.skipTest(why)

    def sandbox(self, **changes):
        return dict({"read": [SDK, os.path.join(self.base, "sdk")], "write": self.roots, "tmp": self.tmp}, **changes)

    def play(self, zygote, source, **changes):
        changes.setdefault("sandbox", self.sandbox())
        changes.setdefault("env", {"PATH": "/usr/bin:/bin", "TMPDIR": self.tmp, "HOME": self.roots[1]})
        how, printed = zygote.run(_TRY + source, console=os.path.join(self.data, "console-%d" % (zygote._number + 1)),
                                  **changes)
        return how, open(os.path.join(self.data, "console-%d" % how["run"])).read() if "run" in how else printed

    def tell(self, zygote, source, **changes):
        how, printed = self.play(zygote, source, **changes)
        self.assertEqual((how.get("code"), how.get("signal")), (0, None), (how, printed))
        return dict(line.split(" ", 1) for line in printed.splitlines())

    # What is there

    def reach(self, zygote):
        if not zygote.ready["landlock"]:
            self.skipTest("this kernel has no Landlock")
        told = self.tell(zygote, """
            data, tmp = %r, %r
            attempt("token", lambda: read(data + "/token"))
            attempt("token.write", lambda: write(data + "/token"))
            attempt("neighbour", lambda: read(data + "/other/file"))
            attempt("neighbour.write", lambda: write(data + "/other/new"))
            attempt("neighbour.list", lambda: os.listdir(data + "/other") and None)
            attempt("data.list", lambda: os.listdir(data) and None)
            attempt("own", lambda: write("new.txt"))
            attempt("own.folder", lambda: os.makedirs("a/b"))
            attempt("own.rename", lambda: os.rename("new.txt", "a/b/newer.txt"))
            attempt("own.link", lambda: os.symlink("a", "link"))
            attempt("out", lambda: write(data + "/out/picture.png"))
            attempt("scratch", lambda: write(tmp + "/scratch"))
            attempt("etc.shadow", lambda: read("/etc/shadow"))
            attempt("etc.hosts", lambda: read("/etc/hosts"))
            attempt("etc.write", lambda: write("/etc/headend-was-here"))
            attempt("usr.write", lambda: write("/usr/headend-was-here"))
            attempt("root", lambda: os.listdir("/root/.ssh") and None)
            attempt("disk", lambda: read([d for d in ("/dev/vda", "/dev/sda", "/dev/mem", "/dev/kmsg") if os.path.exists(d)][0]))
            attempt("null", lambda: write("/dev/null"))
            attempt("memory", lambda: write("/dev/shm/mine"))
            attempt("memory.end", lambda: os.remove("/dev/shm/mine"))
            attempt("system", lambda: os.system("cat /proc/self/status > /dev/null"))
            attempt("link", lambda: os.symlink(data + "/token", "sly") or read("sly"))
            attempt("hard", lambda: os.link(data + "/token", "hard") or read("hard"))
            attempt("parent", lambda: read("/proc/%%d/environ" %% os.getppid()))
            attempt("reach", lambda: read("/proc/%%d/root%%s/token" %% (os.getppid(), data)))
            """.replace("\n            ", "\n") % (self.data, self.tmp))
        refused = ("token", "token.write", "neighbour", "neighbour.write", "neighbour.list", "data.list", "etc.shadow",
                   "etc.write", "usr.write", "root", "disk", "link", "hard", "parent", "reach")
        for name in refused:
            self.assertIn(told.pop(name), ("EACCES", "EPERM", "ENOENT", "EXDEV"), (name, told))
        self.assertEqual(set(told.values()) - {"0"}, {"yes"}, told)
        with open(os.path.join(self.data, "token")) as token:
            self.assertEqual(token.read(), SECRET)
        self.assertTrue(os.path.exists(os.path.join(self.roots[0], "a/b/newer.txt")))
        self.assertTrue(os.path.exists(os.path.join(self.roots[2], "picture.png")))

    def test_reach(self):
        self.reach(self.zygote())

    def test_reach_without_namespaces(self):
        self.reach(self.zygote("--no-namespaces"))

    def test_reach_in_user_namespaces(self):
        zygote = self.zygote("--user-namespaces")
        if not zygote.ready["namespaces"]:
            self.skipTest("this system lets nobody make user namespaces")
        self.reach(zygote)

    def test_reach_of_a_user_without_rights(self):
        self.reach(self.as_nobody())

    def test_below_tmp_a_run_sees_its_own_folders_only(self):
        self.lay_out(os.path.join(self.folder, "deep"))
        zygote = self.zygote()
        if not zygote.ready["mounts"]:
            self.skipTest("this system lets nobody mount")
        told = self.tell(zygote, "data = %r\nattempt('token', lambda: read(data + '/token'))\n"
                                 "attempt('other', lambda: os.listdir(data + '/other') and None)\n"
                                 "attempt('fake', lambda: write(data + '/token'))\n"
                                 "attempt('own', lambda: write('new.txt'))\nprint('seen', sorted(os.listdir(data)))\n"
                         % self.data)
        self.assertEqual(told, {"token": "ENOENT", "other": "ENOENT", "fake": "yes", "own": "yes",
                                "seen": "['copy', 'out', 'private', 'token']"})
        self.assertTrue(os.path.exists(os.path.join(self.roots[0], "new.txt")))
        with open(os.path.join(self.data, "token")) as token:
            self.assertEqual(token.read(), SECRET)

    def test_a_hidden_folder_in_a_readable_one_is_refused(self):
        zygote = self.zygote()
        if not zygote.ready["landlock"]:
            self.skipTest("this kernel has no Landlock")
        told = self.tell(zygote, "attempt('usr', lambda: read('/usr/bin/env'))\nattempt('lib', lambda: os.listdir('/usr/share') and None)\n")
        self.assertEqual(set(told.values()), {"yes"})
        hiding = self.zygote("--hide", "/usr/share")
        told = self.tell(hiding, "attempt('usr', lambda: read('/usr/bin/env'))\nattempt('lib', lambda: os.listdir('/usr/share') and None)\n")
        self.assertEqual(told, {"usr": "yes", "lib": "EACCES"})

    def test_temporary_files_with_a_fixed_name_are_its_own(self):
        zygote = self.zygote()
        if not zygote.ready["mounts"]:
            self.skipTest("this system lets nobody mount")
        mine = "/tmp/headend-test-%d" % os.getpid()
        for folder in ("/tmp", "/dev/shm"):
            path = mine.replace("/tmp", folder)
            told = self.tell(zygote, "attempt('write', lambda: write(%r))\nattempt('read', lambda: read(%r))\n" % (path, path))
            self.assertEqual(told, {"write": "yes", "read": "yes"})
            self.assertFalse(os.path.exists(path), "the run's files are seen outside")
        self.assertTrue(os.path.exists(os.path.join(self.tmp, os.path.basename(mine))))

    # Rights

    def rights(self, zygote):
        told = self.tell(zygote, """
import ctypes, subprocess
def line(text, name):
    return [one.split()[1] for one in text.splitlines() if one.startswith(name)][0]
own = open("/proc/self/status").read()
child = subprocess.check_output(["/bin/cat", "/proc/self/status"]).decode("ascii")
for name in ("CapEff:", "CapPrm:", "NoNewPrivs:"):
    print("own." + name, line(own, name))
    print("child." + name, line(child, name))
libc = ctypes.CDLL(None, use_errno=True)
print("mount", libc.mount(b"none", b"/proc", b"tmpfs", 0, None))
print("umount", libc.umount2(b"/proc", 2))
print("uid", os.getuid())
""")
        none = "0000000000000000"
        self.assertEqual((told["own.CapEff:"], told["own.CapPrm:"], told["child.CapEff:"]), (none, none, none))
        self.assertEqual((told["own.NoNewPrivs:"], told["child.NoNewPrivs:"]), ("1", "1"))
        self.assertEqual((told["mount"], told["umount"]), ("-1", "-1"))
        return told

    def test_a_run_of_root_has_no_capabilities(self):
        self.assertEqual(self.rights(self.zygote())["uid"], str(os.getuid()))

    def test_a_run_in_a_user_namespace_has_none_either(self):
        self.assertEqual(self.rights(self.as_nobody())["uid"], str(NOBODY))

    def test_neighbours_and_the_zygote_cannot_be_killed(self):
        zygote = self.zygote("--no-namespaces")
        if zygote.ready["landlock"] < 6:
            self.skipTest("this kernel's Landlock does not look after signals")
        told = self.tell(zygote, "for name, pid in (('zygote', %d), ('test', %d), ('keeper', os.getppid())):\n"
                                 "    attempt(name, lambda: os.kill(pid, 9))\n" % (zygote.process.pid, os.getpid()))
        self.assertEqual(set(told.values()), {"EPERM"})

    # What is left behind

    def leave(self, zygote):
        lock = os.path.join(self.roots[0], "lock")
        how, printed = self.play(zygote, _LEFT_BEHIND + "leave_behind(%r, True)\n" % lock)
        self.assertEqual((how["code"], how["leaked"], how["unkillable"]), (0, 1, False), printed)
        self.assertTrue(is_free(lock))

    def test_a_daemon_left_behind_by_a_user_without_rights_is_killed(self):
        self.leave(self.as_nobody())

    def test_it_is_killed_without_namespaces_too(self):
        self.leave(self.zygote("--no-namespaces"))

    def test_a_bomb_of_a_user_without_rights_ends_with_its_run(self):
        zygote = self.as_nobody()
        lock = os.path.join(self.roots[0], "lock")
        how, printed = self.play(zygote, _LEFT_BEHIND + """
import resource
lock = hold(%r)
count = 0
try:
    while count < 400:
        if os.fork() == 0:
            os.setsid()
            time.sleep(3600)
        count += 1
except OSError:
    print("stopped at", count)
""" % lock, processes=100)
        self.assertEqual(how["code"], 0, printed)
        self.assertIn("stopped at", printed)
        self.assertTrue(0 < how["leaked"] < 100 and not how["unkillable"], how)
        self.assertTrue(is_free(lock))

    def test_the_sudden_death_of_a_keeper_ends_all(self):
        zygote = self.as_nobody()
        lock = os.path.join(self.roots[0], "lock")
        run = zygote.fork(_LEFT_BEHIND + "leave_behind(%r, True)\nprint('up')\nsys.stdout.flush()\ntime.sleep(3600)\n" % lock,
                          sandbox=self.sandbox(), console=os.path.join(self.data, "console"))
        keeper = zygote.wait_for("forked", run)["forked"]["pid"]
        wait_until(lambda: not is_free(lock) if os.path.exists(lock) else False, "the process left behind holds its lock")
        os.kill(keeper, SIGKILL)
        self.assertEqual(zygote.wait_for("exited", run)["exited"]["signal"], SIGKILL)
        wait_until(lambda: is_free(lock), "the process left behind dead")

    # Scripts as they are

    def test_what_scripts_use_still_works(self):
        told = self.tell(self.zygote(), """
import json, multiprocessing, socket, subprocess, tempfile, time
attempt("python", lambda: subprocess.check_call([sys.executable, "-c", "import json, ssl, sqlite3"]))
attempt("shell", lambda: os.system("ls /usr > /dev/null && echo hello > said.txt"))
attempt("temporary", lambda: tempfile.NamedTemporaryFile().close())
attempt("lock", lambda: multiprocessing.Lock() and None)
attempt("terminal", lambda: [os.close(end) for end in os.openpty()] and None)
attempt("pool", lambda: multiprocessing.Pool(2).map(abs, [-1, -2]) == [1, 2] and None)
server = socket.socket()
server.bind(("127.0.0.1", 0))
server.listen(1)
attempt("network", lambda: socket.create_connection(server.getsockname()).close())
attempt("name", lambda: socket.getaddrinfo("localhost", 80) and None)
attempt("time", lambda: time.localtime() and None)
""")
        self.assertEqual(set(told.values()) - {"0"}, {"yes"}, told)

    def test_a_file_has_a_limit(self):
        how, printed = self.play(self.zygote(), "attempt('big', lambda: open('big', 'w').truncate(5 << 20))\n",
                                 file_bytes=4 << 20)
        self.assertEqual((how["code"], printed), (0, "big EFBIG\n"))

    def test_a_folder_that_is_not_there_is_no_rule(self):
        how, _ = self.play(self.zygote(), "pass", sandbox=self.sandbox(read=["/nowhere"]))
        self.assertEqual(how["code"], 0)

    def test_the_reports_are_json(self):
        self.assertEqual(sorted(json.loads(json.dumps(self.zygote().ready))),
                         ["landlock", "mounts", "namespaces", "users", "version"])
