"""Answers as scripts know them: a row per slot, and what is left of it when the script named the slot.

A call without a slot gives `[[slot, ...], ...]`. With a slot most calls give the bare row without the number, some the
row with its number, some the list of rows all the same: what real scripts count on (CLIENT.md has the table).
"""

from __future__ import absolute_import

from stormtest import _arguments
from stormtest._state import STATE

BARE, NUMBERED, ROWS = "bare", "numbered", "rows"


def answered(title, slot_no, form, failed, find):
    """The answer of a call, by slot and in the right form.

    `find(slot)`: gives `[(slot, row)]`, or `None` when the rack refused and the log says so; it may raise `ValueError`
    for a bad argument. `failed()`: the row of a slot for which nothing came. Never raises for a bad argument.
    """
    found, slot = None, slot_no or None
    try:
        slot = _arguments.slot_or_all(slot_no)
        found = find(slot)
    except ValueError as error:
        _arguments.refused("Failure in %s" % title, error)
    if not found:
        found = [(number, failed()) for number in (STATE.reserved if slot is None else [slot])]
    rows = [[number] + list(row) for number, row in found]
    if slot is None or form == ROWS:
        return rows
    return rows[0] if form == NUMBERED else rows[0][1:]


def per_slot(title, call_, slot, **args):
    """Ask for one slot or all: `[(slot, value)]`, or `None` with an ERROR line."""
    failure = "Failure in %s" % title
    answers = STATE.ask_gently(failure, call_, slot=slot, **args)
    if answers is None:
        return None
    if not answers:
        _arguments.refused(failure, "no slot is reserved")
    return [(answer["slot"], answer["value"]) for answer in answers]
