//! A progress bar on standard error, where that is a terminal and the end of the input is known.

use std::fs;
use std::io::{self, IsTerminal as _};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use wasmill_job::graph::{Job, Source, SourceConnector};
use wasmill_runtime::{JobCounts, NodeCounts};

use crate::screen;

/// How often the bar is drawn.
pub const PAUSE: Duration = Duration::from_millis(100);

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Extent {
    Bytes(u64),
    Rows(u64),
}

/// A bar over all sources of a job.
pub struct Progress {
    bar: ProgressBar,
    extent: Extent,
}

impl Progress {
    /// A bar, where there is somebody to see it and the input has a known end.
    #[must_use]
    pub fn of(job: &Job) -> Option<Self> {
        if !io::stderr().is_terminal() {
            return None;
        }
        let extent = extent(job)?;
        let (length, figures) = match extent {
            Extent::Bytes(bytes) => (bytes, "{bytes}/{total_bytes} {bytes_per_sec}"),
            Extent::Rows(rows) => (rows, "{human_pos}/{human_len} rows {per_sec}"),
        };
        let style = ProgressStyle::with_template(&format!("{{prefix}} {{wide_bar}} {figures} {{eta}}"));
        let bar = ProgressBar::new(length).with_prefix(job.name.clone());
        let bar = bar.with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        Some(Self { bar: screen::add(bar), extent })
    }

    /// Shows what has been counted so far.
    pub fn show(&self, counts: &JobCounts) {
        let read = |source: &NodeCounts| match self.extent {
            Extent::Bytes(_) => NodeCounts::get(&source.bytes),
            Extent::Rows(_) => NodeCounts::get(&source.rows_in),
        };
        self.bar.set_position(counts.sources.iter().map(|source| NodeCounts::get(&source.restored) + read(source)).sum());
    }

    /// Takes the bar away.
    pub fn end(&self) {
        self.bar.finish_and_clear();
    }
}

/// How much all sources have together: rows where each has a number of them, bytes where each is a file.
fn extent(job: &Job) -> Option<Extent> {
    let all = |count: fn(&Source) -> Option<u64>| job.sources.iter().map(count).sum::<Option<u64>>();
    all(rows).map(Extent::Rows).or_else(|| all(bytes).map(Extent::Bytes))
}

fn rows(source: &Source) -> Option<u64> {
    match &source.connector {
        SourceConnector::Generator(generator) => match (generator.rows, source.limit) {
            (Some(rows), Some(limit)) => Some(rows.min(limit)),
            (rows, limit) => rows.or(limit),
        },
        SourceConnector::File { .. } | SourceConnector::Stdio { .. } => source.limit,
    }
}

fn bytes(source: &Source) -> Option<u64> {
    match &source.connector {
        SourceConnector::File { path, .. } => fs::metadata(path).ok().filter(fs::Metadata::is_file).map(|file| file.len()),
        SourceConnector::Stdio { .. } | SourceConnector::Generator(_) => None,
    }
}
