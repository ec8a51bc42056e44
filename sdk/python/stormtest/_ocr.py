"""Text on the screen, by the analyser `ocr`; and how far texts are from each other."""

from __future__ import absolute_import

from stormtest import _arguments, _images, _rows, _text, _watching
from stormtest._state import STATE

# Nothing is counted here; scripts give up when nothing is left.
_REMAINING = 1000000
# The languages' names in the analyser are ISO 639 codes of three letters.
_LANGUAGES = {"english": "eng", "en": "eng", "german": "deu", "de": "deu", "ger": "deu", "french": "fra", "fr": "fra",
              "fre": "fra", "spanish": "spa", "es": "spa", "italian": "ita", "it": "ita", "dutch": "nld", "nl": "nld",
              "portuguese": "por", "pt": "por", "polish": "pol", "pl": "pol", "swedish": "swe", "sv": "swe",
              "danish": "dan", "da": "dan", "norwegian": "nor", "no": "nor", "finnish": "fin", "fi": "fin"}
_MOST_CHARS = 4096
_MOST_EXPECTED = 500


def OCRSetLanguage(language):
    """The language, or list of languages, of all that is read from now on: `'deu'`, `'eng+deu'`, `'German'`. Gives 1."""
    given = language if isinstance(language, (list, tuple)) else _text.to_text(language).split(u"+")
    codes = [_text.to_native(_text.to_text(one).strip().lower()) for one in given]
    STATE.languages = [_LANGUAGES.get(code, code) for code in codes if code]
    return 1


def OCRGetRemainingChars():
    """How many characters may still be read: always a million, nothing is counted."""
    return _REMAINING


def OCRSlot(rect=None, slotNo=0):
    """Read what stands on the screen, or in `rect`.

    Gives `[suspicious symbols, unrecognised symbols, all symbols, all words, text]`. With a slot they are four counts
    and a text; without one each of the five is a list of rows `[slot, value]`.
    """
    title = "OCRSlot"

    def find(slot):
        found = _watching.watch(title, [question(_arguments.rectangle(rect))], _watching.END, (0, 0), slot)
        return found and [(number, read(watched)) for number, watched in found]

    answer = _rows.answered(title, slotNo, _rows.BARE, lambda: read(_watching.NOTHING), find)
    if slotNo:
        return answer
    return [[[row[0], row[column]] for row in answer] for column in range(1, 6)]


def OCRImage(image, rect=None):
    """Read what stands on a stored image, or in `rect` of it: four counts and the text, as of `OCRSlot` with a slot."""
    title = "OCRImage"
    try:
        watched = _watching.analyse(title, [question(_arguments.rectangle(rect))], _images.source(image))
    except ValueError as error:
        _arguments.refused("Failure in %s" % title, error)
        watched = None
    return read(watched or _watching.NOTHING)


def question(area, expected=None, language=None):
    """The question what stands there, or whether `expected` does."""
    languages = [language] if language else list(STATE.languages)
    expected = _text.to_text(expected)[:_MOST_EXPECTED] if expected else None
    return _watching.question("ocr", {"region": area, "languages": languages or None, "expect": expected})


def read(watched):
    """The five things that a reading gives, of a verdict."""
    words = [found for found in watched["found"] if found["label"]]
    letters = u"".join(_text.to_text(word["label"]) for word in words)
    # The reader tells how sure it is on the whole: that share of the letters is taken for sure.
    doubt = 1.0 - watched["values"].get("confidence", 1.0)
    return [int(round(len(letters) * max(0.0, doubt))), letters.count(u"\ufffd"), len(letters), len(words),
            _lined_up(words)]


def _lined_up(words):
    """The words as text: a new line where one stands below the one before it."""
    text, before = "", None
    for word in words:
        if before is not None:
            text += "\n" if word["area"][1] >= before[1] + before[3] * 0.6 or word["area"][0] < before[0] else " "
        text += word["label"]
        before = word["area"]
    return text


def CompareStrings(reference, text, threshold=0):
    """1 if the texts are at most `threshold` changes of a character apart, else 0."""
    try:
        return int(ComputeStringsDistance(reference, text) <= _arguments.number(threshold))
    except ValueError as error:
        _arguments.refused("Failure in CompareStrings", error)
        return 0


def ComputeStringsDistance(a, b):
    """How many characters must be put in, taken out or replaced to make one text of the other (Levenshtein)."""
    a, b = _text.to_text(a)[:_MOST_CHARS], _text.to_text(b)[:_MOST_CHARS]
    if len(a) < len(b):
        a, b = b, a
    row = list(range(len(b) + 1))
    for at, letter in enumerate(a):
        diagonal, row[0] = row[0], at + 1
        for column, other in enumerate(b):
            cost = diagonal + (letter != other)
            diagonal = row[column + 1]
            row[column + 1] = min(cost, diagonal + 1, row[column] + 1)
    return row[-1]
