"""Computes what the job must write, from its input; Python's standard library only.

    python3 expected.py           writes the files of expected/
    python3 expected.py --check   compares them with what it computes

Nothing here is shared with the engine. Runs are lists of readings, put together row by row; silences are the gaps between all signs of life, in the
order of their time.
"""

import datetime
import json
import pathlib
import sys

HERE = pathlib.Path(__file__).parent
MINUTE = 60_000
PAUSE, SILENCE, OUT_OF_ORDER = 5 * MINUTE, 15 * MINUTE, MINUTE


def timestamp(time):
    moment = datetime.datetime.fromtimestamp(time / 1000, datetime.UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{time % 1000:03}Z"


def read(name):
    for line in (HERE / name).read_text().splitlines():
        row = json.loads(line)
        yield round(datetime.datetime.fromisoformat(row["at"]).timestamp() * 1000), row


class Runs:
    """A machine's runs, one reading at a time: each a list of its readings, which may come in any order."""

    def __init__(self):
        self.all = []

    def add(self, time, celsius, watermark):
        """Adds a reading, which may put runs together; whether it isn't too late for that."""
        is_past = lambda last: last + PAUSE - 1 <= watermark
        times = lambda run: [time for time, _ in run]
        joins = lambda run: min(times(run)) - PAUSE < time < max(times(run)) + PAUSE
        joined = [run for run in self.all if not is_past(max(times(run))) and joins(run)]
        if not joined and is_past(time):
            return False
        self.all = [run for run in self.all if run not in joined]
        self.all.append([(time, celsius), *(reading for run in joined for reading in run)])
        return True


def row_of(machine, run):
    times, values = [time for time, _ in run], [celsius for _, celsius in run if celsius is not None]
    bounds = {"window_start": timestamp(min(times)), "window_end": timestamp(max(times) + PAUSE)}
    counts = {"readings": len(run), "failed": len(run) - len(values)}
    return {"machine": machine, **bounds, **counts, "hottest": max(values, default=None), "coldest": min(values, default=None)}


def silences(machine, signs):
    """The gaps between a machine's signs of life, and the one after the last."""
    signs = sorted(signs)
    for last, then in zip(signs, [*signs[1:], None]):
        if then is None or then - last >= SILENCE:
            yield {"machine": machine, "since": timestamp(last), "at": timestamp(last + SILENCE)}


def compute():
    """The rows of each output."""
    runs, signs, late, watermark = {}, {}, [], -(2**63)
    for time, row in read("readings.ndjson"):
        if not runs.setdefault(row["machine"], Runs()).add(time, row["celsius"], watermark):
            late.append({**row, "at": timestamp(time)})
        # Late or not, it is a sign of life: no reading is as late as a silence is long.
        assert time + SILENCE > watermark
        signs.setdefault(row["machine"], []).append(time)
        watermark = max(watermark, time - OUT_OF_ORDER - 1)
    for time, row in read("pings.ndjson"):
        signs.setdefault(row["machine"], []).append(time)
    ended = [row_of(machine, run) for machine, mine in runs.items() for run in mine.all]
    alerts = [row for machine, mine in signs.items() for row in silences(machine, mine)]
    in_order = lambda rows, column: sorted(rows, key=lambda row: row[column])
    return {"runs": in_order(ended, "window_end"), "late": late, "alerts": in_order(alerts, "at")}


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
