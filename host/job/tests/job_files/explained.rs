//! What `explain` prints.

use wasmill_job::explain::{Explanation, explain};
use wasmill_job::plan::plan;

use crate::accepted::EARTHQUAKES;
use crate::catalog::{around, job, loaded};

fn explained(text: &str) -> String {
    let job = job(text);
    explain(&job, &plan(&job))
}

#[test]
fn a_job_is_explained_whole() {
    let quakes = "id utf8 not null, time timestamp not null, net utf8, mag float64, place utf8";
    let expected = format!(
        "job earthquakes: parallelism 4, 128 key groups, batches of at most 1024 rows or 1MiB

sources
  quakes: file quakes.ndjson, json (integer timestamps in ms, unknown fields ignored, rows of at most 16MiB)
    out: {quakes}

operators
  strong: filter mag >= 1.0
    in: quakes ({quakes})
    out: {quakes}
  graded: plugin jobs/../plugins/grade
    in: strong ({quakes})
    out: grade utf8 not null
    out .broken: why utf8 not null
  per_net: running aggregate quakes = count(*), strongest = max(mag)
    in: strong ({quakes}), by key net
    out: net utf8, quakes int64 not null, strongest float64

sinks
  report: per_net to file out/nets.ndjson, replacing one that is there, json
  grades: graded to file out/grades.ndjson, replacing one that is there, json (timestamps in ms)
  broken: graded.broken to standard output, json
  dead letters: none; the first row that can't be read or processed fails the job

stages
  1: 1 task: quakes -> strong, strong -> graded, graded -> grades, graded -> broken
  2: 4 tasks: per_net
    from stage 1, by key net: net, mag (2 of 5 columns)
  3: 1 task: report
    from stage 2, gathered: all columns (3)

after a kill
  state, positions and output files go back to the last checkpoint: every 2s, in jobs/./out/checkpoints, 3 kept
  report: exactly once: rows are seen once their checkpoint is complete
  grades: exactly once: rows are seen once their checkpoint is complete
  broken: at least once: what was printed can't be taken back, so that rows may come again
"
    );
    let without: Vec<&str> = EARTHQUAKES.lines().filter(|line| !line.starts_with("dead-letters")).collect();
    assert_eq!(explained(&without.join("\n")), expected);
}

#[test]
fn dead_letters_are_explained() {
    let text = explained(EARTHQUAKES);
    let sink = "\n  dead letters: to file out/dead.ndjson, replacing one that is there, json; more than 10 fail the job\n";
    assert!(text.contains(sink), "{text}");
    assert!(text.contains("\n  4: 1 task: dead letters\n    from every task: rows that can't be read or processed\n"), "{text}");
}

#[test]
fn a_job_without_a_checkpoint_says_that_nothing_survives() {
    let text = explained(&around(
        "  a: { inputs: [quakes, quakes], drop: [id], with: { m: mag } }\n  out: { input: a, select: { mag: mag } }",
    ));
    assert!(text.contains("  a: with m = mag; drop id\n    in: quakes and quakes ("), "{text}");
    assert!(text.contains("  out: select mag\n"), "{text}");
    assert!(text.contains("  2: 1 task: a -> out -> sink\n    from stage 1, task to task: all columns (3)\n"), "{text}");
    assert!(text.contains("dead letters: none; the first row that can't be read or processed fails the job\n"), "{text}");
    assert!(text.ends_with("\nafter a kill\n  nothing survives a kill: the job has no `checkpoint`\n  sink: no guarantee: nothing is kept of its rows\n"), "{text}");
}

#[test]
fn a_split_is_explained_with_its_outputs_and_warns_only_where_nobody_reads_one() {
    let split = "  parts: { input: quakes, split: { big: mag > 5, small: mag < 2 } }";
    let text = explained(&around(&format!("{split}\n  out: {{ input: parts.small, filter: mag > 1 }}")));
    let columns = "id utf8 not null, net utf8, mag float64";
    let expected = format!(
        "  parts: split big: mag > 5, small: mag < 2\n    in: quakes ({columns})\n    out .big: {columns}\n    out .small: {columns}\n    out .rest: {columns}\n"
    );
    assert!(text.contains(&expected), "{text}");
    assert!(text.contains("    in: parts.small ("), "{text}");
    let warnings = |operators: &str| loaded(&around(operators)).expect("a job").1;
    assert_eq!(warnings(&format!("{split}\n  out: {{ input: parts.small, filter: mag > 1 }}")), Vec::<String>::new());
    let unread = warnings(&format!("{split}\n  out: {{ input: quakes, filter: mag > 1 }}"));
    assert_eq!(unread.len(), 3, "{unread:?}");
    assert!(unread[0].starts_with("warning[unread-output]: found `parts.big`, expected an operator or a sink that reads it\n"));
}

