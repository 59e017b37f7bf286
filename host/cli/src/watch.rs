//! Shows how a job gets on while it runs: a bar and a table that are redrawn on a terminal, elsewhere a line now and then.

use std::io::{self, IsTerminal as _};
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread;
use std::time::{Duration, Instant};

use console::Term;
use indicatif::{ProgressBar, ProgressStyle};
use wasmill_job::graph::{Job, SinkConnector};
use wasmill_job::plan::Plan;
use wasmill_runtime::JobCounts;

use crate::activity::{Look, Stages};
use crate::event::{self, Event};
use crate::progress::{self, Progress};
use crate::{report, screen, table};

/// How often the table is drawn; its figures are of the time since it was last drawn. A shorter job shows none.
const TABLE_EVERY: Duration = Duration::from_secs(1);
/// How often a line is printed where nothing is redrawn. A shorter job prints none.
const LINE_EVERY: Duration = Duration::from_secs(10);

/// How long the end of a job waits for what is redrawn to be taken away; a terminal that doesn't take it by then has stalled.
const LAST: Duration = Duration::from_secs(1);

/// Shows a job on a thread of its own, so that a standard error that stalls doesn't hold up what drives the job.
pub struct Watch {
    /// Dropped when nothing more is to be shown.
    showing: Sender<()>,
    /// Closed when nothing more is shown.
    shown: Receiver<()>,
}

impl Watch {
    /// Watches a job that is about to run.
    ///
    /// # Errors
    /// Where the system refuses a thread.
    pub fn start(job: &Job, plan: &Plan, counts: &Arc<JobCounts>) -> io::Result<Self> {
        let mut view = View::new(job.clone(), plan, Arc::clone(counts));
        let (showing, end) = mpsc::channel();
        let (last, shown) = mpsc::channel();
        let show = move || {
            let _until_shown = last;
            while end.recv_timeout(view.pause()) == Err(RecvTimeoutError::Timeout) {
                view.step();
            }
            view.end();
        };
        thread::Builder::new().name("watch".to_owned()).spawn(show)?;
        Ok(Self { showing, shown })
    }

    /// Takes away what is redrawn.
    pub fn end(self) {
        drop(self.showing);
        let _ = self.shown.recv_timeout(LAST);
    }
}

/// What is shown of a job.
struct View {
    job: Job,
    counts: Arc<JobCounts>,
    stages: Stages,
    began: Instant,
    last: Look,
    shown: Shown,
}

enum Shown {
    /// The bar, where the end of the input is known, and the table.
    Redrawn(Option<Progress>, ProgressBar),
    Lines,
}

impl View {
    fn new(job: Job, plan: &Plan, counts: Arc<JobCounts>) -> Self {
        let stages = Stages::of(&job, plan);
        let last = Look::take(&job, &stages, &counts);
        let shown = if is_redrawn(&job) {
            let bar = Progress::of(&job);
            let style = ProgressStyle::with_template("{msg}").unwrap_or_else(|_| ProgressStyle::default_spinner());
            Shown::Redrawn(bar, screen::add(ProgressBar::new_spinner().with_style(style)))
        } else {
            Shown::Lines
        };
        Self { job, counts, stages, began: Instant::now(), last, shown }
    }

    fn pause(&self) -> Duration {
        match &self.shown {
            Shown::Redrawn(..) => progress::PAUSE,
            Shown::Lines => LINE_EVERY,
        }
    }

    fn end(&self) {
        if let Shown::Redrawn(bar, table) = &self.shown {
            screen::draw(|| {
                table.finish_and_clear();
                if let Some(bar) = bar {
                    bar.end();
                }
            });
        }
    }

    fn step(&mut self) {
        let due = self.last.at.elapsed() >= TABLE_EVERY;
        match &self.shown {
            Shown::Redrawn(bar, table) => {
                let now = due.then(|| Look::take(&self.job, &self.stages, &self.counts));
                screen::draw(|| {
                    if let Some(bar) = bar {
                        bar.show(&self.counts);
                    }
                    if let Some(now) = &now {
                        let (height, width) = Term::stderr().size();
                        // A line for the bar, and one for the cursor.
                        let lines = table::lines(&self.last, now, width.into(), usize::from(height).saturating_sub(2));
                        table.set_message(lines.join("\n"));
                    }
                });
                self.last = now.unwrap_or_else(|| self.last.clone());
            }
            Shown::Lines => {
                let now = Look::take(&self.job, &self.stages, &self.counts);
                let text = table::summary(&self.last, &now, self.began.elapsed());
                if event::as_json() {
                    let event = Event::new("info", "progress", text).with("rows_in", now.rows_in);
                    event.with("rows_out", now.rows_out).with("dead_letters", now.dead).print();
                } else {
                    report::note(&text);
                }
                self.last = now;
            }
        }
    }
}

/// Whether there is a terminal to redraw on that the job's rows don't go to as well, and no program that reads events.
fn is_redrawn(job: &Job) -> bool {
    let is_stdio = |connector: &SinkConnector| matches!(connector, SinkConnector::Stdio { .. });
    let rows_out = job.sinks.iter().map(|sink| &sink.connector).chain(job.dead_letters.iter().map(|letters| &letters.connector));
    let rows_on_screen = io::stdout().is_terminal() && rows_out.into_iter().any(is_stdio);
    io::stderr().is_terminal() && !rows_on_screen && !event::as_json()
}
