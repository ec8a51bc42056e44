#!/usr/bin/env python
# -*- coding: utf-8 -*-
"""Runs every example of the document against a server, in the document's order. Python 2.7 and 3.

    python transcript.py --server host:8001 --via package|wire

`package`: by `stormtest.JobConfigurator`. `wire`: by Python's own XML-RPC library, as legacy tools do; uploads, which
have no XML-RPC, go by the package. Server and token: `HEADEND_SERVER` and `HEADEND_TOKEN` unless given. What the server
needs to have is said in `examples.py`. Exit code 0: every answer has the document's shape.
"""

from __future__ import print_function

import argparse
import datetime
import os
import shutil
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "..", "..", "..", "sdk", "python", "stormtest")]

import examples  # noqa: E402
import JobConfigurator  # noqa: E402
import shapes  # noqa: E402

try:
    from xmlrpc import client as xmlrpclib
except ImportError:  # Python 2
    import xmlrpclib

PATIENCE_S = 300
PROPERTIES = ("ServerVersion", "ServerStartTime")
REQUIRED = object()
# The arguments of each call as the document prints them, with their defaults.
_SCHEDULE = [("scheduleType", REQUIRED), ("startDate", REQUIRED), ("endDate", REQUIRED), ("startTime", REQUIRED),
             ("endTime", REQUIRED), ("repeatCount", 0), ("repeatRate", 1), ("repeatDays", None)]
ORDER = {
    "submitBatchJob": [("name", REQUIRED), ("slots", REQUIRED), ("duts", REQUIRED), ("tests", REQUIRED),
                       ("failOnWarning", False)],
    "convertFilesToPublic": [("privatePath", REQUIRED), ("publicPath", REQUIRED), ("includeSubDirs", False)],
    "createSchedule": [("name", REQUIRED)] + _SCHEDULE,
    "modifySchedule": [("scheduleId", REQUIRED)] + _SCHEDULE,
    "addTestToSchedule": [("scheduleId", REQUIRED), ("testPath", REQUIRED), ("publicJob", REQUIRED),
                          ("slotsNeeded", REQUIRED), ("priority", 1), ("schedulingMode", 0), ("overrideArgs", "")],
    "updateJob": [(name, REQUIRED) for name in ("jobId", "publicJob", "slotsNeeded", "priority", "expectedDuration",
                                                "schedulingMode", "overrideArgs")],
    "listPublicFiles": [("remotePath", REQUIRED), ("includeDirs", False)],
    "listPrivateFiles": [("remotePath", REQUIRED), ("includeDirs", False), ("userName", "")],
}


class Package(object):
    """Calls by `CJobConfigurator`."""

    name = "package"

    def __init__(self, server):
        self._cfg = JobConfigurator.CJobConfigurator(server)

    def call(self, method, args, named):
        if method in PROPERTIES:
            return getattr(self._cfg, method)
        return getattr(self._cfg, method)(*args, **named)


class Wire(object):
    """Calls by `xmlrpclib` or `xmlrpc.client`, with nothing of ours in between."""

    name = "wire"

    def __init__(self, server, token):
        self._package = Package(server)
        address = JobConfigurator.Address(server)
        user = "any:%s@" % token if token else ""
        url = "%s://%s%s%s/" % (address.scheme, user, address, address.prefix)
        self._proxy = xmlrpclib.ServerProxy(url, allow_none=True)

    def call(self, method, args, named):
        if method == "uploadFiles":
            return self._package.call(method, args, named)
        return getattr(self._proxy, method)(*[on_the_wire(value) for value in in_order(method, args, named)])


def in_order(method, args, named):
    """All arguments by position; trailing ones that have their default may be left out, and are."""
    if not named:
        return args
    order = ORDER[method]
    rest = [(named.get(name, default), name in named) for name, default in order[len(args):]]
    while rest and not rest[-1][1]:
        rest.pop()
    if any(value is REQUIRED for value, _ in rest) or set(named) - set(name for name, _ in order):
        raise ValueError("%s%r does not fit its document" % (method, tuple(named)))
    return args + [value for value, _ in rest]


def on_the_wire(value):
    """XML-RPC has no dates and no times of day: ISO text."""
    if isinstance(value, (datetime.date, datetime.time)):
        return value.isoformat()
    if isinstance(value, (list, tuple)):
        return [on_the_wire(item) for item in value]
    return value


def filled(value, kept):
    """Arguments with what earlier steps kept."""
    if isinstance(value, shapes.Kept):
        return value.value(kept)
    if isinstance(value, (list, tuple)):
        return type(value)(filled(item, kept) for item in value)
    return value


def play(one, way, kept, patience_s):
    """One step. Gives `None` or what is wrong."""
    args, named = filled(one["args"], kept), one.get("named", {})
    deadline = time.time() + patience_s
    while True:
        answer = way.call(one["call"], args, named)
        early = shapes.match(answer, one["until"], kept) if "until" in one else None
        if early is None:
            break
        if time.time() > deadline:
            return "not within %d s: %s, the last answer is %r" % (patience_s, early, answer)
        time.sleep(0.2)
    wrong = shapes.match(answer, one["gives"], kept)
    if wrong is None and "keep" in one:
        kept.update(one["keep"](answer))
    return wrong if wrong is None else "%s; the answer is %r" % (wrong, answer)


def run(way, folder, patience_s, say):
    """All steps. Gives how many went wrong; what needs a step that went wrong is left out, and counts too."""
    kept, bad = {"folder": folder}, 0
    for number, one in enumerate(examples.STEPS):
        if one.get("only", way.name) != way.name:
            continue
        title = "%3d %-7s %s" % (number, one["chapter"] or "", one["call"])
        try:
            wrong = play(one, way, kept, patience_s)
        except KeyError as missing:
            wrong = "an earlier step has not given %s" % missing
        except (xmlrpclib.Error, EnvironmentError) as error:
            wrong = "%s: %s" % (type(error).__name__, error)
        bad += wrong is not None
        say("%s %s" % (title, "ok" if wrong is None else "WRONG: " + wrong))
    return bad


def main():
    """The exit code is 0 if every answer has the document's shape."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--server", default=JobConfigurator.default_server(), help="host:port")
    parser.add_argument("--via", choices=["package", "wire"], default="package")
    parser.add_argument("--patience", type=float, default=PATIENCE_S, metavar="SECONDS", help="longest wait for a job")
    options = parser.parse_args()
    way = Package(options.server) if options.via == "package" else Wire(options.server, os.environ.get("HEADEND_TOKEN"))
    folder = tempfile.mkdtemp(prefix="transcript-")
    try:
        for path, content in examples.LOCAL_FILES.items():
            name = os.path.join(folder, *path.split("/"))
            if not os.path.isdir(os.path.dirname(name)):
                os.makedirs(os.path.dirname(name))
            with open(name, "wb") as target:
                target.write(content.encode("ascii"))
        bad = run(way, folder, options.patience, lambda line: (print(line), sys.stdout.flush()))
    finally:
        shutil.rmtree(folder, True)
    print("%d wrong" % bad if bad else "every answer has the document's shape")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
