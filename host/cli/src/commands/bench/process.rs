//! What the process has taken so far, as Linux tells it.

use std::fs;

/// CPU time and memory of this process, and the machine it ran on.
#[derive(Debug, Clone)]
pub struct Process {
    /// User and system time of all threads since the process began.
    pub cpu_seconds: f64,
    /// The most memory it had resident.
    pub peak_memory_bytes: u64,
    /// Processor and number of cores.
    pub machine: String,
}

impl Process {
    /// As it is now; zeros where this isn't Linux.
    #[must_use]
    pub fn now() -> Self {
        Self {
            cpu_seconds: cpu_seconds().unwrap_or_default(),
            peak_memory_bytes: peak_memory().unwrap_or_default(),
            machine: machine(),
        }
    }
}

fn cpu_seconds() -> Option<f64> {
    let stat = fs::read_to_string("/proc/self/stat").ok()?;
    // The command's name may hold anything; what follows its last parenthesis is plain.
    let mut fields = stat.rsplit(')').next()?.split_whitespace().skip(11);
    let (user, system): (f64, f64) = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
    Some((user + system) / 100.0)
}

fn peak_memory() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(line.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok()? * 1_024)
}

fn machine() -> String {
    let info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model =
        info.lines().find_map(|line| line.strip_prefix("model name")).map(|line| line.trim_start_matches([' ', '\t', ':']));
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    format!("{}, {cores} cores", model.unwrap_or("unknown processor"))
}
