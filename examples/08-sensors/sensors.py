"""Makes readings.ndjson and pings.ndjson: a day of five machines, always the same. Python's standard library only."""

import datetime
import json
import pathlib
import random

HERE = pathlib.Path(__file__).parent
START = datetime.datetime(2024, 11, 4, 6)
MACHINES = ["bender", "drill", "lathe", "mill", "press"]
# When machines were out of reach, in minutes: nothing of those came, ever.
UNREACHABLE = {"lathe": [(200, 260)], "press": [(80, 99), (400, 900)]}
# When a machine kept its readings for ten minutes.
HELD_BACK = {"mill": (150, 162)}


def reachable(machine, minute):
    return not any(start <= minute < end for start, end in UNREACHABLE.get(machine, []))


def readings(draw):
    for machine in MACHINES:
        minute = draw.uniform(5, 40)
        while minute < 600:
            end, celsius = minute + draw.uniform(10, 80), 21.0
            while minute < end:
                celsius = min(celsius + draw.uniform(-1, 5), 95.0)
                # Most come within the minute, some of them minutes later.
                delay = draw.choices([0.9, 13], [96, 4])[0]
                start, back = HELD_BACK.get(machine, (0, 0))
                held = 10 if start <= minute < back else 0
                failed = draw.random() < 0.02
                if reachable(machine, minute):
                    yield minute + (held or draw.uniform(0, delay)), machine, minute, {"celsius": None if failed else round(celsius, 1)}
                minute += draw.uniform(1, 3)
            minute += draw.uniform(6, 120)


def pings(draw):
    for machine in MACHINES:
        for number in range(0, 720, 5):
            minute = number + draw.uniform(0, 2)
            if reachable(machine, minute):
                yield minute + draw.uniform(0, 0.4), machine, minute, {}


def write(name, rows):
    lines = []
    for _, machine, minute, fields in sorted(rows, key=lambda row: row[0]):
        at = START + datetime.timedelta(minutes=minute)
        lines.append(json.dumps({"machine": machine, "at": at.isoformat(timespec="milliseconds") + "Z", **fields}))
    (HERE / name).write_text("\n".join(lines) + "\n")


def main():
    draw = random.Random(3)
    write("readings.ndjson", readings(draw))
    write("pings.ndjson", pings(draw))


if __name__ == "__main__":
    main()
