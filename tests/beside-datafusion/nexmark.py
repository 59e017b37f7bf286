"""Compares what Nexmark's queries give with DataFusion's answers over the same events as a table, row by row.

    python3 -m venv /tmp/venv && /tmp/venv/bin/pip install datafusion==55.0.0
    cargo build --release
    /tmp/venv/bin/python tests/beside-datafusion/nexmark.py target/release/wasmill --events 2000000

The events are written as Parquet, all kinds in one stream; each job of `nexmark/` runs over the same ones, with its built-in operators and with
its plugin, and writes Parquet too. Two answers are equal where neither has a row that the other has not, each as often.
"""

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[2]
BID = """
    create view bid as select bid_auction as auction, bid_bidder as bidder, bid_price as price, bid_channel as channel, bid_url as url,
    "dateTime", extra from events where event_type = 2
"""
# What each query is in SQL. In Nexmark's own text a number with a point is a decimal.
QUERIES = {
    "q0": """select auction, bidder, price, channel, url, "dateTime", extra from bid""",
    "q1": """select auction, bidder, cast(price * cast(0.908 as decimal(3,3)) as decimal(23,3)) as price, channel, url, "dateTime", extra from bid""",
    "q2": """select auction, price from bid where auction % 123 = 0""",
    "q5": """
        with counts as (
            select auction, date_bin(interval '2 seconds', "dateTime") + later as window_end, count(*) as num
            from bid cross join (values (interval '2 seconds'), (interval '4 seconds'), (interval '6 seconds'), (interval '8 seconds'),
            (interval '10 seconds')) as ends(later)
            group by 1, 2
        )
        select window_end, first_value(auction order by num desc, auction desc) as auction, max(num) as num from counts group by window_end
    """,
    "q7": """
        select 0 as "all", date_bin(interval '10 seconds', "dateTime") as window_start,
        date_bin(interval '10 seconds', "dateTime") + interval '10 seconds' as window_end, max(price) as price
        from bid group by date_bin(interval '10 seconds', "dateTime")
    """,
    "q11": """
        with marked as (
            select bidder, "dateTime" as at, case when lag("dateTime") over (partition by bidder order by "dateTime")
            > "dateTime" - interval '10 seconds' then 0 else 1 end as begins from bid
        ), numbered as (
            select bidder, at, sum(begins) over (partition by bidder order by at rows unbounded preceding) as session from marked
        )
        select bidder, min(at) as window_start, max(at) + interval '10 seconds' as window_end, count(*) as bids
        from numbered group by bidder, session
    """,
    "q12": "select bidder, count(*) as bids from bid group by bidder",
}
# What of an answer is compared, where not all of it: which windows of the clock there are is another matter each time.
COMPARED = {"q12": "select bidder, sum(bids) as bids from {} group by bidder"}
# What of a job is a plugin, where not the operator with the query's name: the place, what stands beside it, and which plugin.
COMPONENTS = {
    "q5": ("operators.counts.aggregate.num", "of: [auction]", "value-count"),
    "q7": ("operators.q7.aggregate.price", "of: [price]", "nexmark-q7"),
    "q11": ("operators.q11.aggregate.bids", "of: [bidder]", "value-count"),
    "q12": ("operators.q12.aggregate.bids", "of: [bidder]", "value-count"),
}


def run(program, *arguments):
    subprocess.run([program, "run", *arguments, "--parallelism", "1"], check=True, stderr=subprocess.DEVNULL)


def events(program, home, count):
    job = home / "events.yaml"
    job.write_text(f"""
name: events
sources: {{ events: {{ connector: generator, workload: nexmark, rows: {count} }} }}
sinks: {{ out: {{ input: events, connector: file, path: events.parquet, format: parquet }} }}
""")
    run(program, str(job))
    return home / "events.parquet"


def answer(program, query, count, path, plugin):
    sets = [f"sources.events.rows={count}", f"sinks.out={{ input: {query}, connector: file, path: {path}, format: parquet }}"]
    if plugin:
        place, beside, name = COMPONENTS.get(query, (f"operators.{query}", "input: bids", f"nexmark-{query}"))
        sets.append(f"{place}={{ {beside}, plugin: {ROOT}/plugins/{name} }}")
    run(program, str(ROOT / "nexmark" / f"{query}.yaml"), *[part for text in sets for part in ("--set", text)])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program")
    parser.add_argument("--events", type=int, default=2_000_000)
    options = parser.parse_args()

    import datafusion

    wrong = False
    with tempfile.TemporaryDirectory() as home:
        home = Path(home)
        context = datafusion.SessionContext()
        context.register_parquet("events", str(events(options.program, home, options.events)))
        context.sql(BID)
        for query, sql in QUERIES.items():
            for plugin in (False, True):
                name = f"{query}_{'component' if plugin else 'built_in'}"
                path = home / f"{name}.parquet"
                answer(options.program, query, options.events, path, plugin)
                context.register_parquet(name, str(path))
                mine, theirs = COMPARED.get(query, "select * from {}").format(name), f"({sql})"
                rows = context.sql(mine).count()
                differ = [context.sql(f"{a} except all {b}").count() for a, b in ((mine, theirs), (theirs, mine))]
                wrong |= any(differ)
                print(f"{name}: {rows} rows, {differ[0]} only here, {differ[1]} only in DataFusion's answer")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
