"""Measures Wasmill beside DataFusion: the same query over the same file, in turns.

    python3 -m venv /tmp/venv && /tmp/venv/bin/pip install datafusion==55.0.0
    cargo build --release && target/release/wasmill plugin build plugins/map-filter
    /tmp/venv/bin/python tests/beside-datafusion/compare.py target/release/wasmill --rounds 5

Rows are those of `wasmill bench`: an id, a key, a time, a value, a payload. The query keeps rows with an even key, takes `value * 1.1 + 1` and
a time that is a millisecond later, and passes the rest on; as NDJSON in and out, and as Parquet (snappy) in and out. Wasmill runs it with its
built-in operators, and with `plugins/map-filter`, which is the same as a component. Each run is a process of its own; a run of DataFusion is
counted from when its context is made, so that starting Python isn't. What came out is compared: as many rows, and the same sums.

One line a round and program, then the medians and their ratios. It needs Linux, a quiet machine, and 2.5 GB of disk for a file of 1 GB.
"""

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

LEAST_RATE = {"ndjson": 0.8, "parquet": 0.7}
MOST_FOR_COMPONENT = 1.3
LETTERS = "abcdefghijklmnopqrstuvwxyz"


def generate(path: Path, size: int) -> None:
    """Writes rows as NDJSON until the file has `size` bytes. Always the same rows."""
    written, row, state = 0, 0, 1
    with path.open("w") as out:
        while written < size:
            lines = []
            for _ in range(10_000):
                state = (state * 6364136223846793005 + 1442695040888963407) % 2**64
                draw = state >> 33
                second, milli = divmod(row, 1000)
                minute, second = divmod(second, 60)
                hour, minute = divmod(minute, 60)
                day, hour = divmod(hour, 24)
                shift = draw % 26
                payload = (LETTERS[shift:] + LETTERS[:shift]) * 2 + LETTERS[:16]
                lines.append(
                    f'{{"id":{row},"key":{draw % 100_000},"ts":"2024-01-{day + 1:02}T{hour:02}:{minute:02}:{second:02}.{milli:03}Z",'
                    f'"value":{draw % 1_000_003 / 1000},"payload":"{payload}"}}\n'
                )
                row += 1
            text = "".join(lines)
            out.write(text)
            written += len(text)


def schema():
    import pyarrow as pa

    timestamp = pa.timestamp("ms", tz="UTC")
    columns = {"id": pa.int64(), "key": pa.int64(), "ts": timestamp, "value": pa.float64(), "payload": pa.string()}
    return pa.schema(list(columns.items()))


def context(tasks: int):
    from datafusion import SessionConfig, SessionContext

    return SessionContext(SessionConfig().with_target_partitions(tasks))


def register(query, name: str, path: Path) -> None:
    if path.suffix == ".parquet":
        query.register_parquet(name, str(path))
    else:
        query.register_json(name, str(path), schema=schema(), file_extension=path.suffix)


def datafusion_run(source: str, sink: str, tasks: int) -> None:
    """What the child process does: runs the query, and says what it took."""
    import datafusion

    del datafusion
    before, started = resource.getrusage(resource.RUSAGE_SELF), time.perf_counter()
    query = context(tasks)
    register(query, "rows", Path(source))
    stored = "STORED AS PARQUET OPTIONS (compression 'snappy')" if sink.endswith(".parquet") else "STORED AS JSON"
    query.sql(
        "COPY (SELECT id, key, ts + interval '1 millisecond' AS ts, value * 1.1 + 1.0 AS value, payload "
        f"FROM rows WHERE key % 2 = 0) TO '{sink}' {stored}"
    ).collect()
    wall, after = time.perf_counter() - started, resource.getrusage(resource.RUSAGE_SELF)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    print(json.dumps({"wall": wall, "cpu": cpu, "rss": after.ru_maxrss << 10}))


def job(source: Path, sink: Path, operator: str) -> str:
    is_json = source.suffix == ".ndjson"
    read, written = ("json", "json") if is_json else ("parquet", "{ type: parquet, compression: snappy }")
    return f"""name: beside-datafusion
sources:
  rows:
    connector: file
    path: {source}
    format: {read}
    schema: {{ id: int64 not null, key: int64 not null, ts: timestamp not null, value: float64 not null, payload: utf8 }}
operators:
{operator}
sinks: {{ out: {{ input: mapped, connector: file, path: {sink}, format: {written} }} }}
"""


BUILT_IN = """  even: { input: rows, filter: "key % 2 = 0" }
  mapped:
    input: even
    select: { id: id, key: key, ts: "ts + interval '1 millisecond'", value: "value * 1.1 + 1.0", payload: payload }"""