#[test]
fn what_comes_at_the_end_only_is_said() {
    let text = explained(&around("  out: { input: quakes, key-by: [net], aggregate: { n: count(*) }, emit: final }"));
    let expected = "  out: aggregate n = count(*); a row per key at the end of input, in the order of keys within a task\n";
    assert!(text.contains(expected), "{text}");
}

#[test]
fn an_aggregate_by_a_plugin_is_explained_with_its_columns() {
    let text = explained(&around(
        "  out: { input: quakes, key-by: [net], aggregate: { n: count(*), e: { plugin: ../plugins/energy, of: [mag] } } }",
    ));
    let expected = "  out: running aggregate n = count(*), e = plugin jobs/../plugins/energy of mag\n";
    assert!(text.contains(expected), "{text}");
}

#[test]
fn what_can_not_be_read_again_is_said() {
    let text = explained(
        "name: t\nsources: { s: { connector: stdio, format: json, schema: { a: int64 }, limit: 5 }, g: { connector: generator, fields: { a: sequence, k: { uniform: [0, 9] }, n: { one-of: [x] }, at: { every: 60us, disorder: 1s, start: 2024-01-01T00:00:00Z } }, rows: 10, rate: 50000 } }\nsinks: { k: { input: s, connector: stdio, format: json }, b: { input: g, connector: blackhole } }\ncheckpoint: { store: x }",
    );
    assert!(text.contains("\n  s: standard input, json (integer timestamps in ms, unknown fields ignored, rows of at most 16MiB), at most 5 rows\n"), "{text}");
    assert!(
        text.contains("\n  g: generator (a in sequence, k uniform from 0 to 9, n one of 1 texts, at every 60us, up to 1s late), 10 rows, 50000 a second, seed 0\n"),
        "{text}"
    );
    assert!(text.contains("\n  b: g to nowhere, counted\n"), "{text}");
    assert!(
        text.ends_with(
            "in jobs/x, 3 kept\n  s: standard input can't be read again; what was read since is lost\n  \
             k: no guarantee: what s had since the last checkpoint can't be read again, and what was printed can't be taken back, so that \
             rows may come again\n  b: no guarantee: nothing is kept of its rows\n"
        ),
        "{text}"
    );
}

#[test]
fn inputs_by_name_are_explained_each() {
    let job = job(&around("  out: { inputs: { one: quakes, two: quakes }, key-by: { one: [net], two: [id] }, plugin: match }"));
    let plan = plan(&job);
    let text = explain(&job, &plan);
    for part in [
        "\n    in .one: quakes (id utf8 not null, net utf8, mag float64), by key net\n    in .two: quakes (id utf8 not null, net utf8, mag \
         float64), by key id\n",
        "\n    from stage 1 into one, by key net: net, mag (2 of 3 columns)\n    from stage 1 into two, by key id: id, mag (2 of 3 columns)\n",
    ] {
        assert!(text.contains(part), "expected\n{part}\nfound\n{text}");
    }
    let explanation = Explanation::of(&job, &plan);
    let inputs: Vec<_> = explanation.operators[0].inputs.iter().map(|input| (&*input.name, input.key_by.join(","))).collect();
    assert_eq!(inputs, [("one", "net".to_owned()), ("two", "id".to_owned())]);
    assert!(explanation.mermaid().contains("|\"into two, by key id, 2 columns\"|"), "{}", explanation.mermaid());
    assert!(explanation.dot().contains("[label=\"into two, by key id, 2 columns\", style=bold]"), "{}", explanation.dot());
}

#[test]
fn each_sink_says_how_often_a_row_is_in_it_by_the_sources_that_lead_to_it() {
    let text = explained(
        "name: t
sources:
  s: { connector: stdio, format: json, schema: { a: int64 not null } }
  g: { connector: generator, fields: { a: sequence } }
operators:
  some: { input: g, filter: a > 1 }
  both: { inputs: [some, s], filter: a > 2 }
sinks:
  one: { input: some, connector: sqlite, path: out.db, table: t }
  two: { input: both, connector: postgres, url: \"postgres://me:secret@db/orders\", table: public.t, create: true, mode: upsert, key: [a] }
  three: { input: some, connector: stdio, format: json }
checkpoint: { store: x }",
    );
    assert!(text.contains("\n  one: some to sqlite out.db, table t, rows are added\n"), "{text}");
    assert!(
        text.contains(
            "\n  two: both to postgres db/orders, table public.t, made where it isn't there, rows take the place of those with the same a\n"
        ),
        "{text}"
    );
    assert!(!text.contains("secret"), "{text}");
    assert!(
        text.ends_with(
            "  one: exactly once: rows and their epoch are committed in one transaction\n  \
             two: at most once: what s had since the last checkpoint can't be read again\n  \
             three: at least once: what was printed can't be taken back, so that rows may come again\n"
        ),
        "{text}"
    );
}
