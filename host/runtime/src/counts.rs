//! What a job counts while it runs. Counters are added to once a batch, by the task that owns the work, and read by anyone.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, RwLock};
use std::time::Duration;

use wasmill_flow::{Epoch, TaskIndex, Watermark};
use wasmill_operator::PluginCounts;

use crate::clock::{Spent, TaskClock};
use crate::edge::Queue;

/// What one task of a plugin counts, and its author's figures by name.
pub type PluginTask = (PluginCounts, BTreeMap<String, f64>);

/// What one source, operator or sink has done so far, over all its tasks.
#[derive(Debug, Default)]
pub struct NodeCounts {
    /// Rows in: for a source those that it read, malformed ones too.
    pub rows_in: AtomicU64,
    /// For a source, how much of its extent lay before where it went on from a checkpoint: bytes or rows.
    pub restored: AtomicU64,
    /// Rows out, by output; for a sink none.
    pub rows_out: Vec<AtomicU64>,
    /// Rows that died: for a source malformed ones.
    pub dead: AtomicU64,
    /// Rows that a source left out, since the filter behind it wants none of them; in no other count.
    pub pruned: AtomicU64,
    /// For a source, rows whose event time was too far ahead to raise the watermark.
    pub ahead_rows: AtomicU64,
    /// Batches in.
    pub batches: AtomicU64,
    /// Bytes read, or written.
    pub bytes: AtomicU64,
    /// Time in which its calls ran, in nanoseconds; not that in which they waited.
    pub busy_nanos: AtomicU64,
    /// The longest that one of its calls ran, in nanoseconds.
    pub longest_step_nanos: AtomicU64,
    /// Bytes that its state and its plugin's instances hold now, over all tasks, with what their growth may take in passing.
    pub memory: Arc<AtomicU64>,
    /// Keys with state now, over all tasks.
    pub state_keys: Arc<AtomicU64>,
    /// Bytes of state now, over all tasks.
    pub state_bytes: Arc<AtomicU64>,
    /// Where rows may have event times, how far they have come in each of its tasks.
    watermarks: OnceLock<Vec<Arc<TaskWatermark>>>,
    /// What a plugin counts, by task.
    pub plugin: Mutex<BTreeMap<u32, PluginTask>>,
    /// What it counted in runs of the job that failed.
    plugin_before: Mutex<PluginCounts>,
}

impl NodeCounts {
    /// Nothing yet, for a node with so many outputs.
    #[must_use]
    pub fn new(outputs: usize) -> Self {
        Self { rows_out: (0..outputs).map(|_| AtomicU64::new(0)).collect(), ..Self::default() }
    }

    pub(crate) fn add(counter: &AtomicU64, by: u64) {
        counter.fetch_add(by, Relaxed);
    }

    /// A counter's value.
    #[must_use]
    pub fn get(counter: &AtomicU64) -> u64 {
        counter.load(Relaxed)
    }

    /// Notes that a call ran for so long.
    pub(crate) fn add_step(&self, spent: Duration) {
        let nanos = u64::try_from(spent.as_nanos()).unwrap_or(u64::MAX);
        Self::add(&self.busy_nanos, nanos);
        // Read first: a maximum rarely changes, and a read takes nothing from other cores.
        if nanos > self.longest_step_nanos.load(Relaxed) {
            self.longest_step_nanos.fetch_max(nanos, Relaxed);
        }
    }

    /// Keys with state, and bytes of state, over all tasks.
    #[must_use]
    pub fn state_totals(&self) -> (u64, u64) {
        (Self::get(&self.state_keys), Self::get(&self.state_bytes))
    }

    /// Where a task notes its watermarks.
    pub(crate) fn watermark_of(&self, task: TaskIndex) -> &Arc<TaskWatermark> {
        let tasks = || (0..task.of).map(|_| Arc::default()).collect();
        &self.watermarks.get_or_init(tasks)[task.index as usize]
    }

