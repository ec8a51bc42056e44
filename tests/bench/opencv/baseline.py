"""What OpenCV does for the questions of the analysers, and stb-tester for image matches: the baseline of `cargo xtask bench analysers`.

Reads a question per line from standard input, answers with a line on standard output:

    {"analyser", "frames": [file], "reference": file or null, "parameters", "one_thread"}
    {"us": the quickest of many calls, "passed", "place": [x, y] or null, "by"}

Each function does what the analyser does with its last frame, by the fastest calls of OpenCV that we know; pictures are decoded before.
A question that nothing is known for is answered with {"why"}.
"""

import json
import sys
import time

import cv2
import numpy

try:
    import stbt_core
except ImportError as error:
    stbt_core = None
    print("stb-tester's match is not here, plain OpenCV stands in for it: %s" % error, file=sys.stderr)

LONG_S = 0.5
AT_LEAST, AT_MOST = 9, 400


def version_of(package):
    import importlib.metadata

    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "?"


OPENCV = "OpenCV " + cv2.__version__
STBT = "stbt-core " + version_of("stbt-core")


def bgr(colour):
    return tuple(int(value) for value in reversed(colour))


def colour(frames, _, wanted):
    frame = frames[-1]
    value = bgr(wanted["value"])
    mean, deviation = cv2.meanStdDev(frame)
    low = tuple(max(0, channel - 10) for channel in value)
    high = tuple(min(255, channel + 10) for channel in value)
    near = cv2.countNonZero(cv2.inRange(frame, low, high))
    pixels = frame.shape[0] * frame.shape[1]
    right = all(abs(round(float(seen)) - channel) <= 10 for seen, channel in zip(mean.ravel(), value))
    flatness = 100 * (1 - float(deviation.max()) / 127.5)
    return right and flatness >= 70 and 100 * (pixels - near) / pixels <= 2, None


def stbt_match(frames, reference, _):
    found = stbt_core.match(reference, frame=frames[-1])
    return bool(found), (found.region.x, found.region.y) if found else None


def best_place(frame, reference):
    """Exhaustive, as ours: the smallest sum of squares over all places."""
    differences = cv2.matchTemplate(frame, reference, cv2.TM_SQDIFF)
    _, _, place, _ = cv2.minMaxLoc(differences)
    there = frame[place[1]:place[1] + reference.shape[0], place[0]:place[0] + reference.shape[1]]
    return place, cv2.absdiff(there, reference)


def image_match(frames, reference, wanted):
    place, difference = best_place(frames[-1], reference)
    tolerance = wanted["tolerance"]
    within = cv2.countNonZero(cv2.inRange(difference, (0, 0, 0), (tolerance,) * 3))
    passed = 100.0 * within / (difference.shape[0] * difference.shape[1]) >= wanted["percent"]
    return passed, place if passed else None


def icon_search(frames, reference, wanted):
    place, difference = best_place(frames[-1], reference)
    score = 1 - sum(cv2.mean(difference)) / 3 / 255
    passed = score >= wanted["percent"] / 100.0
    return passed, place if passed else None


def black(frames, _, __):
    grey = cv2.cvtColor(frames[-1], cv2.COLOR_BGR2GRAY)
    dark = cv2.countNonZero(cv2.inRange(grey, 0, 24))
    return dark / grey.size >= 0.98, None


def within(one, other, tolerance):
    return cv2.inRange(cv2.absdiff(one, other), (0, 0, 0), (tolerance,) * 3)


def freeze(frames, _, __):
    alike = within(frames[-2], frames[-1], 8)
    return (alike.size - cv2.countNonZero(alike)) / alike.size <= 0.001, None


def motion(frames, _, __):
    alike = within(frames[-2], frames[-1], 16)
    changed = cv2.bitwise_not(alike)
    cv2.boundingRect(changed)
    return 100.0 * cv2.countNonZero(changed) / alike.size >= 1, None


def detail(grey):
    """Variance of the Laplacian."""
    _, deviation = cv2.meanStdDev(cv2.Laplacian(grey, cv2.CV_16S, ksize=1))
    return float(deviation[0][0]) ** 2


def blur(frames, _, __):
    grey = cv2.cvtColor(frames[-1], cv2.COLOR_BGR2GRAY)
    sharpness = detail(grey)
    _, deviation = cv2.meanStdDev(grey)
    return float(deviation[0][0]) >= 5 and sharpness < 100, None


