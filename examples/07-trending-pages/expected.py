"""Computes what the job must write, from its input; Python's standard library only.

    python3 expected.py           writes the files of expected/
    python3 expected.py --check   compares them with what it computes

Nothing here is shared with the engine. Which clicks are late is found row by row; then each window is counted from the list of those that are
not, all over again.
"""

import datetime
import json
import pathlib
import sys

HERE = pathlib.Path(__file__).parent
MINUTE = 60_000
LONG, OUT_OF_ORDER, MANY, FIRST = 10 * MINUTE, 15_000, 20, 3


def millis(text):
    return round(datetime.datetime.fromisoformat(text).timestamp() * 1000)


def timestamp(time):
    moment = datetime.datetime.fromtimestamp(time / 1000, datetime.UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{time % 1000:03}Z"


def starts(time):
    """The windows that a moment lies in, by their starts."""
    last = time // MINUTE * MINUTE
    return range(last - LONG + MINUTE, last + 1, MINUTE)


def compute():
    """The rows of each output."""
    counted, late, watermark = {}, [], None
    for line in (HERE / "clicks.ndjson").read_text().splitlines():
        click = json.loads(line)
        time = millis(click["at"])
        if "bot" not in (click["agent"] or ""):
            # A window is past when the watermark is at its last millisecond.
            open_ones = [start for start in starts(time) if watermark is None or start + LONG - 1 > watermark]
            for start in open_ones:
                counted.setdefault((start, click["page"]), []).append(click["visitor"])
            if not open_ones:
                late.append({**click, "at": timestamp(time)})
        watermark = max(watermark or 0, time - OUT_OF_ORDER - 1)
    trending, by_end = [], {}
    for (start, page), visitors in sorted(counted.items()):
        views, people = len(visitors), len(set(visitors))
        by_end.setdefault(start + LONG, []).append((people, page))
        if people >= MANY:
            bounds = {"window_start": timestamp(start), "window_end": timestamp(start + LONG)}
            trending.append({"page": page, **bounds, "views": views, "visitors": people})
    overview = [
        {
            "site": "example.org",
            "window_start": timestamp(end - MINUTE),
            "window_end": timestamp(end),
            "pages": len(people),
            "popular": sum(many >= MANY for many, _ in people),
            "most": max(people)[0],
            # Of pages with as many visitors the one whose name is the greater comes first.
            "top": [{"page": page, "visitors": many} for many, page in sorted(people, reverse=True)[:FIRST]],
        }
        for end, people in sorted(by_end.items())
    ]
    top = [{"window_end": minute["window_end"], **place} for minute in overview for place in minute["top"]]
    return {"trending": trending, "overview": overview, "top": top, "late": late}


def main():
    wrong = []
    for name, rows in compute().items():
        path = HERE / "expected" / f"{name}.ndjson"
        text = "".join(json.dumps(row, separators=(",", ":")) + "\n" for row in rows)
        if sys.argv[1:] == ["--check"]:
            if path.read_text() != text:
                wrong.append(f"{path}: is not what expected.py computes; run it without --check to see the difference")
        else:
            path.write_text(text)
    sys.exit("\n".join(wrong) or None)


if __name__ == "__main__":
    main()