def measured(command: list) -> tuple:
    """Runs a command; its output and what it took as a whole process."""
    started = time.perf_counter()
    process = subprocess.Popen([str(part) for part in command], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    output, errors = process.communicate()
    wall = time.perf_counter() - started
    if process.returncode != 0:
        sys.exit(f"{command[0]} failed:\n{errors.decode()}")
    return output, wall


def wasmill_run(program: str, folder: Path, source: Path, sink: Path, operator: str, tasks: int) -> dict:
    file = folder / "job.yaml"
    file.write_text(job(source, sink, operator))
    output, wall = measured([program, "run", file, "--parallelism", tasks, "--summary", "-"])
    summary = json.loads(output)
    return {"wall": wall, "cpu": summary["cpu_seconds"], "rss": summary["peak_memory_bytes"]}


def sums(path: Path) -> tuple:
    query = context(os.cpu_count() or 1)
    register(query, "rows", path)
    found = query.sql(
        "SELECT count(*) AS n, sum(id) AS ids, round(sum(value)) AS value, max(ts) AS last, count(payload) AS p FROM rows"
    )
    return tuple(column[0] for column in found.to_pydict().values())


def middle(runs: list) -> dict:
    return {what: statistics.median(took[what] for took in runs) for what in ("wall", "cpu", "rss")}


def compare(arguments) -> bool:
    folder = Path(arguments.folder or tempfile.mkdtemp())
    folder.mkdir(parents=True, exist_ok=True)
    ndjson, parquet = folder / "rows.ndjson", folder / "rows.parquet"
    if not ndjson.exists():
        generate(ndjson, int(arguments.gigabytes * 1e9))
    if not parquet.exists():
        query = context(1)
        register(query, "rows", ndjson)
        query.sql(f"COPY rows TO '{parquet}' STORED AS PARQUET OPTIONS (compression 'snappy')").collect()
    plugin = Path(__file__).resolve().parents[2] / "plugins/map-filter/dist/map-filter.wasm"
    component = f"  mapped: {{ input: rows, plugin: {plugin} }}"
    good = True
    for source in (ndjson, parquet):
        kind, size = source.suffix[1:], source.stat().st_size
        sink = folder / f"out{source.suffix}"
        child = [sys.executable, __file__, "--datafusion", source, sink, arguments.tasks]
        programs = {
            "datafusion": lambda: json.loads(measured(child)[0]),
            "built-in": lambda: wasmill_run(arguments.wasmill, folder, source, sink, BUILT_IN, arguments.tasks),
            "component": lambda: wasmill_run(arguments.wasmill, folder, source, sink, component, arguments.tasks),
        }
        taken, expected = {name: [] for name in programs}, None
        for _ in range(arguments.rounds):
            for name, run in programs.items():
                sink.unlink(missing_ok=True)
                took = run()
                taken[name].append(took)
                print(f"{kind} {name}: {took['wall']:.2f} s, {took['cpu']:.2f} CPU s, {took['rss'] >> 20} MiB", flush=True)
                found = sums(sink)
                expected = expected or found
                if found != expected:
                    sys.exit(f"{kind} {name}: found {found}, expected {expected}")
        median = {name: middle(runs) for name, runs in taken.items()}
        for name, took in median.items():
            rates = f"{size / took['wall'] / 1e6:.0f} MB/s, {size / took['cpu'] / 1e6:.0f} MB per CPU second"
            print(f"{kind} {name}, median: {rates}, {took['rss'] / 2**20:.0f} MiB")
        for clock in ("wall", "cpu"):
            rate = median["datafusion"][clock] / median["built-in"][clock]
            cost = median["component"][clock] / median["built-in"][clock]
            goals = f"at least {LEAST_RATE[kind]} and at most {MOST_FOR_COMPONENT} are asked for"
            print(f"{kind} by {clock}: {rate:.2f} of DataFusion's rate, a component costs {cost:.2f}; {goals}")
            if clock == "wall":
                good = good and rate >= LEAST_RATE[kind] and cost <= MOST_FOR_COMPONENT
    return good


if __name__ == "__main__":
    if sys.argv[1:2] == ["--datafusion"]:
        datafusion_run(sys.argv[2], sys.argv[3], int(sys.argv[4]))
        sys.exit()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("wasmill", help="the program, built with --release")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--tasks", type=int, default=1, help="--parallelism of Wasmill, and target_partitions of DataFusion")
    parser.add_argument("--gigabytes", type=float, default=1.0)
    parser.add_argument("--folder", help="where files go, and stay; without it a new temporary one")
    sys.exit(0 if compare(parser.parse_args()) else "below what is asked for")
