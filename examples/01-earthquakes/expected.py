"""Computes what the job must write, from its input and by other means than the engine's; Python's standard library only.

    python3 expected.py           writes the files of expected/
    python3 expected.py --check   compares them with what it computes

Nothing here is shared with the engine or with plugins/quake-grade: rows are read by Python's JSON parser, and the felt radius is solved
for in closed form where there is one, and otherwise by iterating on the equation, where the plugin halves an interval.
"""

import base64
import datetime
import json
import math
import pathlib
import re
import sys

HERE = pathlib.Path(__file__).parent
JOB, SOURCE, INPUT = "earthquakes", "quakes", "quakes.ndjson"
KEEP_FROM, FELT_FROM = 1.0, 2.5
HOUR = 3_600_000
OUT_OF_ORDER, LATENESS = 6 * HOUR, 2 * HOUR
SCHEMA = {
    "id": ("utf8", False),
    "time": ("timestamp", False),
    "net": ("utf8", True),
    "mag": ("float64", True),
    "place": ("utf8", True),
    "depth": ("float64", True),
}
SPACE = re.compile(r"[ \t\r\n]*")
JSON = json.JSONDecoder()


class Malformed(Exception):
    """Why a line is no row; `column` counts bytes from 1."""

    def __init__(self, reason, column, field=None):
        super().__init__(reason)
        self.reason, self.column, self.field = reason, column, field


def fields(text):
    """The members of a JSON object: name -> (value, its text, the index at which it starts)."""
    found = {}
    at = SPACE.match(text).end()
    if not text.startswith("{", at):
        shown = text.strip()
        raise Malformed(f"expected a JSON object, found {shown[:64]}{'…' * (len(shown) > 64)}", at + 1)
    at += 1
    try:
        while True:
            at = SPACE.match(text, at).end()
            name, at = JSON.raw_decode(text, at)
            at = SPACE.match(text, at).end()
            if text[at] != ":":
                raise ValueError
            start = SPACE.match(text, at + 1).end()
            value, end = JSON.raw_decode(text, start)
            found[name] = (value, text[start:end], start)
            at = SPACE.match(text, end).end()
            if text[at] == "}":
                return found
            if text[at] != ",":
                raise ValueError
            at += 1
    except (ValueError, IndexError):
        # The input has no other line that begins as an object and isn't one.
        raise Malformed("expected a whole JSON object, found a line that is cut off", len(text.encode()) + 1) from None


def fits(kind, value):
    if kind == "utf8":
        return isinstance(value, str)
    if kind == "timestamp":
        return isinstance(value, int) and not isinstance(value, bool)
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def read_row(line):
    """A line's row; raises `Malformed`."""
    try:
        text = line.decode()
    except UnicodeDecodeError as error:
        raise Malformed(f"expected UTF-8, found the byte 0x{line[error.start]:02x}", error.start + 1) from None
    members, row = fields(text), {}
    for name, (kind, nullable) in SCHEMA.items():
        value, written, start = members.get(name, (None, "nothing", None))
        if value is None and nullable:
            row[name] = None
        elif value is None or not fits(kind, value):
            expected = f"{kind} not null" if value is None else kind
            column = None if start is None else len(text[:start].encode()) + 1
            raise Malformed(f"{name}: expected {expected}, found {written}", column, name)
        else:
            row[name] = float(value) if kind == "float64" else value
    return row


def dead_letter(line, number, offset, malformed):
    try:
        raw, raw_base64 = line.decode(), None
    except UnicodeDecodeError:
        raw, raw_base64 = None, base64.b64encode(line).decode()
    return {
        "job": JOB,
        "kind": "malformed",
        "source": SOURCE,
        "operator": None,
        "reason": malformed.reason,
        "file": INPUT,
        "line": number,
        "column": malformed.column,
        "byte": offset + (malformed.column or 1) - 1,
        "field": malformed.field,
        "raw": raw,
        "raw_base64": raw_base64,
        "row": None,
        "key": None,
        "time": None,
    }


def grade(mag):
    bounds = [(8, "great"), (7, "major"), (6, "strong"), (5, "moderate"), (4, "light"), (2, "minor")]
    return next((name for bound, name in bounds if mag >= bound), "micro")


