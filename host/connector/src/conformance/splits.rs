//! The suite of the [`Source`] contract where a job goes on with another number of tasks.

use std::collections::BTreeSet;

use wasmill_flow::TaskIndex;

use super::sources::{Row, rows_of};
use crate::{BatchLimit, Position, Source};

/// Checks clause 7 of [`Source`]'s contract: `open` makes a task's source at its start, of rows that have an end.
///
/// # Panics
/// Where a source breaks its contract.
pub async fn check_source_tasks(open: &dyn Fn(TaskIndex) -> Box<dyn Source>) {
    for counts in [&[1, 2, 1][..], &[2, 1, 3], &[2, 3, 3, 2], &[4, 3, 1], &[1, 4, 2, 5], &[3, 7, 7, 2]] {
        let mut expected = Vec::new();
        for mut source in started(open, counts[0], None).await {
            expected.extend(read(source.as_mut(), usize::MAX).await);
        }
        for often in 0..4 {
            let mut found = Vec::new();
            let mut positions: Option<Vec<Position>> = None;
            for (life, of) in counts.iter().enumerate() {
                let mut sources = started(open, *of, positions.as_deref()).await;
                for (task, source) in sources.iter_mut().enumerate() {
                    // Tasks come to different places: some not far, some to their ends.
                    let rows = if life + 1 == counts.len() { usize::MAX } else { (often + life + task) % 4 * (often * 3 + 1) };
                    found.extend(read(source.as_mut(), rows).await);
                }
                let stored = sources.iter().map(|source| serde_json::to_string(&source.position()).expect("JSON"));
                positions = Some(stored.map(|text| serde_json::from_str(&text).expect("it reads back")).collect());
            }
            found.sort_unstable();
            expected.sort_unstable();
            assert_eq!(found, expected, "7: {counts:?} tasks, {often}: each row once");
        }
    }
}

/// So many tasks, at their starts or where former tasks were.
async fn started(open: &dyn Fn(TaskIndex) -> Box<dyn Source>, of: u32, former: Option<&[Position]>) -> Vec<Box<dyn Source>> {
    let mut sources = Vec::new();
    let mut has_more = BTreeSet::new();
    for index in 0..of {
        let task = TaskIndex { index, of };
        let mut source = open(task);
        match former {
            None => {}
            Some(former) if former.len() == of as usize => {
                source.seek(&former[index as usize]).expect("a seek");
            }
            Some(former) => {
                let from = source.take_over(former, task).expect("a position to take over");
                assert!(from.is_sorted() && from.iter().all(|index| *index < former.len()), "7: {from:?} are no former tasks");
                let mut again = open(task);
                again.seek(&source.position()).expect("a seek to where it was taken over");
                assert_eq!(again.position(), source.position(), "3: the position after a seek is that position");
                let rest = read(again.as_mut(), usize::MAX).await;
                assert!(rest.is_empty() || !from.is_empty(), "7: {} rows are from no former task", rest.len());
                again.seek(&source.position()).expect("a seek back");
                assert_eq!(read(again.as_mut(), usize::MAX).await, rest, "3: what follows a seek is what would have come");
                has_more.extend(from);
            }
        }
        sources.push(source);
    }
    for (index, position) in former.unwrap_or_default().iter().enumerate().filter(|_| !has_more.is_empty()) {
        let mut source = open(TaskIndex {
            index: u32::try_from(index).expect("few"),
            of: former.map_or(0, |former| u32::try_from(former.len()).expect("few")),
        });
        source.seek(position).expect("a seek");
        let left = read(source.as_mut(), 1).await;
        assert!(left.is_empty() || has_more.contains(&index), "7: nobody goes on with what task {index} had left");
    }
    sources
}

/// The next rows, at most so many.
async fn read(source: &mut dyn Source, most: usize) -> Vec<Row> {
    let mut found = Vec::new();
    while found.len() < most {
        let limit = 3.min(most - found.len());
        let Some(read) = source.read(BatchLimit { rows: limit, bytes: 1 << 20 }).await.expect("a read") else { break };
        found.extend(rows_of(&read, source, limit));
    }
    found
}
