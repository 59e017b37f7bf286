//! What is outside of the engine and outlives it: the output that others see, what happened when, chance, and when the power goes.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::future::pending;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep};

/// How long sources have rows, and then have none, where there are lulls: some epochs.
const LULL: Duration = Duration::from_millis(50);

/// The world of one seed. Clones are the same world.
#[derive(Clone)]
pub struct World(Arc<Mutex<State>>, Arc<Notify>);

struct State {
    chance: Chance,
    /// Hash of everything that happened, and when.
    trace: u64,
    /// The same, for people, where somebody wants to read it.
    said: Option<String>,
    /// Nothing reaches the world any more.
    dead: bool,
    /// When the present run of the engine began.
    began: Option<Instant>,
    /// Where sources have nothing for a while, again and again: how many epochs had no row for a sink meanwhile.
    lulls: Option<u64>,
    /// How often the engine has begun.
    life: u64,
    /// By sink and page: rows that are durable, and how many of them others see.
    outputs: BTreeMap<(String, Page), Output>,
}

/// Where a task of a sink writes in one life of the engine: the life, and the task.
pub type Page = (u64, u32);

/// What is on a page.
#[derive(Debug, Clone, Default)]
struct Output {
    rows: Vec<String>,
    visible: usize,
}

/// Numbers that look random, from a seed (SplitMix64, Steele et al. 2014).
pub struct Chance(u64);

impl Chance {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// A number below `end`.
    pub fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % end
    }
}

impl World {
    pub fn new(seed: u64) -> Self {
        let said = std::env::var_os("WASMILL_TEST_TRACE").map(|_| String::new());
        let state = State {
            chance: Chance::new(seed),
            trace: 0,
            said,
            dead: false,
            began: None,
            lulls: None,
            life: 0,
            outputs: BTreeMap::new(),
        };
        Self(Arc::new(Mutex::new(state)), Arc::default())
    }

    /// Lets sources have nothing for a while, again and again.
    pub fn with_lulls(self, lulls: bool) -> Self {
        self.state().lulls = lulls.then_some(0);
        self
    }

    /// How many epochs had no row for a sink in such a world.
    pub fn lulls(&self) -> u64 {
        self.state().lulls.unwrap_or(0)
    }

    /// Waits until a lull is over, if there is one.
    pub async fn sit_out_a_lull(&self) {
        let now = {
            let state = self.state();
            state.began.filter(|_| state.lulls.is_some()).map_or(Duration::ZERO, |began| began.elapsed())
        };
        let into = Duration::from_nanos(u64::try_from(now.as_nanos() % (2 * LULL).as_nanos()).expect("a short time"));
        if into >= LULL {
            sleep(2 * LULL - into).await;
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().expect("nobody panics with it")
    }

    /// A run of the engine begins.
    pub fn begin(&self) {
        let mut state = self.state();
        state.dead = false;
        state.life += 1;
        state.began = Some(Instant::now());
        drop(state);
        self.happened("the engine starts");
    }

    /// The power goes: whatever the engine does from now on, the world sees nothing of it.
    pub fn die(&self, why: &str) {
        self.happened(why);
        self.state().dead = true;
        self.1.notify_waiters();
    }

    pub fn is_dead(&self) -> bool {
        self.state().dead
    }

    /// Waits until the power goes.
    pub async fn died(&self) {
        let notified = self.1.notified();
        if !self.is_dead() {
            notified.await;
        }
    }

    /// A number below `end`.
    pub fn below(&self, end: u64) -> u64 {
        self.state().chance.below(end)
    }

    /// Notes what happened.
    pub fn happened(&self, what: &str) {
        let mut state = self.state();
        if state.dead {
            return;
        }
        // Between two runs of the engine there is no simulated clock, only the machine's.
        let began = state.began.filter(|_| Handle::try_current().is_ok());
        let at = began.map_or(0, |began| began.elapsed().as_micros());
        let entry = format!("{at} {what}");
        state.trace = entry
            .bytes()
            .fold(state.trace ^ 0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
        if let Some(said) = &mut state.said {
            let _ = writeln!(said, "{entry}");
        }
    }

    /// What everything that happened, and when, comes to.
    pub fn trace(&self) -> u64 {
        self.state().trace
    }

    /// Everything that happened, where somebody wants to read it.
    pub fn said(&self) -> String {
        self.state().said.clone().unwrap_or_default()
    }

    /// Takes some time, often none; for ever where the power has gone.
    pub async fn dawdle(&self, most: Duration) {
        let micros = u64::try_from(most.as_micros()).expect("a short time");
        match self.below(4) {
            0 => {}
            1 | 2 => {
                for _ in 0..self.below(4) {
                    tokio::task::yield_now().await;
                }
            }
            _ => sleep(Duration::from_micros(self.below(micros + 1))).await,
        }
        if self.is_dead() {
            pending::<()>().await;
        }
    }

    /// Where a task writes in this life.
    pub fn page(&self, task: u32) -> Page {
        (self.state().life, task)
    }

    /// The pages that a sink has.
    pub fn pages(&self, sink: &str) -> Vec<Page> {
        self.state().outputs.keys().filter(|(name, _)| name == sink).map(|(_, page)| *page).collect()
    }

    /// Makes rows durable behind those of a page; how many it has then.
    pub fn stage(&self, sink: &str, page: Page, rows: &mut Vec<String>) -> usize {
        let mut state = self.state();
        if let Some(lulls) = &mut state.lulls {
            *lulls += u64::from(rows.is_empty());
        }
        let output = state.outputs.entry((sink.to_owned(), page)).or_default();
        output.rows.append(rows);
        output.rows.len()
    }

    /// Shows the first rows of a page.
    pub fn show(&self, sink: &str, page: Page, rows: usize) {
        let mut state = self.state();
        let output = state.outputs.entry((sink.to_owned(), page)).or_default();
        assert!(
            rows <= output.rows.len(),
            "sink {sink}, page {page:?}: {rows} rows are to be seen, {} are there",
            output.rows.len()
        );
        // A commit may come again, after later ones were done: it changes nothing then.
        output.visible = output.visible.max(rows);
    }

    /// Throws away what a page has behind so many rows.
    pub fn cut(&self, sink: &str, page: Page, rows: usize) {
        let mut state = self.state();
        let output = state.outputs.entry((sink.to_owned(), page)).or_default();
        assert!(
            output.visible <= rows,
            "sink {sink}, page {page:?}: {} rows were seen already, and it goes back to {rows}",
            output.visible
        );
        output.rows.truncate(rows);
        output.visible = rows;
    }

    /// What others see of a sink: the rows of each of its tasks, in their order, life by life.
    pub fn visible(&self, sink: &str) -> Vec<Vec<String>> {
        let state = self.state();
        let of_sink = state.outputs.iter().filter(|((name, _), _)| name == sink);
        of_sink.map(|(_, output)| output.rows[..output.visible].to_vec()).collect()
    }
}
