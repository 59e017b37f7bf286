"""Computes what the job must write, from its input, row by row; Python's standard library only.

    python3 expected.py           writes the files of expected/
    python3 expected.py --check   compares them with what it computes

Nothing here is shared with the engine: amounts are whole numbers of billionths, and days are those of `zoneinfo`.
"""

import csv
import datetime
import io
import json
import pathlib
import sys
import zoneinfo

HERE = pathlib.Path(__file__).parent
BERLIN = zoneinfo.ZoneInfo("Europe/Berlin")
HOUR = 3_600_000
DAY = 24 * HOUR
OUT_OF_ORDER, LATENESS, JUMP = 2 * HOUR, 6 * HOUR, DAY
COLUMNS = ["id", "at", "customer", "meter", "quantity", "price"]


def units(text, digits):
    """A decimal as a whole number of its last digit; none where it has more digits."""
    whole, _, rest = text.partition(".")
    return None if len(rest) > digits else int(whole + rest.ljust(digits, "0"))


def written(number, digits):
    return f"{number // 10**digits}.{number % 10**digits:0{digits}}"


def read(line):
    """A line's row, or why it is none: the field, what is wrong with it, and its column."""
    fields = next(csv.reader([line]))
    row = dict(zip(COLUMNS, fields))
    starts = [0]
    for field in fields:
        starts.append(starts[-1] + len(field) + 1)
    if not row["at"]:
        return None, ("at", "expected timestamp not null, found nothing", starts[1] + 1)
    if units(row["quantity"], 3) is None:
        return None, ("quantity", f'expected decimal(12,3), found "{row["quantity"]}"', starts[4] + 1)
    row["time"] = round(datetime.datetime.fromisoformat(row["at"]).timestamp() * 1000)
    return row, None


class Days:
    """Bills by day and customer, one row at a time."""

    def __init__(self):
        self.open, self.fired, self.latest, self.rows = {}, set(), None, []

    def last(self, day):
        """The last millisecond of a day of Berlin."""
        midnight = datetime.datetime.combine(day + datetime.timedelta(days=1), datetime.time(), BERLIN)
        return round(midnight.timestamp() * 1000) - 1

    def is_past(self, day, by=0):
        return self.latest is not None and self.latest - OUT_OF_ORDER - 1 >= self.last(day) + by

    def add(self, row):
        """Adds a report to its day; whether it isn't too late for that."""
        day = datetime.datetime.fromtimestamp(row["time"] / 1000, BERLIN).date()
        if self.is_past(day, LATENESS):
            return False
        reports, hours, amount = self.open.get((day, row["customer"]), (0, None, 0))
        quantity = units(row["quantity"], 3)
        if row["meter"] == "compute":
            hours = (hours or 0) + quantity
        self.open[day, row["customer"]] = (reports + 1, hours, amount + quantity * units(row["price"], 6))
        if self.is_past(day):
            self.emit(day, row["customer"])
        return True

    def seen(self, time):
        """Takes a row's time, but for one that is too far ahead of all others."""
        if self.latest is None or time - self.latest <= JUMP:
            self.latest = max(self.latest or time, time)
        self.complete(self.is_past)

    def complete(self, is_past):
        for day, customer in sorted(self.open.keys() - self.fired):
            if is_past(day):
                self.emit(day, customer)

    def emit(self, day, customer):
        reports, hours, amount = self.open[day, customer]
        self.fired.add((day, customer))
        # Half a cent is rounded up.
        cents = (amount + 5_000_000) // 10_000_000
        row = {"customer": customer, "reports": reports, "hours": hours if hours is None else written(hours, 3)}
        self.rows.append({**row, "amount": written(amount, 9), "day": day.isoformat(), "due": written(cents, 2)})


def dead_letter(line, number, byte, field, reason, column):
    return {
        "job": "usage-billing",
        "kind": "malformed",
        "source": "usage",
        "operator": None,
        "reason": f"{field}: {reason}",
        "file": "usage.csv",
        "line": number,
        "column": column,
        "byte": byte + column - 1,
        "field": field,
        "raw": line,
        "raw_base64": None,
        "row": None,
        "key": None,
        "time": None,
    }


def compute():
    """The files that must come out."""
    days, late, dead, byte = Days(), io.StringIO(), [], 0
    late.write(",".join([*COLUMNS, "amount"]) + "\n")
    for number, line in enumerate((HERE / "usage.csv").read_text().splitlines(), start=1):
        if number > 1:
            row, wrong = read(line)
            if wrong:
                dead.append(dead_letter(line, number, byte, *wrong))
            else:
                if not days.add(row):
                    amount = written(units(row["quantity"], 3) * units(row["price"], 6), 9)
                    late.write(",".join([*(row[name] for name in COLUMNS), amount]) + "\n")
                days.seen(row["time"])
        byte += len(line) + 1
    days.complete(lambda _: True)
    lines = lambda rows: "".join(json.dumps(row, separators=(",", ":")) + "\n" for row in rows)
    return {"bills.ndjson": lines(days.rows), "credit.csv": late.getvalue(), "dead-letters.ndjson": lines(dead)}


def main():
    wrong = []
    for name, text in compute().items():
        path = HERE / "expected" / name
        if sys.argv[1:] == ["--check"]:
            if path.read_text() != text:
                wrong.append(f"{path}: is not what expected.py computes; run it without --check to see the difference")
        else:
            path.write_text(text)
    sys.exit("\n".join(wrong) or None)


if __name__ == "__main__":
    main()
