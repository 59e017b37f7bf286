//! One budget of memory for a process: a job that passes it fails, names what grew, and the process stays near it.

mod program;

use program::Folder;

/// What a process takes beside what the budget is of: the program itself, its buffers for reading and writing, what the allocator keeps.
const BESIDE: u64 = 256 << 20;

/// A job whose state grows with every row.
const GROWING: &str = "name: growing
sources: { rows: { connector: generator, fields: { id: sequence }, rows: 100000000 } }
operators: { counted: { input: rows, key-by: [id], aggregate: { n: count(*), last: max(id) } } }
sinks: { out: { input: counted, connector: blackhole } }
";

#[test]
fn a_job_whose_state_passes_the_budget_fails_and_the_error_names_what_grew() {
    for parallelism in ["1", "2"] {
        let folder = Folder::of_job(GROWING);
        let arguments = ["run", "job.yaml", "--parallelism", parallelism, "--memory", "256MiB", "--summary", "summary.json"];
        folder.run(&arguments).says(
            1,
            &[
                "error[memory-budget]: the process's memory budget of 256MiB is passed: ",
                " MiB are held or about to be; in this job by operator `counted` ",
                "hint: give the process more with `run --memory SIZE`, or hold less: ",
            ],
        );
        let summary = folder.json("summary.json");
        assert_eq!(summary["error"]["operator"], "counted");
        let peak = summary["peak_memory_bytes"].as_u64().expect("bytes");
        assert!(peak < (256 << 20) + BESIDE, "{} MiB were resident", peak >> 20);
        let rows = summary["rows_in"].as_u64().expect("rows");
        assert!(rows > 500_000, "the budget is used: {rows} rows");
    }
}

#[test]
fn rows_on_edges_have_their_share_and_a_job_that_holds_no_more_ends_well() {
    // Rows of a mebibyte on many lanes, in a budget that the lanes' own limits would pass many times.
    let text = "x".repeat(1 << 20);
    let folder = Folder::of_job(
        "name: wide
sources: { rows: { connector: file, path: rows.ndjson, format: json, schema: { id: int64 not null, text: utf8 not null } } }
operators: { last: { input: rows, key-by: [id], aggregate: { n: count(*) } } }
sinks: { out: { input: last, connector: blackhole } }
",
    );
    let rows: String = (0..200).map(|id| format!("{{\"id\":{id},\"text\":\"{text}\"}}\n")).collect();
    folder.write("rows.ndjson", rows);
    let arguments = ["run", "job.yaml", "--parallelism", "8", "--memory", "32MiB", "--summary", "summary.json"];
    folder.run(&arguments).says(0, &[]);
    let summary = folder.json("summary.json");
    assert_eq!(summary["rows_out"], 200);
    let peak = summary["peak_memory_bytes"].as_u64().expect("bytes");
    assert!(peak < (32 << 20) + BESIDE, "{} MiB were resident", peak >> 20);
}

#[test]
fn a_size_that_is_none_is_refused() {
    let folder = Folder::of_job(GROWING);
    for size in ["0B", "12", "much"] {
        folder.run(&["run", "job.yaml", "--memory", size]).says(2, &["expected a size, as 512B, 64KiB, 1MiB or 2GiB"]);
    }
}
