"""Whole scripts on virtual boxes of the real program: `headend run`, in virtual time.

The program is `HEADEND_PROGRAM`, else `target/debug/headend`, which the tests of the engine build.
"""

import io
import os
import shutil
import subprocess

from support import ROOT, SDK, WithFolder

_HERE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "end_to_end")
# Of one script; a build for tests draws slowly.
_RUN_S = 300
PROGRAM = os.environ.get("HEADEND_PROGRAM") or os.path.join(ROOT, "target", "debug", "headend")


class Cases(WithFolder):
    """For one interpreter, `self.python`."""

    def setUp(self):
        super().setUp()
        if not os.access(PROGRAM, os.X_OK):
            self.skipTest("no program at %s" % PROGRAM)

    def run_script(self, name):
        home, out = os.path.join(self.folder, "public"), os.path.join(self.folder, "out")
        shutil.copytree(_HERE, home)
        script = os.path.join(home, name)
        with io.open(script, encoding="utf-8") as source:
            text = source.read()
        with io.open(script, "w", encoding="utf-8") as target:
            target.write("# headend: python=%d.%d\n" % self.number[:2] + text)
        # A copy: compiled files of the package must not turn up among its sources.
        package = os.path.join(self.folder, "sdk")
        shutil.copytree(SDK, package, ignore=shutil.ignore_patterns("__pycache__"))
        env = self.python_environment(HEADEND_PYTHON_SDK=package)
        command = [PROGRAM, "run", "--out", out, "--python", self.python, script]
        done = subprocess.run(command, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, timeout=_RUN_S)
        return done.returncode, done.stderr.decode("utf-8", "replace"), out

    def need(self, *analysers):
        """Skips where the guests have not been built: `cargo xtask guests`."""
        folder = os.path.join(os.path.dirname(os.path.dirname(PROGRAM)), "guests", "analysers")
        missing = [name for name in analysers if not os.path.isdir(os.path.join(folder, name))]
        if missing:
            self.skipTest("%s lacks %s" % (folder, ", ".join(missing)))

    def test_an_evening_at_the_box(self):
        self.need("colour", "image-match", "motion")
        code, told, out = self.run_script("evening_check.py")
        self.assertEqual(code, 0, told)
        self.assertIn("the evening is over", told)
        files = os.listdir(out)
        self.assertTrue(any(name.startswith("menu_") for name in files), files)
        self.assertIn("live.stscreen", files)

    def test_zaps_sound_and_text(self):
        self.need("motion", "audio-level", "zap-timer", "ocr", "freeze")
        code, told, out = self.run_script("zap_check.py")
        self.assertEqual(code, 0, told)
        self.assertIn("zapped in", told)
        self.assertTrue(os.path.isfile(os.path.join(out, "zapframe_1_0000.jpg")), os.listdir(out))
        self.assertTrue(os.path.isfile(os.path.join(out, "src", "zap_check.py")), os.listdir(out))