def felt_km(mag, depth):
    """The radius at which the intensity of Allen, Wald and Worden (2012) is III; see plugins/quake-grade/README.md."""
    if mag < FELT_FROM:
        return None
    depth = 10.0 if depth is None else max(depth, 0.0)
    near_square = (-0.209 + 2.042 * math.exp(mag - 5.0)) ** 2

    def distance_square(far_term):
        # I = 3 solved for r², the term that holds beyond 50 km taken as known.
        return math.exp(2 * (2.085 + 1.428 * mag + far_term - 3.0) / 1.402) - near_square

    square = distance_square(0.0)
    if square > 50.0**2:
        for _ in range(200):
            square = distance_square(0.078 * math.log(math.sqrt(square) / 50.0))
    if square < depth**2:
        return 0.0
    return math.floor(math.sqrt(square - depth**2) * 10 + 0.5) / 10


def timestamp(millis):
    time = datetime.datetime(1970, 1, 1) + datetime.timedelta(milliseconds=millis)
    return time.strftime("%Y-%m-%dT%H:%M:%S.") + f"{time.microsecond // 1000:03}Z"


class Hours:
    """Windows of an hour by network, one row at a time: what is complete comes out after each row."""

    def __init__(self):
        self.open, self.fired, self.latest, self.rows = {}, set(), None, []

    def is_past(self, start, by=0):
        """Whether the watermark has come to the last millisecond of an hour, or so much further."""
        return self.latest is not None and self.latest - OUT_OF_ORDER - 1 >= start + HOUR - 1 + by

    def add(self, net, mag, time):
        """Counts an earthquake; whether it isn't too late for that."""
        start = time // HOUR * HOUR
        if self.is_past(start, LATENESS):
            return False
        quakes, strongest = self.open.get((start, net), (0, -math.inf))
        self.open[start, net] = (quakes + 1, max(strongest, mag))
        if self.is_past(start):
            # It was complete, and comes out anew.
            self.emit(start, net)
        return True

    def seen(self, time):
        """Takes the time of any row, be it counted or not."""
        self.latest = time if self.latest is None else max(self.latest, time)
        self.complete(self.is_past)

    def complete(self, is_past):
        for start, net in sorted(self.open.keys() - self.fired):
            if is_past(start):
                self.emit(start, net)

    def emit(self, start, net):
        quakes, strongest = self.open[start, net]
        self.fired.add((start, net))
        bounds = {"window_start": timestamp(start), "window_end": timestamp(start + HOUR)}
        self.rows.append({"net": net, **bounds, "quakes": quakes, "strongest": strongest})


def compute():
    """The rows of each output."""
    hours, late = Hours(), []
    graded, report, dead, networks = [], [], [], {}
    offset = 0
    for number, line in enumerate((HERE / INPUT).read_bytes().split(b"\n"), start=1):
        if line.strip():
            try:
                row = read_row(line)
            except Malformed as malformed:
                dead.append(dead_letter(line, number, offset, malformed))
            else:
                # A magnitude that isn't known is not at least 1.
                if row["mag"] is not None and row["mag"] >= KEEP_FROM:
                    felt = felt_km(row["mag"], row["depth"])
                    graded.append({**row, "time": timestamp(row["time"]), "grade": grade(row["mag"]), "felt_km": felt})
                    if not hours.add(row["net"], row["mag"], row["time"]):
                        late.append(graded[-1])
                    quakes, strongest = networks.get(row["net"], (0, -math.inf))
                    networks[row["net"]] = (quakes + 1, max(strongest, row["mag"]))
                    quakes, strongest = networks[row["net"]]
                    report.append({"net": row["net"], "quakes": quakes, "strongest": strongest})
                hours.seen(row["time"])
        offset += len(line) + 1
    hours.complete(lambda _: True)
    return {"graded": graded, "report": report, "hours": hours.rows, "late": late, "dead-letters": dead}


def main():
    wrong = []
    for name, rows in compute().items():
        path = HERE / "expected" / f"{name}.ndjson"
        text = "".join(json.dumps(row, ensure_ascii=False, separators=(",", ":")) + "\n" for row in rows)
        if sys.argv[1:] == ["--check"]:
            if path.read_bytes() != text.encode():
                wrong.append(f"{path}: is not what expected.py computes; run it without --check to see the difference")
        else:
            path.write_bytes(text.encode())
    sys.exit("\n".join(wrong) or None)


if __name__ == "__main__":
    main()
