"""Server, slots, results."""

from __future__ import absolute_import

import os

from stormtest import __version__, _arguments, _local, _reserved, _text
from stormtest._constants import TM
from stormtest._session import Session
from stormtest._source import own_script
from stormtest._state import SOFT_CODES, STATE, to_stderr
from stormtest.errors import CallRefused, SessionLost, StormTestError

_RESULTS = {TM.PASS: "PASS", TM.PARTIAL_PASS: "PARTIAL_PASS", TM.NOT_RUN: "NOT_RUN", TM.FAIL: "FAIL"}
_SERIAL_PARAMS = 16


def SetMasterConfigurationServer(name):
    """Choose the configuration server: a host name or address; port 8001 unless given."""
    STATE.master = name


_CONFIGURATORS = {}


def GetJobConfigurator():
    """The `CJobConfigurator` of the server that `SetMasterConfigurationServer` chose; the same one every time.

    Without a choice it is that of `HEADEND_SERVER`, else of the credentials file, else this machine.
    """
    # HTTP and XML are heavy, and of no use to a script that only drives boxes.
    from stormtest import JobConfigurator
    server = STATE.master or JobConfigurator.default_server()
    if server not in _CONFIGURATORS:
        _CONFIGURATORS[server] = JobConfigurator.CJobConfigurator(server)
    return _CONFIGURATORS[server]


def ConnectToServer(server, description=""):
    """Connect. Under a rack `server` is ignored; at a prompt a local virtual rack is started.

    On a reserved slot (`HEADEND_SLOT`) `server` chooses the server if there is a token for it; else a WARNING line says
    where the session is. Gives 1; 0 and an ERROR line when already connected. Raises `SystemExit` when it fails.
    """
    shown = _reserved.without_token(server)
    try:
        _start_local_rack(server)
        made = STATE.ask("connect", server=_arguments.name(shown), description=_arguments.name(description))
    except StormTestError as error:
        raise SystemExit("ConnectToServer(%s) failed: %s" % (_text.to_native(shown), error))
    if not made:
        STATE.log("error", u"ConnectToServer(%s) failed because this test has already been connected to %s"
                  % (shown, _text.to_text(STATE.connected_to or "a server")))
        return 0
    STATE.connected_to = _text.to_native(shown)
    return 1


def _start_local_rack(server):
    if STATE.session is not None:
        return
    STATE.local_rack, warning = _local_rack(server)
    STATE.session = Session(STATE.local_rack.socket, STATE.local_rack.token, own_script())
    if warning:
        STATE.log("warning", warning)


def _local_rack(server):
    """The program that serves the session, and what to warn of."""
    environment, warning = _reserved.choose(server) if _local.on_a_reserved_slot() else ({}, None)
    if environment:
        try:
            return _local.LocalRack(STATE.out_folder, environment), None
        except StormTestError:
            # The program has said why on standard error. A script that names the server of another lab runs as it did.
            warning = _reserved.warning(server, u"it gives no session")
    if warning:
        to_stderr(u"WARNING " + warning)
    return _local.LocalRack(STATE.out_folder), warning


def ReleaseServerConnection():
    """Free all slots. Never raises, so that it can stand in `finally`. Gives 1, or 0 if the rack has gone."""
    reserved, STATE.reserved = STATE.reserved, []
    STATE.connected_to = None
    if STATE.session is None:
        to_stderr(u"INFO Releasing slots []")
        return 1
    try:
        STATE.log("info", u"Releasing slots %s" % (reserved,))
        return int(bool(STATE.ask("disconnect")))
    except CallRefused as refusal:
        return int(refusal.code in SOFT_CODES)
    except SessionLost as lost:
        to_stderr(u"ERROR ReleaseServerConnection: %s" % _text.to_text(lost))
        return 0


