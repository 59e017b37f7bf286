"""Makes clicks.ndjson: an hour of a news site, in which one page becomes popular, always the same. Python's standard library only."""

import datetime
import json
import pathlib
import random

START = datetime.datetime(2024, 4, 8, 18)
PAGES = ["/", "/politics", "/sport", "/weather", "/culture", "/science"]
AGENTS = ["desktop", "mobile", "tablet", None]


def main():
    draw = random.Random(11)
    clicks = []
    for second in range(3_600):
        minute = second / 60
        # An eclipse: from the twentieth minute on ever more people look, and from the fortieth on ever fewer.
        eclipse = max(0.0, 1 - abs(minute - 40) / 20)
        for page in PAGES + ["/science/eclipse"]:
            chance = eclipse * 0.25 if page == "/science/eclipse" else 0.03 / (1 + PAGES.index(page))
            if draw.random() < chance:
                at = START + datetime.timedelta(seconds=second, milliseconds=draw.randrange(1000))
                late = draw.choices([3, 14, 1_500], [900, 90, 4])[0]
                visitor = draw.randrange(40 if draw.random() < 0.5 else 400)
                click = {"at": at, "visitor": f"v{visitor:03}", "page": page, "agent": draw.choice(AGENTS)}
                clicks.append((at + datetime.timedelta(seconds=draw.uniform(0, late)), click))
        # A machine that looks at everything.
        if second % 40 == 0:
            at = START + datetime.timedelta(seconds=second)
            clicks.append((at, {"at": at, "visitor": f"b{second}", "page": draw.choice(PAGES), "agent": "searchbot/2.1"}))
    clicks.sort(key=lambda click: click[0])
    lines = [json.dumps({**click, "at": click["at"].isoformat(timespec="milliseconds") + "Z"}) for _, click in clicks]
    (pathlib.Path(__file__).parent / "clicks.ndjson").write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