    /// How far event time has come in the slowest task of a source or an operator, in milliseconds since 1970; none where rows have none, or
    /// it has none yet. When all have come to the end, how far it had come before.
    #[must_use]
    pub fn watermark(&self) -> Option<i64> {
        let tasks = self.watermarks.get()?.iter();
        let running = tasks.clone().filter(|task| !task.ended.load(Relaxed)).map(|task| task.last.load(Relaxed)).min();
        let watermark = running.or_else(|| tasks.map(|task| task.last.load(Relaxed)).max())?;
        (watermark > Watermark::NONE.0).then_some(watermark)
    }

    /// The sum of what a plugin's tasks count.
    #[must_use]
    pub fn plugin_totals(&self) -> PluginCounts {
        let tasks = self.plugin.lock().unwrap_or_else(PoisonError::into_inner);
        let before = *self.plugin_before.lock().unwrap_or_else(PoisonError::into_inner);
        tasks.values().fold(before, |total, (counts, _)| total.and(*counts))
    }

    /// Takes what the tasks of a run that failed have left, before another begins.
    fn start_again(&self) {
        for held in [&self.restored, &*self.state_keys, &*self.state_bytes] {
            held.store(0, Relaxed);
        }
        for watermark in self.watermarks.get().into_iter().flatten() {
            watermark.ended.store(false, Relaxed);
        }
        let before = PluginCounts { memory: 0, ..self.plugin_totals() };
        *self.plugin_before.lock().unwrap_or_else(PoisonError::into_inner) = before;
        self.plugin.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// The author's figures: sums over tasks.
    #[must_use]
    pub fn author_metrics(&self) -> BTreeMap<String, f64> {
        let tasks = self.plugin.lock().unwrap_or_else(PoisonError::into_inner);
        let mut totals = BTreeMap::new();
        for (name, value) in tasks.values().flat_map(|(_, metrics)| metrics) {
            *totals.entry(name.clone()).or_insert(0.0) += value;
        }
        totals
    }
}

/// How far event time has come in one task, for whoever looks on.
#[derive(Debug)]
pub(crate) struct TaskWatermark {
    /// The last but that of the end, in milliseconds since 1970.
    last: AtomicI64,
    ended: AtomicBool,
}

impl TaskWatermark {
    /// Notes how far it has come now.
    pub fn note(&self, watermark: Watermark) {
        if watermark == Watermark::END {
            self.ended.store(true, Relaxed);
        } else {
            self.last.store(watermark.0, Relaxed);
        }
    }
}

impl Default for TaskWatermark {
    fn default() -> Self {
        Self { last: AtomicI64::new(Watermark::NONE.0), ended: AtomicBool::new(false) }
    }
}

/// One task's part of a total that goes up and down. It stays when the task is gone: the total is what there was at the end.
#[derive(Debug)]
pub(crate) struct Share {
    total: Arc<AtomicU64>,
    own: u64,
}

impl Share {
    /// Nothing yet of this total.
    pub fn of(total: &Arc<AtomicU64>) -> Self {
        Self { total: Arc::clone(total), own: 0 }
    }

