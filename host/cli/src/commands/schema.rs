//! `wasmill schema`: the JSON Schema of what programs write for Wasmill or read from it.

use crate::arguments::Object;
use crate::exit::Exit;
use crate::report;

/// Prints a schema.
pub fn schema(object: Object) -> Exit {
    report::result(match object {
        Object::Job => include_str!("schema/job.json"),
        Object::Summary => include_str!("schema/summary.json"),
        Object::DeadLetter => include_str!("schema/dead-letter.json"),
        Object::Bench => include_str!("schema/bench.json"),
        Object::Checkpoints => include_str!("schema/checkpoints.json"),
        Object::Explain => include_str!("schema/explain.json"),
    })
}
