"""Nexmark's events by the facts of its generator, written apart from the Rust: prints the first 220 as JSON lines.

`python3 reference.py > events.ndjson`; `generator/nexmark/tests.rs` compares.
"""
import json
from datetime import datetime, timezone

M = (1 << 64) - 1
STEP = 0x9E3779B97F4A7C15
BASE = 1_700_000_000_000
RATE = 100_000


def mix(z):
    z = (z + STEP) & M
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & M
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & M
    return z ^ (z >> 31)


class Random:
    def __init__(self, state):
        self.state = state

    def next(self):
        value = mix(self.state)
        self.state = (self.state + STEP) & M
        return value

    def int(self, n):
        return ((self.next() >> 32) * n) >> 32

    def price(self):
        u = (self.next() >> 11) / float(1 << 53)
        return int(100 * 10.0 ** (6 * u) + 0.5)

    def str(self, most, special=" "):
        text = ""
        for _ in range(3 + self.int(most - 3)):
            text += special if self.int(13) == 0 else chr(ord("a") + self.int(26))
        return text.strip(" ")


FIRST = "Peter Paul Luke John Saul Vicky Kate Julie Sarah Deiter Walter".split()
LAST = "Shultz Abrams Spencer White Bartels Walton Smith Jones Noris".split()
CITY = "Phoenix,Los Angeles,San Francisco,Boise,Portland,Bend,Redmond,Seattle,Kent,Cheyenne".split(",")
STATE = "AZ CA ID OR WA WY".split()
HOT = "Google Facebook Baidu Apple".split()


def url(number):
    random = Random(mix(0x6368616E6E656C73 ^ number))
    address = "https://www.nexmark.com/" + "".join(random.str(5, "_") + "/" for _ in range(3)) + "item.htm?query=1"
    if number >= 4 and random.int(10) > 0:
        reverse = int(format(number - 4, "032b")[::-1], 2)
        signed = reverse - (1 << 32) if reverse >> 31 else reverse
        address += "&channel_id=" + str(signed if signed == -(1 << 31) else abs(signed))
    return address


def padding(size, target, random):
    if size >= target:
        return ""
    width = target - size
    delta = int(0.2 * width + 0.5)
    length = width - delta + (random.int(2 * delta) if delta else 0)
    start = random.int((1 << 20) - length)
    return "".join(chr(ord("a") + mix(0x70616464696E6773 ^ at) % 26) for at in range(start, start + length))


def time(n, tasks):
    return BASE + int(int(n * (1_000_000 / RATE * tasks)) // 1000)


def show(millis):
    moment = datetime.fromtimestamp(millis // 1000, timezone.utc)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + "%03dZ" % (millis % 1000)


def last_auction(event):
    e, o = divmod(event, 50)
    return 3 * (e - 1) + 2 if o == 0 else 3 * e + o - 1 if o <= 3 else 3 * e + 2


def random_person(event, random):
    n = event // 50 + 1
    active = min(n, 1000)
    return n - active + random.int(active + 10)


def event(event, n, seed=0, tasks=1):
    random = Random(mix(event ^ (mix(seed) if seed else 0)))
    at, kind = time(n, tasks), event % 50
    if kind == 0:
        texts = [random_name(random), random.str(7) + "@" + random.str(5) + ".com"]
        texts.append(" ".join("%04d" % random.int(10_000) for _ in range(4)))
        texts += [CITY[random.int(10)], STATE[random.int(6)]]
        extra = padding(8 + sum(map(len, texts)), 200, random)
        names = ["name", "emailAddress", "creditCard", "city", "state"]
        return 0, {"id": 1000 + event // 50, **dict(zip(names, texts)), "dateTime": show(at), "extra": extra}
    if kind <= 3:
        item, description = random.str(20), random.str(100)
        first = random.price()
        reserve = first + random.price()
        horizon = time(n + 1666, tasks) - at
        expires = at + 1 + random.int(max(1, 2 * horizon))
        seller = event // 50 // 100 * 100 if random.int(4) > 0 else random_person(event, random)
        category = 10 + random.int(5)
        extra = padding(48 + len(item) + len(description), 500, random)
        return 1, {
            "id": 1000 + last_auction(event), "itemName": item, "description": description, "initialBid": first,
            "reserve": reserve, "dateTime": show(at), "expires": show(expires), "seller": 1000 + seller,
            "category": category, "extra": extra,
        }
    last = last_auction(event)
    low = max(last - 100, 0)
    auction = last // 100 * 100 if random.int(2) > 0 else low + random.int(last - low + 1 + 10)
    bidder = event // 50 // 100 * 100 + 1 if random.int(4) > 0 else random_person(event, random)
    price = random.price()
    channel = random.int(4) if random.int(2) > 0 else 4 + random.int(10_000)
    extra = padding(32, 100, random)
    return 2, {
        "auction": 1000 + auction, "bidder": 2000 + bidder, "price": price,
        "channel": HOT[channel] if channel < 4 else "channel-%d" % (channel - 4), "url": url(channel),
        "dateTime": show(at), "extra": extra,
    }


def random_name(random):
    return FIRST[random.int(11)] + " " + LAST[random.int(9)]


if __name__ == "__main__":
    for row in list(range(110)) + list(range(5_000_000, 5_000_110)):
        kind, values = event(row + 2, row + 1)
        print(json.dumps({"row": row, "kind": kind, "event": values}, separators=(",", ":")))