def ReserveSlot(slotNo, signalDb="", serialParams=None, videoFlag=True):
    """Reserve a slot under the script's own number. Gives int 1, or 0 with a log line when it cannot be had.

    `signalDb`: infrared key set; `serialParams`: `[baud, bits, parity, stopbits, flow]` and a log name, or `[]`.
    """
    failure = "Failure in ReserveSlot(%s)" % (slotNo,)
    try:
        slot = _arguments.slot_or_all(slotNo)
    except ValueError as error:
        _arguments.refused(failure, error)
        return 0
    if slot is None:
        _arguments.refused(failure, "slots count from 1")
        return 0
    params = {
        "signalDb": _arguments.name(signalDb or ""),
        "serialParams": _text.to_json(list(serialParams or [])[:_SERIAL_PARAMS]),
        "videoFlag": bool(videoFlag),
    }
    if not STATE.ask_softly(failure, False, "reserve_slot", slot=slot, params=params):
        STATE.log("error", u"Slot %d is unavailable" % slot)
        return 0
    STATE.reserved.append(slot)
    return 1


def FreeSlot(slotNo):
    """Release one slot. Gives 1 if it was held, else 0."""
    failure = "Failure in FreeSlot(%s)" % (slotNo,)
    try:
        slot = _arguments.slot_or_all(slotNo)
    except ValueError as error:
        _arguments.refused(failure, error)
        return 0
    if slot is None or not STATE.ask_softly(failure, False, "free_slot", slot=slot):
        return 0
    STATE.reserved = [held for held in STATE.reserved if held != slot]
    return 1


def GetPhysicalAllocations():
    """`["host:port", [slot, ...]]`: the real server and slots. `["", []]` at a prompt before `ConnectToServer`."""
    if STATE.session is None:
        return ["", []]
    answer = STATE.ask("allocations")
    return [answer["server"], list(answer["slots"])]


def IsUnderDaemon():
    """`True` if a rack's daemon runs this script, `False` at a prompt and under `headend run`."""
    return STATE.under_daemon


def GetClientVersion():
    """Version of this package as four numbers, such as `0.1.0.0`."""
    return __version__ + ".0"


def ReturnTestResult(result, flag=None):
    """Report the result, one of `TM`. The first one counts; the script goes on.

    `flag`: a text is kept as the comment; other values are taken and mean nothing. Gives 1, or 0 with a log line.
    """
    try:
        code = int(result)
    except (TypeError, ValueError):
        code = None
    if code not in _RESULTS:
        STATE.log("error", u"ReturnTestResult(%s) is not a result: use TM.PASS, TM.PARTIAL_PASS, TM.NOT_RUN or TM.FAIL"
                  % _text.to_text(result))
        return 0
    if STATE.session is None:
        to_stderr(u"RESULT %d %s" % (code, _text.to_text(_RESULTS[code])))
        return 1
    return _report(code, flag)


def _report(code, flag):
    comment = _arguments.name(flag) if isinstance(flag, (_text.BYTES, _text.TEXT)) else None
    try:
        taken = STATE.ask("result", code=code, comment=comment)
    except CallRefused as refusal:
        if refusal.code != "bad_result":
            raise
        _arguments.refused("ReturnTestResult(%d)" % code, refusal)
        return 0
    if not taken:
        STATE.log("warning", u"ReturnTestResult(%d): a result was returned before; the first one counts" % code)
    return int(bool(taken))


def SetDirectories(imageDir=None, logDir=None, **others):
    """Folders of a script. `imageDir`: base of relative image paths; `logDir`: base of logs, ignored under a daemon.

    Other names are taken and have no effect; the log says so.
    """
    if imageDir is not None:
        STATE.image_dir = os.path.abspath(STATE.find_file(imageDir))
    if logDir is not None and not STATE.under_daemon:
        STATE.log_dir = logDir
    for name in sorted(others):
        STATE.log("warning", u"SetDirectories: %s has no effect here" % _text.to_text(name))


def SetProjectDir(path):
    """Base folder of logs at a prompt; ignored under a daemon."""
    if not STATE.under_daemon:
        STATE.project_dir = path


def GetLogFileDirectory():
    """Absolute folder of this run's log and captures. Needs no connection."""
    return STATE.out_folder()
