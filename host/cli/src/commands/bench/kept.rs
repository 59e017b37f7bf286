//! Where a benchmark's checkpoints are kept.

use std::path::Path;
use std::time::Duration;

use tempfile::TempDir;

use super::BenchError;

/// A store of checkpoints: one that was named, or one that is removed when this is dropped.
pub struct Kept {
    /// The job's setting of it.
    setting: String,
    path: String,
    _removed: Option<TempDir>,
}

impl Kept {
    /// A store where checkpoints are taken so often.
    pub fn new(store: Option<&Path>, every: Duration) -> Result<Self, BenchError> {
        let removed = if store.is_none() { Some(tempfile::Builder::new().prefix("wasmill-bench-").tempdir()?) } else { None };
        let path = match (store, &removed) {
            (Some(store), _) => std::path::absolute(store)?,
            (None, Some(removed)) => removed.path().join("store"),
            (None, None) => anyhow::bail!("no place for checkpoints"),
        };
        let path = path.display().to_string();
        let quoted = serde_json::to_string(&path)?;
        let setting = format!("{{ every: {}, store: {quoted} }}", wasmill_job::measure::show_duration(every));
        Ok(Self { setting, path, _removed: removed })
    }

    /// What the job says of it: a key and its value.
    pub fn setting(&self) -> (String, String) {
        ("checkpoint".to_owned(), self.setting.clone())
    }

    /// Where it is.
    pub fn path(&self) -> &str {
        &self.path
    }
}
