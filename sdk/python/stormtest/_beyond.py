"""What the session can do beyond the Client API: any analyser by its name, results besides the test's own, faults."""

from __future__ import absolute_import

from stormtest import _arguments, _images, _rows, _text, _watching
from stormtest._state import STATE
from stormtest.Imaging import of_capture

_UNTIL = (_watching.MATCH, _watching.NO_MATCH, _watching.END)


def WaitAnalyser(analyser, parameters=None, references=None, until=_watching.MATCH,
                 timeToWait=_watching.TIME_TO_WAIT_S, waitGap=_watching.WAIT_GAP_S, slotNo=0):
    """Watch with any analyser, such as `black`, `freeze` or `tone`, with the parameters of its manifest.

    `references`: images by name, or a list of them (`reference`, `reference_2`, ...). `until`: `match`, `no_match`, `end`.
    Rows `[slot, met, verdict]`, the verdict a dict with `passed`, `score`, `sentence`, `values`, `found`, `seconds`,
    `looks`, `at_us`, `image`; with a slot the bare row.
    """
    title = "WaitAnalyser"

    def find(slot):
        if until not in _UNTIL:
            raise ValueError("until is %r; use one of %s" % (until, ", ".join(_UNTIL)))
        asked = [_question(analyser, parameters, references)]
        found = _watching.watch(title, asked, until, (timeToWait, waitGap), slot)
        return found and [(number, [bool(watched["met"]), _verdict(watched)]) for number, watched in found]

    return _rows.answered(title, slotNo, _rows.BARE, lambda: [False, _verdict(_watching.NOTHING)], find)


def AnalyseImage(image, analyser, parameters=None, references=None):
    """Ask any analyser about a stored image: `[passed, verdict]`, the verdict as of `WaitAnalyser`."""
    title = "AnalyseImage"
    try:
        watched = _watching.analyse(title, [_question(analyser, parameters, references)], _images.source(image))
    except ValueError as error:
        _arguments.refused("Failure in %s" % title, error)
        watched = None
    watched = watched or _watching.NOTHING
    return [bool(watched["passed"]), _verdict(watched)]


def _question(analyser, parameters, references):
    if not isinstance(references, dict):
        paths = [_images.source(image) for image in references or []]
        return _watching.question(_arguments.name(analyser), dict(parameters or {}), paths)
    asked = _watching.question(_arguments.name(analyser), dict(parameters or {}))
    asked["references"] = [{"name": _arguments.name(name), "path": _images.source(image)}
                           for name, image in sorted(references.items())]
    return asked


def _verdict(watched):
    verdict = dict((key, value) for key, value in watched.items() if key not in ("met", "picture"))
    verdict["image"] = of_capture(watched["picture"])
    return verdict


def RecordMeasurement(name, value, unit=None, low=None, high=None):
    """Keep a number that the test has measured with its results, and the limits that it should be within.

    Gives 1 if it is kept and lies within its limits (both included; `None`: there is none), else 0: an ERROR line says why it was
    not kept, the page marks what lies outside. The limits do not change the result of the run: that is `ReturnTestResult`'s.
    """
    try:
        args = {"name": _arguments.name(name), "value": _arguments.number(value), "unit": _arguments.optional(unit)}
        for key, limit in (("low", low), ("high", high)):
            # A rack that knows no limits takes what has none.
            if limit is not None:
                args[key] = _arguments.number(limit)
    except ValueError as error:
        _arguments.refused("Failure in RecordMeasurement(%s)" % _text.to_native(_text.to_text(name)), error)
        return 0
    kept, within = _asked("RecordMeasurement", "measure", args)
    return int(kept and within is not False)


def AddArtifact(path, name=None):
    """Keep a file of the run's folder with the results; a relative path is one below that folder. Gives 1 or 0."""
    return _told("AddArtifact", "artifact", {"path": _text.to_text(path), "name": _arguments.optional(name)})


def InjectFault(fault, slotNo=0):
    """Order a fault at a virtual box, such as `freeze 5s`. Gives 1 if every slot takes it, else 0 and an ERROR line."""
    try:
        slot = _arguments.slot_or_all(slotNo)
    except ValueError as error:
        _arguments.refused("Failure in InjectFault", error)
        return 0
    found = _rows.per_slot("InjectFault", "inject", slot, fault=_arguments.name(fault))
    return int(bool(found) and all(ok for _, ok in found))


def _told(title, call, args):
    return int(_asked(title, call, args)[0])


def _asked(title, call, args):
    """`(whether it was taken, the answer)`."""
    # The answer may be nothing, and so is that of a refusal: they are told apart by a mark of our own.
    refused = object()
    answer = STATE.ask_gently("Failure in %s" % title, call, default_=refused, **args)
    return answer is not refused, answer
