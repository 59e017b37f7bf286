"""Makes usage.csv: four days of reports from meters of twelve customers, always the same. Python's standard library only."""

import datetime
import pathlib
import random

# Midnight in Berlin. Four days are 95 hours there: the clocks are set forward on the third.
START, HOURS = datetime.datetime(2024, 3, 28, 23), 95
METERS = {"compute": "0.041600", "storage": "0.000137", "traffic": "0.083333", "requests": "0.000004"}


def main():
    draw = random.Random(7)
    reports = []
    for number in range(1_600):
        at = START + datetime.timedelta(milliseconds=draw.randrange(HOURS * 3_600_000))
        meter = draw.choice(list(METERS))
        quantity = draw.randrange(1, 40_000_000 if meter == "requests" else 60_000)
        # Most come within minutes, some within hours, and a few after a day or two.
        late = draw.choices([20, 110, 420, 3_000], [900, 80, 15, 5])[0]
        comes = at + datetime.timedelta(minutes=draw.uniform(0, late))
        report = [number, at, f"c-{draw.randrange(12):02}", meter, f"{quantity // 1000}.{quantity % 1000:03}", METERS[meter]]
        reports.append((comes, report))
    reports.sort(key=lambda report: report[0])
    rows = [report for _, report in reports]
    # A meter whose clock is off, and reports that are none.
    rows.insert(300, [9_001, START.replace(year=2042), "c-03", "compute", "12.000", METERS["compute"]])
    rows.insert(700, [9_002, rows[699][1], "c-04", "compute", "12.0005", METERS["compute"]])
    rows.insert(900, [9_003, None, "c-05", "storage", "1.000", METERS["storage"]])
    lines = ["id,at,customer,meter,quantity,price"]
    for number, at, *others in rows:
        written = "" if at is None else at.isoformat(timespec="milliseconds") + "Z"
        lines.append(",".join([str(number), written, *others]))
    (pathlib.Path(__file__).parent / "usage.csv").write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
