//! A source that makes its rows: `workload: micro` or `nexmark`, or `fields` by rule.

use std::time::Duration;

use chrono::{DateTime, NaiveDateTime};

use crate::graph::{FieldRule, Generator, NexmarkKind, Workload};
use crate::problem::{Problems, code};
use crate::read::field::Field;
use crate::read::mapping::Mapping;

const KEYS: &[&str] = &["connector", "workload", "fields", "rows", "rate", "seed", "limit", "event-time", "kind", "event-rate"];
/// The keys that say which of Nexmark's events there are.
const OF_NEXMARK: &[&str] = &["kind", "event-rate"];
/// Nexmark's events a second of event time unless the job says otherwise.
const EVENT_RATE: f64 = 100_000.0;
const A_RULE: &str = "a rule: `sequence`, or a mapping with one of uniform, one-of, at, or every";
const A_MOMENT: &str = "a moment, as 2024-01-01T00:00:00Z";

/// Reads a generator. `None` where anything of it is wrong.
pub fn read(keys: &Mapping<'_>, problems: &mut Problems) -> Option<Generator> {
    let before = problems.count();
    keys.check_keys(KEYS, &[], problems);
    let workload = match (keys.get("workload"), keys.get("fields")) {
        (Some(workload), None) => {
            let nexmark = workload.word(&[("micro", false), ("nexmark", true)], &[], problems);
            nexmark.map(|nexmark| if nexmark { read_nexmark(keys, problems) } else { Workload::Micro })
        }
        (None, Some(fields)) => read_fields(&fields, problems).map(Workload::Fields),
        (Some(workload), Some(_)) => {
            let problem = problems.error(code::MISPLACED_KEY, &workload.key_spot()).found("workload");
            problem.expected("`workload` or `fields`, not both");
            None
        }
        (None, None) => {
            problems.error(code::MISSING_KEY, keys.spot()).expected("`workload` or `fields`, what rows it makes");
            None
        }
    };
    if matches!(workload, Some(Workload::Micro | Workload::Fields(_))) {
        for (key, field) in OF_NEXMARK.iter().filter_map(|key| Some((*key, keys.get(key)?))) {
            let problem = problems.error(code::MISPLACED_KEY, &field.key_spot()).found(key);
            problem.expected("`workload: nexmark` beside it");
        }
    }
    let whole = 0..=i128::from(u64::MAX);
    let rows = keys.get("rows").and_then(|field| field.integer(whole.clone(), problems));
    let rate = keys.get("rate").and_then(|field| field.positive_number(problems));
    let seed = keys.get("seed").and_then(|field| field.integer(whole, problems)).unwrap_or(0);
    let workload = workload?;
    (problems.count() == before).then_some(Generator { workload, rows, rate, seed })
}

fn read_nexmark(keys: &Mapping<'_>, problems: &mut Problems) -> Workload {
    let kinds = [("person", NexmarkKind::Person), ("auction", NexmarkKind::Auction), ("bid", NexmarkKind::Bid)];
    let kind = keys.get("kind").and_then(|field| field.word(&kinds, &[], problems));
    let event_rate = keys.get("event-rate").and_then(|field| field.positive_number(problems)).unwrap_or(EVENT_RATE);
    Workload::Nexmark { kind, event_rate }
}

fn read_fields(field: &Field<'_>, problems: &mut Problems) -> Option<Vec<(String, FieldRule)>> {
    let fields = Mapping::open(field, "fields: a mapping from name to rule", problems)?;
    let rules: Vec<_> = fields.entries().map(|(name, rule)| read_rule(&rule, problems).map(|rule| (name.value, rule))).collect();
    if rules.is_empty() {
        problems.error(code::INVALID_VALUE, &field.spot).found_to_be("no fields").expected("at least one field");
        return None;
    }
    rules.into_iter().collect()
}

fn read_rule(field: &Field<'_>, problems: &mut Problems) -> Option<FieldRule> {
    if !field.is_mapping() {
        return match &field.node.value {
            crate::document::Value::Scalar(_) => field.word(&[("sequence", ())], &[], problems).map(|()| FieldRule::Sequence),
            _ => {
                field.wrong_type(A_RULE, problems);
                None
            }
        };
    }
    let rule = Mapping::open(field, A_RULE, problems)?;
    if let Some(ends) = rule.get("uniform") {
        rule.check_keys(&["uniform"], &[], problems);
        return read_uniform(&ends, problems);
    }
    if let Some(texts) = rule.get("one-of") {
        rule.check_keys(&["one-of"], &[], problems);
        let texts = texts.texts("a list of texts", "a text", problems)?;
        return Some(FieldRule::OneOf(texts.into_iter().map(|text| text.value).collect()));
    }
    rule.check_keys(&["uniform", "one-of", "every", "disorder", "start"], &[], problems).then_some(())?;
    let every = rule.require("every", "the time between two rows", problems);
    let start = rule.require("start", "the first moment", problems);
    let every = every.and_then(|field| field.duration(Duration::ZERO, problems));
    let start = start.and_then(|field| read_moment(&field, problems));
    let disorder = match rule.get("disorder") {
        Some(field) => field.duration(Duration::ZERO, problems)?,
        None => Duration::ZERO,
    };
    Some(FieldRule::At { every_nanos: u64::try_from(every?.as_nanos()).ok()?, disorder, start_millis: start? })
}

fn read_uniform(field: &Field<'_>, problems: &mut Problems) -> Option<FieldRule> {
    let expected = "two whole numbers, the first not the greater: [0, 99999]";
    let items = field.items(expected, problems)?;
    let [low, high] = items.as_slice() else {
        problems.error(code::INVALID_VALUE, &field.spot).found_to_be(format!("{} items", items.len())).expected(expected);
        return None;
    };
    let range = i128::from(i64::MIN)..=i128::from(i64::MAX);
    let (low, high) = (low.integer::<i64>(range.clone(), problems), high.integer::<i64>(range, problems));
    let (low, high) = (low?, high?);
    if low > high {
        problems.error(code::INVALID_VALUE, &field.spot).found(format!("[{low}, {high}]")).expected(expected);
        return None;
    }
    Some(FieldRule::Uniform(low, high))
}

/// A moment by RFC 3339, in milliseconds since the epoch; without a zone it is UTC.
fn read_moment(field: &Field<'_>, problems: &mut Problems) -> Option<i64> {
    let text = field.text(A_MOMENT, problems)?.value;
    let moment = DateTime::parse_from_rfc3339(&text).map(|moment| moment.timestamp_millis());
    let moment = moment.or_else(|_| text.parse::<NaiveDateTime>().map(|moment| moment.and_utc().timestamp_millis()));
    if moment.is_err() {
        problems.error(code::INVALID_VALUE, &field.spot).found(text).expected(A_MOMENT);
    }
    moment.ok()
}
