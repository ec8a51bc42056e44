"""Questions to analysers: over what slots show from now on, and over stored pictures.

A question is `{"analyser", "parameters", "references"}`. Where several areas count, each is a question of its own, and
all must hold: of one question the rack does the waiting, of several this side does, one look at a time.
"""

from __future__ import absolute_import

from stormtest import _arguments, _images, _rows
from stormtest._state import STATE

MATCH, NO_MATCH, END = "match", "no_match", "end"
# Defaults of waits: how long, and from one look to the next, in seconds. Real logs show about a second between looks.
TIME_TO_WAIT_S = 5
WAIT_GAP_S = 1
_LEAST_GAP_MS = 40
NOTHING = {"met": False, "passed": False, "score": 0.0, "sentence": "", "values": {}, "found": [], "at_us": 0,
           "looks": 0, "seconds": 0.0, "picture": None}


def question(analyser, parameters, references=()):
    """A question. `references`: absolute paths of pictures; the first is named `reference`. `None`s are left out."""
    names = ["reference"] + ["reference_%d" % number for number in range(2, 2 + len(references))]
    kept = dict((name, value) for name, value in parameters.items() if value is not None)
    return {"analyser": analyser, "parameters": kept,
            "references": [{"name": name, "path": path} for name, path in zip(names, references)]}


def watch(title, questions, until, times, slot):
    """`[(slot, watched)]` for all `questions`, or `None` with an ERROR line. `times`: seconds to wait, and between looks."""
    timeout_ms, gap_ms = (_arguments.milliseconds(seconds) for seconds in times)
    if len(questions) == 1:
        found = _rows.per_slot(title, "watch", slot, question=questions[0], until=until, timeout_ms=timeout_ms,
                               gap_ms=gap_ms)
        return None if found is None else [(number, dict(NOTHING, **(watched or {}))) for number, watched in found]
    return _in_rounds(title, questions, until, (timeout_ms, max(gap_ms, _LEAST_GAP_MS)), slot)


def _in_rounds(title, questions, until, times, slot):
    timeout_ms, gap_ms = times
    seen, begun = {}, {}
    # Bounded by rounds too: of a device whose clock stands still the time would never be over.
    for turn in range(1 + timeout_ms // gap_ms):
        if turn:
            STATE.pass_time(gap_ms)
        looks = _look(title, questions, slot)
        if looks is None:
            return None
        for number, watched in looks:
            if number in seen and seen[number]["met"]:
                continue
            start = begun.setdefault(number, watched["at_us"])
            met = watched["passed"] == (until == MATCH) and until != END
            seen[number] = dict(watched, met=met, looks=turn + 1, seconds=(watched["at_us"] - start) / 1e6)
        if all(watched["met"] for watched in seen.values()):
            break
    return [(number, seen[number]) for number, _ in looks]


def _look(title, questions, slot):
    """One look for each question: of each slot the first verdict that fails, else the last."""
    seen, order = {}, []
    for one in questions:
        found = _rows.per_slot(title, "watch", slot, question=one, until=END, timeout_ms=0, gap_ms=0)
        if not found:
            return None
        order = [number for number, _ in found]
        for number, watched in found:
            if number not in seen or seen[number]["passed"]:
                seen[number] = dict(NOTHING, **(watched or {}))
    return [(number, seen[number]) for number in order]


def analyse(title, questions, picture):
    """The verdict over a stored picture: the first that fails, else the last; `None` with an ERROR line."""
    watched = None
    for one in questions:
        answer = STATE.ask_gently("Failure in %s" % title, "analyse", question=one, picture=picture)
        if answer is None:
            return None
        watched = dict(NOTHING, **answer)
        if not watched["passed"]:
            break
    return watched


def image_size(picture):
    """`[width, height]` of a stored picture, or `None`."""
    return _images.size(picture)


def screen_size(title, slot):
    """`[width, height]` of what the slot shows, or `None`: no signal, or it cannot be told."""
    found = _rows.per_slot(title, "signal", slot) or []
    for _, signal in found:
        if signal and signal.get("width") and signal.get("height"):
            return [signal["width"], signal["height"]]
    return None
