//! What the command line adds to a job file.

use wasmill_job::graph::{SinkConnector, Verb};

use crate::catalog::{around, brief, loaded_with};

fn text() -> String {
    around("  out: { input: quakes, filter: mag > 1 }")
}

fn refused(overrides: &[(&str, &str)], parallelism: Option<u32>) -> Vec<String> {
    let problems = loaded_with(&text(), overrides, parallelism).map(|(job, _)| job).expect_err("problems");
    problems.iter().map(|problem| brief(problem)).collect()
}

#[test]
fn set_replaces_and_adds() {
    let overrides = [
        ("operators.out.filter", "mag > 7"),
        ("sinks.sink", "{ input: out, connector: file, path: x, format: json }"),
        ("parallelism", "3"),
    ];
    let (job, _) = loaded_with(&text(), &overrides, None).expect("a job");
    assert_eq!(job.operators[0].verb, Verb::Filter("mag > 7".to_owned()));
    assert!(matches!(job.sinks[0].connector, SinkConnector::File { .. }));
    assert_eq!(job.parallelism, 3);
}

#[test]
fn parallelism_of_the_command_line_goes_before_the_jobs() {
    let (job, _) = loaded_with(&text(), &[("parallelism", "3")], Some(2)).expect("a job");
    assert_eq!(job.parallelism, 2);
}

#[test]
fn cores_beyond_the_key_groups_are_not_used() {
    let (job, _) = loaded_with(&text(), &[("max-parallelism", "2")], None).expect("a job");
    assert_eq!(job.parallelism, 2);
}

#[test]
fn problems_name_the_option() {
    assert_eq!(
        refused(&[("operators.out.fitler", "mag"), ("parallelism", "many")], None),
        [
            "error[unknown-key]: found `fitler`, expected one of input, inputs, filter, select, with, drop, unnest, as, split, emit, key-by, broadcast, window, aggregate, retract-where, plugin, settings, limits, on-poison\n  --> --set (operators.out.fitler)\n   = did you mean `filter`?",
            "error[wrong-type]: found the text `many`, expected a whole number from 1 to 32768\n  --> --set (parallelism)",
        ]
        .map(str::to_owned)
        .into_iter()
        .rev()
        .collect::<Vec<_>>()
    );
    assert_eq!(
        refused(&[], Some(0)),
        [
            "error[invalid-value]: found `0`, expected 1 to 128 tasks, the number of key groups\n  --> --parallelism (parallelism)\n   = `max-parallelism` says how many key groups there are; it is fixed for the life of the state"
        ]
    );
    assert_eq!(
        refused(&[("sources.quakes.path.x", "1")], None),
        [
            "error[invalid-option]: found the text `q.ndjson` at `sources.quakes.path`, expected a mapping, to set one of its keys\n  --> --set (sources.quakes.path.x)\n   = set all of it: --set sources.quakes.path=VALUE"
        ]
    );
}