def broken_share(grey, side):
    """Squares that are even within and a step away from all four around them."""
    rows, columns = grey.shape[0] // side, grey.shape[1] // side
    part = grey[: rows * side, : columns * side]
    across = cv2.absdiff(part[:, 1:], part[:, :-1])
    down = cv2.absdiff(part[1:], part[:-1])
    # Steps into squares: those across in columns side - 1, 2 side - 1, ...; means over each square's edge.
    left = cv2.resize(across[:, side - 1 :: side], (columns - 1, rows), interpolation=cv2.INTER_AREA)
    top = cv2.resize(down[side - 1 :: side], (columns, rows - 1), interpolation=cv2.INTER_AREA)
    # All steps of a square less those into it.
    all_across = cv2.resize(cv2.copyMakeBorder(across, 0, 0, 1, 0, cv2.BORDER_CONSTANT), (columns, rows), interpolation=cv2.INTER_AREA)
    all_down = cv2.resize(cv2.copyMakeBorder(down, 1, 0, 0, 0, cv2.BORDER_CONSTANT), (columns, rows), interpolation=cv2.INTER_AREA)
    left, top = left.astype(numpy.float32), top.astype(numpy.float32)
    inner = all_across[1:-1, 1:-1].astype(numpy.float32) + all_down[1:-1, 1:-1]
    inner = (inner * side - left[1:-1, :-1] - top[:-1, 1:-1]) / (2 * (side - 1))
    weakest = numpy.minimum(numpy.minimum(left[1:-1, :-1], left[1:-1, 1:]), numpy.minimum(top[:-1, 1:-1], top[1:, 1:-1]))
    broken = numpy.count_nonzero((weakest >= 12) & (weakest >= 3 * inner))
    return broken / (rows * columns)


def macroblocks(frames, _, __):
    grey = cv2.cvtColor(frames[-1], cv2.COLOR_BGR2GRAY)
    return max(broken_share(grey, 8), broken_share(grey, 16)) >= 0.01, None


def signal_loss(frames, _, __):
    frame = frames[-1]
    mean, deviation = cv2.meanStdDev(frame)
    grey = cv2.cvtColor(frame, cv2.COLOR_BGR2GRAY)
    _, grey_deviation = cv2.meanStdDev(grey)
    sharpness, variance = detail(grey), float(grey_deviation[0][0]) ** 2
    if float(deviation.max()) <= 3:
        return float(mean.max()) > 24, None
    return min(sharpness / (20 * variance), 1) >= 0.6, None


QUESTIONS = {
    "colour": (colour, OPENCV),
    "image-match": (stbt_match, STBT) if stbt_core else (image_match, OPENCV),
    "icon-search": (icon_search, OPENCV),
    "black": (black, OPENCV),
    "freeze": (freeze, OPENCV),
    "motion": (motion, OPENCV),
    "blur": (blur, OPENCV),
    "macroblocks": (macroblocks, OPENCV),
    "signal-loss": (signal_loss, OPENCV),
}


def measure(work):
    """The answer, and what the quickest call takes: what else the machine does is left out."""
    answer = work()
    times, begin = [], time.perf_counter()
    while len(times) < AT_LEAST or (time.perf_counter() - begin < LONG_S and len(times) < AT_MOST):
        before = time.perf_counter_ns()
        work()
        times.append((time.perf_counter_ns() - before) / 1e3)
    return answer, min(times)


def read(path):
    picture = cv2.imread(path, cv2.IMREAD_COLOR)
    if picture is None:
        raise ValueError("OpenCV cannot read %s" % path)
    return picture


def answer(question):
    work, by = QUESTIONS.get(question["analyser"], (None, None))
    if work is None:
        return {"why": "OpenCV has nothing like %s" % question["analyser"]}
    # 1: none but the caller's; a negative number: the default, as many as the machine has.
    cv2.setNumThreads(1 if question["one_thread"] else -1)
    frames = [read(path) for path in question["frames"]]
    reference = read(question["reference"]) if question["reference"] else None
    (passed, place), quickest = measure(lambda: work(frames, reference, question["parameters"]))
    return {"us": quickest, "passed": bool(passed), "place": place and [int(place[0]), int(place[1])], "by": by}


if __name__ == "__main__":
    for line in sys.stdin:
        print(json.dumps(answer(json.loads(line))), flush=True)
