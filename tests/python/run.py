#!/usr/bin/env python3
"""Tests of the Python package and its warm interpreter, on every interpreter that is found.

    python3 tests/python/run.py [--python PATH ...] [-k WORD] [-v]

Needs nothing but the standard library. Interpreters: `--python`, else pyenv's versions and `pythonX.Y` on PATH.
"""

import argparse
import glob
import os
import subprocess
import sys
import unittest

import test_client
import test_configurator
import test_devices
import test_end_to_end
import test_examples
import test_facility
import test_isolation
import test_names
import test_screens
import test_tls
import test_transcript
import test_upload
import test_windows
import test_zygote

OLDEST_3 = (3, 6)
_ASK = "import sys; sys.stdout.write('%d.%d.%d' % sys.version_info[:3])"


def version(python):
    """`(major, minor, micro)` of an interpreter, or `None` if it is none or too old."""
    try:
        text = subprocess.run([python, "-c", _ASK], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=60)
        parts = tuple(int(part) for part in text.stdout.decode("ascii").split("."))
    except (OSError, ValueError, subprocess.TimeoutExpired):
        return None
    return parts if parts[:2] == (2, 7) or parts >= OLDEST_3 else None


def found():
    """One interpreter per minor version: `[(version, path)]`, oldest first."""
    root = os.environ.get("PYENV_ROOT") or os.path.expanduser("~/.pyenv")
    candidates = glob.glob(os.path.join(glob.escape(root), "versions", "*", "bin", "python"))
    for folder in os.environ.get("PATH", "").split(os.pathsep):
        # pyenv's shims answer only for chosen versions; the versions themselves are listed above.
        if os.path.basename(folder) != "shims":
            candidates += glob.glob(os.path.join(glob.escape(folder), "python[23].[0-9]*"))
    candidates.append(sys.executable)
    best = {}
    for path in candidates:
        known = version(path) if "-config" not in path else None
        if known:
            best.setdefault(known[:2], (known, path))
    return [best[minor] for minor in sorted(best)]


def cases(interpreters):
    """A test case class for every interpreter, and for every mode of the warm interpreter."""
    for number, path in interpreters:
        name = "%d.%d.%d" % number
        # Whole runs take long, and what differs between interpreters is tested without them.
        if path in (interpreters[0][1], interpreters[-1][1]):
            yield type("test_end_to_end[%s]" % name, (test_end_to_end.Cases, unittest.TestCase),
                       {"python": path, "number": number})
        for base in (test_client.Cases, test_configurator.Cases, test_devices.Cases, test_examples.Cases,
                     test_facility.Cases, test_names.Cases, test_screens.Cases, test_tls.Cases, test_transcript.Cases,
                     test_upload.Cases, test_windows.Cases, test_windows.Plain):
            yield type("%s[%s]" % (base.__module__, name), (base, unittest.TestCase), {"python": path, "number": number})
        for mode, flags in (("", []), (" without namespaces", ["--no-namespaces"]),
                            (" in user namespaces", ["--user-namespaces"])):
            yield type("test_zygote[%s%s]" % (name, mode), (test_zygote.Cases, unittest.TestCase),
                       {"python": path, "number": number, "flags": flags})
        yield type("test_isolation[%s]" % name, (test_isolation.Cases, unittest.TestCase),
                   {"python": path, "number": number})


def main():
    """Run; the exit code is 0 if all passed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--python", action="append", metavar="PATH", help="test with this interpreter")
    parser.add_argument("-k", metavar="WORD", default="", help="only tests whose name contains it")
    parser.add_argument("-v", action="store_true", help="name each test")
    options = parser.parse_args()
    interpreters = [(version(path), path) for path in options.python] if options.python else found()
    if not interpreters or not all(number for number, _ in interpreters):
        parser.error("no interpreter of 2.7 or 3.6 and newer in %s" % ([path for _, path in interpreters],))
    print("interpreters: " + ", ".join("%d.%d.%d" % number for number, _ in interpreters), flush=True)
    suite = unittest.TestSuite()
    for case in cases(interpreters):
        for test in unittest.defaultTestLoader.loadTestsFromTestCase(case):
            if options.k in test.id():
                suite.addTest(test)
    result = unittest.TextTestRunner(verbosity=2 if options.v else 1).run(suite)
    return 0 if result.wasSuccessful() and result.testsRun else 1


if __name__ == "__main__":
    sys.exit(main())
