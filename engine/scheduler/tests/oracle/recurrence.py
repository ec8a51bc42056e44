"""When schedules are due, said a second time with nothing but the standard library.

The rules of engine/design/0011-schedules.md, written without looking at the Rust code: it walks day by day and asks
`zoneinfo`. Reads one case per line from standard input:

    ZONE KIND START END START_TIME END_TIME COUNT RATE DAYS FIRST_YEAR LAST_YEAR

(END `-`: none; DAYS: `-` or `Mon,Wed`) and answers each with one line of `START:END` pairs in Unix seconds (END `-`:
open), for the occurrences that begin in those years. Zone files are found by PYTHONTZPATH alone.
"""
import datetime as dt
import sys
import zoneinfo

UTC = dt.timezone.utc
EPOCH = dt.datetime(1970, 1, 1, tzinfo=UTC)
ONE_DAY = dt.timedelta(days=1)
NAMES = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"]


def unix(naive, zone):
    """fold=0: of a repeated hour the first; a skipped time is read with the offset before the gap."""
    moment = naive.replace(tzinfo=zone, fold=0).astimezone(UTC)
    return int((moment - EPOCH).total_seconds())


def is_day(kind, date, start, rate, days):
    if date < start:
        return False
    if kind == "Daily":
        return (date - start).days % rate == 0
    if kind == "Weekdays":
        return date.weekday() < 5
    if kind == "Weekends":
        return date.weekday() >= 5
    monday = start - dt.timedelta(days=start.weekday())
    return (date - monday).days // 7 % rate == 0 and NAMES[date.weekday()] in days


def pair(begin, finish, zone):
    start, end = unix(begin, zone), unix(finish, zone)
    if end <= start:
        end = start + int((finish - begin).total_seconds())
    return start, end


def period(start, end, start_time, end_time, zone):
    begin = dt.datetime.combine(start, start_time)
    if end is None:
        return [(unix(begin, zone), None)]
    return [pair(begin, dt.datetime.combine(end, end_time), zone)]


def windows(case, last):
    zone, kind, start, end, start_time, end_time, count, rate, days = case
    if kind in ("Loop", "OneOff"):
        return period(start, end, start_time, end_time, zone)
    found, date = [], start
    while date <= last and (end is None or date <= end) and (count == 0 or len(found) < count):
        if is_day(kind, date, start, rate, days):
            begin = dt.datetime.combine(date, start_time)
            finish = dt.datetime.combine(date, end_time)
            if finish <= begin:
                finish += ONE_DAY
            found.append(pair(begin, finish, zone))
        date += ONE_DAY
    kept = []
    for at, (begin, finish) in enumerate(found):
        following = found[at + 1][0] if at + 1 < len(found) else None
        if following is not None and following <= begin:
            continue
        kept.append((begin, finish if following is None else min(finish, following)))
    return kept


def answer(line):
    zone, kind, start, end, start_time, end_time, count, rate, days, first, last = line.split()
    case = (
        zoneinfo.ZoneInfo(zone),
        kind,
        dt.date.fromisoformat(start),
        None if end == "-" else dt.date.fromisoformat(end),
        dt.time.fromisoformat(start_time),
        dt.time.fromisoformat(end_time),
        int(count),
        int(rate),
        [] if days == "-" else days.split(","),
    )
    # A few days more, so that the last window knows what follows it.
    found = windows(case, dt.date(int(last), 12, 31) + 30 * ONE_DAY)
    low = int((dt.datetime(int(first), 1, 1, tzinfo=UTC) - EPOCH).total_seconds())
    high = int((dt.datetime(int(last) + 1, 1, 1, tzinfo=UTC) - EPOCH).total_seconds())
    inside = [(begin, finish) for begin, finish in found if low <= begin < high]
    return " ".join("%d:%s" % (begin, "-" if finish is None else finish) for begin, finish in inside)


def main():
    for line in sys.stdin:
        print(answer(line))


if __name__ == "__main__":
    main()
