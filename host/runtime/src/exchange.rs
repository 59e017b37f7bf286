//! Which task gets which row: the sending side of an edge.

use arrow_array::{ArrayRef, UInt32Array};
use wasmill_flow::key::EncodedKeys;
use wasmill_flow::{Batch, KeyGroups, Message};
use wasmill_job::plan::Routing;
use wasmill_operator::Combiner;

use crate::edge::{LaneSender, ReceiverGone};

/// One task's end of an edge: its lanes to the receiving tasks.
pub(crate) struct Exchange {
    routing: Route,
    /// Indices of the columns that are moved; `None` for all.
    columns: Option<Vec<usize>>,
    lanes: Vec<LaneSender>,
}

enum Route {
    /// All rows to the one lane there is.
    Straight,
    /// All rows to each lane.
    Broadcast,
    Keyed(KeyedRoute),
}

struct KeyedRoute {
    key: Vec<usize>,
    groups: KeyGroups,
    /// The lane of each key group.
    lane_of_group: Vec<u32>,
    /// Rows for each lane; kept for their memory.
    rows: Vec<Vec<u32>>,
    encoded: EncodedKeys,
    /// Combines rows beforehand.
    combiner: Option<Box<Combiner>>,
}

impl Exchange {
    /// The end of an edge with these lanes: one, or for an edge that is keyed, whose rows may be combined, or broadcast, one for each receiving task.
    pub fn new(
        routing: &Routing,
        columns: Option<Vec<usize>>,
        lanes: Vec<LaneSender>,
        groups: KeyGroups,
        combiner: Option<Combiner>,
    ) -> Self {
        let routing = match routing {
            Routing::Forward | Routing::Gather => Route::Straight,
            Routing::Broadcast => Route::Broadcast,
            Routing::Keyed(key) => {
                #[expect(clippy::cast_possible_truncation, reason = "tasks are counted in 32 bits")]
                let tasks = lanes.len() as u32;
                Route::Keyed(KeyedRoute {
                    key: key.clone(),
                    groups,
                    lane_of_group: (0..groups.count()).map(|group| groups.owner(group, tasks)).collect(),
                    rows: vec![Vec::new(); lanes.len()],
                    encoded: EncodedKeys::default(),
                    combiner: combiner.map(Box::new),
                })
            }
        };
        Self { routing, columns, lanes }
    }

    /// Sends rows on their way, waiting where a lane is full.
    pub async fn send(&mut self, batch: &Batch) -> Result<(), ReceiverGone> {
        let moved = project(batch, self.columns.as_deref());
        match &mut self.routing {
            Route::Straight => self.lanes[0].send(Message::Rows(moved)).await,
            Route::Broadcast => {
                for lane in &mut self.lanes {
                    lane.send(Message::Rows(moved.clone())).await?;
                }
                Ok(())
            }
            Route::Keyed(route) => {
                let keyed = Batch { hashes: Some(route.hashes(batch).into()), ..moved };
                let combined = match &mut route.combiner {
                    Some(combiner) => combiner.combine(&keyed, &route.encoded).await,
                    None => None,
                };
                route.send(&mut self.lanes, combined.unwrap_or(keyed)).await
            }
        }
    }

    /// Sends a mark to every receiving task.
    pub async fn mark(&mut self, mark: &Message) -> Result<(), ReceiverGone> {
        for lane in &mut self.lanes {
            lane.send(mark.clone()).await?;
        }
        Ok(())
    }
}

impl KeyedRoute {
    fn hashes(&mut self, batch: &Batch) -> Vec<u64> {
        let columns: Vec<ArrayRef> = self.key.iter().map(|&column| batch.rows.column(column).clone()).collect();
        self.encoded.encode(&columns);
        self.encoded.hashes()
    }

    /// Sends rows to the tasks that own their keys.
    async fn send(&mut self, lanes: &mut [LaneSender], keyed: Batch) -> Result<(), ReceiverGone> {
        if let [lane] = lanes {
            return lane.send(Message::Rows(keyed)).await;
        }
        self.deal(&keyed);
        for (lane, rows) in lanes.iter_mut().zip(&mut self.rows) {
            if rows.is_empty() {
                continue;
            }
            let part = keyed.take(&UInt32Array::from(rows.clone()));
            rows.clear();
            lane.send(Message::Rows(part)).await?;
        }
        Ok(())
    }

    /// Deals the rows out to lanes, in order.
    fn deal(&mut self, keyed: &Batch) {
        for (row, &hash) in (0_u32..).zip(keyed.hashes.as_deref().unwrap_or_default()) {
            let lane = self.lane_of_group[self.groups.group(hash) as usize];
            self.rows[lane as usize].push(row);
        }
    }
}

/// The rows with these columns only.
pub(crate) fn project(batch: &Batch, columns: Option<&[usize]>) -> Batch {
    let Some(columns) = columns else { return batch.clone() };
    #[expect(
        clippy::expect_used,
        reason = "the plan's columns are those of its schemas; a bad one is a bug that must not pass silently"
    )]
    let rows = batch.rows.project(columns).expect("the plan names columns that are there");
    Batch { rows, ..batch.clone() }
}