    /// Says how much it is now. Costs nothing where it was as much.
    pub fn set(&mut self, own: u64) {
        if own > self.own {
            self.total.fetch_add(own - self.own, Relaxed);
        } else if own < self.own {
            self.total.fetch_sub(self.own - own, Relaxed);
        }
        self.own = own;
    }
}

/// What can be seen of a task from outside while it runs.
#[derive(Debug)]
pub struct TaskGauges {
    /// How it spends its time.
    pub clock: Arc<TaskClock>,
    /// What waits in its lanes; none where a source heads it.
    pub queue: Option<Queue>,
}

/// What a job counts.
#[derive(Debug)]
pub struct JobCounts {
    /// By source, in the order of the job.
    pub sources: Vec<NodeCounts>,
    /// By operator.
    pub operators: Vec<NodeCounts>,
    /// By sink.
    pub sinks: Vec<NodeCounts>,
    /// The dead letters.
    pub dead_letters: NodeCounts,
    /// Bytes of rows on edges now.
    pub edges: Arc<AtomicU64>,
    /// The tasks of each stage of the plan; empty until they are made.
    pub(crate) stages: RwLock<Vec<Arc<[TaskGauges]>>>,
    /// Checkpoints completed.
    pub checkpoints: AtomicU64,
    /// Checkpoints that failed.
    pub failed_checkpoints: AtomicU64,
    /// State files of checkpoints that were found to be damaged.
    pub damaged_files: AtomicU64,
    /// The epoch of the last completed checkpoint; 0 for none.
    pub last_epoch: AtomicU64,
    /// How long the last completed checkpoint took, from its barrier, in microseconds.
    pub checkpoint_micros: AtomicU64,
    /// Bytes of state written into the store.
    pub checkpoint_bytes: AtomicU64,
    /// How often the job was started again after a fault.
    pub restarts: AtomicU64,
}

impl JobCounts {
    pub(crate) fn checkpoint_failed(&self) {
        self.failed_checkpoints.fetch_add(1, Relaxed);
    }

    pub(crate) fn file_damaged(&self) {
        self.damaged_files.fetch_add(1, Relaxed);
    }

    pub(crate) fn checkpoint_completed(&self, epoch: Epoch, took: Duration) {
        self.checkpoints.fetch_add(1, Relaxed);
        self.last_epoch.store(epoch.0, Relaxed);
        self.checkpoint_micros.store(u64::try_from(took.as_micros()).unwrap_or(u64::MAX), Relaxed);
    }

    /// Notes the tasks of a run: those of an earlier one are gone, and with them what they held.
    pub(crate) fn begin(&self, stages: Vec<Vec<TaskGauges>>) {
        *self.stages.write().unwrap_or_else(PoisonError::into_inner) = stages.into_iter().map(Arc::from).collect();
    }

    /// Takes what the tasks of a run that failed have left, before another run of the job begins: rows stay counted, what was held isn't any more.
    pub fn start_again(&self) {
        self.restarts.fetch_add(1, Relaxed);
        for node in self.sources.iter().chain(&self.operators).chain(&self.sinks).chain([&self.dead_letters]) {
            node.start_again();
        }
    }

    /// A stage's tasks; none before they are made.
    #[must_use]
    pub fn tasks(&self, stage: usize) -> Arc<[TaskGauges]> {
        let stages = self.stages.read().unwrap_or_else(PoisonError::into_inner);
        stages.get(stage).map_or_else(|| Arc::from([]), Arc::clone)
    }

    /// How the tasks of a stage have spent their time, together.
    #[must_use]
    pub fn spent(&self, stage: usize) -> Spent {
        self.tasks(stage).iter().fold(Spent::default(), |sum, task| sum + task.clock.spent())
    }

    /// Rows and bytes that wait in the lanes of a stage.
    #[must_use]
    pub fn queued(&self, stage: usize) -> (usize, usize) {
        let tasks = self.tasks(stage);
        let queues = tasks.iter().filter_map(|task| task.queue.as_ref());
        queues.map(Queue::waiting).fold((0, 0), |(rows, bytes), (more_rows, more_bytes)| (rows + more_rows, bytes + more_bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_watermark_is_that_of_the_slowest_task_that_has_not_come_to_the_end() {
        let counts = NodeCounts::new(1);
        assert_eq!(counts.watermark(), None);
        let tasks: Vec<_> = (0..3).map(|index| counts.watermark_of(TaskIndex { index, of: 3 })).collect();
        tasks[0].note(Watermark(5));
        tasks[1].note(Watermark(9));
        assert_eq!(counts.watermark(), None, "nothing is known of the third");
        tasks[2].note(Watermark::END);
        assert_eq!(counts.watermark(), Some(5));
        tasks[0].note(Watermark::END);
        assert_eq!(counts.watermark(), Some(9));
        tasks[1].note(Watermark::END);
        assert_eq!(counts.watermark(), Some(9), "as far as it had come");
    }
}
