//! How much of the machine a plugin may take: of memory, of time, of output, of the log.

use std::time::Duration;

use wasmtime::ResourceLimiter;

/// What one instance of a plugin, or one call of it, may take. The defaults suit compiled languages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of all linear memories and tables of an instance.
    pub memory: usize,
    /// CPU time of one call, to within two [`TICK`]s.
    pub cpu_per_call: Duration,
    /// CPU time of instantiating and opening, or of `describe`.
    pub cpu_per_start: Duration,
    /// The least that rows out of one call are limited to; more rows in allow [`Self::OUTPUT_PER_ROW`] each.
    pub output_rows: u64,
    /// Bytes out of one call.
    pub output_bytes: u64,
    /// Bytes of log a second and operator.
    pub log_rate: u64,
}

/// How often running guests are looked at, and yield.
pub const TICK: Duration = Duration::from_millis(5);

/// The longest value of a state, in bytes.
pub const STATE_VALUE_BYTES: usize = 1 << 20;

/// The longest entry of a map, in bytes.
pub const STATE_ENTRY_BYTES: usize = 64 << 10;

/// The most that the list of a key may have, in bytes.
pub const STATE_LIST_BYTES: usize = 8 << 20;

/// About what is handed over at once of lists, and of the entries of a map, in bytes.
pub const STATE_PAGE_BYTES: usize = 1 << 20;

/// The most that one call stores, in bytes.
pub const STATE_CALL_BYTES: usize = 16 << 20;

/// The most timers that one call sets and deletes.
pub const TIMERS_PER_CALL: usize = 1 << 20;

/// The most host calls of one call.
pub const HOST_CALLS: u32 = 10_000;

/// Bytes that the guest may hand to the host in one host call: above what output and state allow.
pub const HOST_CALL_BYTES: usize = 36 << 20;

impl Limits {
    /// Rows out that each row in allows.
    pub const OUTPUT_PER_ROW: u64 = 256;

    /// The most rows that a call with `rows` rows in may emit.
    #[must_use]
    pub fn output_rows_for(&self, rows: usize) -> u64 {
        self.output_rows.max(rows as u64 * Self::OUTPUT_PER_ROW)
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            memory: 64 << 20,
            cpu_per_call: Duration::from_millis(100),
            cpu_per_start: Duration::from_secs(2),
            output_rows: 100_000,
            output_bytes: 32 << 20,
            log_rate: 64 << 10,
        }
    }
}

/// Sums what the memories and tables of an instance take, and refuses what goes over.
#[derive(Debug)]
pub(crate) struct MemoryMeter {
    limit: usize,
    /// Bytes of linear memory and tables now.
    pub used: usize,
    /// A growth was refused.
    pub refused: bool,
}

impl MemoryMeter {
    pub fn new(limit: usize) -> Self {
        Self { limit, used: 0, refused: false }
    }

    /// The most that may be used, in bytes.
    pub fn limit(&self) -> usize {
        self.limit
    }

    fn grow(&mut self, bytes: usize) -> bool {
        let fits = self.used.checked_add(bytes).is_some_and(|used| used <= self.limit);
        if fits {
            self.used += bytes;
        } else {
            self.refused = true;
        }
        fits
    }
}

/// Bytes that a table element stands for.
const TABLE_ELEMENT: usize = 16;
/// The most elements of one table.
const TABLE_ELEMENTS: usize = 20_000;

impl ResourceLimiter for MemoryMeter {
    fn memory_growing(&mut self, current: usize, desired: usize, _maximum: Option<usize>) -> wasmtime::Result<bool> {
        Ok(self.grow(desired.saturating_sub(current)))
    }

    fn table_growing(&mut self, current: usize, desired: usize, _maximum: Option<usize>) -> wasmtime::Result<bool> {
        if desired > TABLE_ELEMENTS {
            self.refused = true;
            return Ok(false);
        }
        Ok(self.grow(desired.saturating_sub(current).saturating_mul(TABLE_ELEMENT)))
    }

    fn instances(&self) -> usize {
        32
    }

    fn tables(&self) -> usize {
        8
    }

    fn memories(&self) -> usize {
        2
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memories_and_tables_are_summed() {
        let mut meter = MemoryMeter::new(200_000);
        assert!(meter.memory_growing(0, 65_536, None).expect("no error"));
        assert!(meter.memory_growing(0, 65_536, None).expect("no error"));
        assert!(!meter.memory_growing(65_536, 262_144, None).expect("no error"));
        assert!(meter.refused);
        assert!(!meter.table_growing(0, 20_001, None).expect("no error"));
        assert!(meter.table_growing(0, 1_000, None).expect("no error"));
        assert_eq!(meter.used, 131_072 + 16_000);
    }

    #[test]
    fn each_row_in_allows_some_rows_out() {
        let limits = Limits::default();
        assert_eq!(limits.output_rows_for(1), 100_000);
        assert_eq!(limits.output_rows_for(1_024), 262_144);
    }
}
