#!/usr/bin/env python3
"""Computes what the example must give from its input, by other means than the program's. `--check` compares it with `expected/`."""

import csv
import gzip
import json
import pathlib
import re
import sys
from datetime import datetime, timezone
from decimal import Decimal

HERE = pathlib.Path(__file__).parent


def timestamp(text):
    if not re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", text):
        raise ValueError(text)
    return datetime.fromisoformat(text)


def order(fields):
    identifier, ordered, customer, country, quantity, price = fields
    if not re.fullmatch(r"-?\d+", quantity) or not re.fullmatch(r"-?\d+\.\d{1,2}", price):
        raise ValueError(fields)
    return int(identifier), timestamp(ordered), customer or None, country or None, int(quantity), Decimal(price)


def shown(moment):
    return moment.astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.000Z")


def main():
    with gzip.open(HERE / "orders.csv.gz", "rt", encoding="utf-8", newline="") as file:
        lines = list(csv.reader(file))[1:]
    clean, countries, wrong = [], {}, 0
    for fields in lines:
        try:
            identifier, ordered, customer, country, quantity, price = order(fields)
        except ValueError:
            wrong += 1
            continue
        if country is None or quantity <= 0:
            continue
        country, total = country.upper(), price * quantity
        hour = ordered.replace(minute=0, second=0)
        row = {"id": identifier, "ordered": shown(ordered), "customer": customer, "country": country, "quantity": quantity,
               "price": f"{price:.2f}", "total": f"{total:.2f}", "hour": shown(hour)}
        clean.append(json.dumps(row, ensure_ascii=False, separators=(",", ":")))
        of = countries.setdefault(country, {"orders": 0, "customers": set(), "spent": Decimal(0), "dearest": price})
        of["orders"] += 1
        of["customers"].add(customer)
        of["spent"] += total
        of["dearest"] = max(of["dearest"], price)
    report = ["country,orders,customers,spent,dearest"]
    report += [f"{name},{of['orders']},{len(of['customers'])},{of['spent']:.2f},{of['dearest']:.2f}" for name, of in sorted(countries.items())]
    assert wrong == 4, wrong
    found = {"clean.parquet.ndjson": clean, "countries.csv": report}
    for name, rows in found.items():
        path, text = HERE / "expected" / name, "".join(row + "\n" for row in rows)
        if "--check" not in sys.argv:
            path.write_text(text, encoding="utf-8")
        elif path.read_text(encoding="utf-8") != text:
            sys.exit(f"{path} isn't what {__file__} computes")


main()
