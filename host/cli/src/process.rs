//! What the process has taken so far, as Linux tells it.

use std::fs;
use std::path::Path;

/// User and system time of all threads since the process began, in seconds, to a hundredth; zero where this isn't Linux.
#[must_use]
pub fn cpu_seconds() -> f64 {
    let Ok(stat) = fs::read_to_string("/proc/self/stat") else { return 0.0 };
    cpu_seconds_of(&stat).unwrap_or_default()
}

/// The most memory that was resident, in bytes; zero where this isn't Linux.
#[must_use]
pub fn peak_memory_bytes() -> u64 {
    let Ok(status) = fs::read_to_string("/proc/self/status") else { return 0 };
    memory_of(&status, "VmHWM:").unwrap_or_default()
}

/// The memory that is resident now, in bytes; zero where this isn't Linux.
#[must_use]
pub fn resident_memory_bytes() -> u64 {
    let Ok(status) = fs::read_to_string("/proc/self/status") else { return 0 };
    memory_of(&status, "VmRSS:").unwrap_or_default()
}

/// What the jobs of a process may hold unless something else is said, in bytes: three quarters of what the process may have.
#[must_use]
pub fn memory_budget() -> u64 {
    let of_machine = fs::read_to_string("/proc/meminfo").ok().and_then(|info| memory_of(&info, "MemTotal:"));
    let most = of_machine.into_iter().chain(of_control_groups()).min();
    // A system that doesn't say what it has is taken to have enough for small jobs.
    most.unwrap_or(4 << 30) / 4 * 3
}

/// The limits of the process's control group and of those that it is in.
fn of_control_groups() -> Vec<u64> {
    let groups = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let Some(group) = groups.lines().find_map(|line| line.strip_prefix("0::")) else { return Vec::new() };
    let path = Path::new("/sys/fs/cgroup").join(group.trim_start_matches('/'));
    let limits = path.ancestors().take_while(|path| path.starts_with("/sys/fs/cgroup"));
    limits.filter_map(|path| fs::read_to_string(path.join("memory.max")).ok()?.trim().parse().ok()).collect()
}

/// The processor and the number of its cores.
#[must_use]
pub fn machine() -> String {
    let info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model =
        info.lines().find_map(|line| line.strip_prefix("model name")).map(|line| line.trim_start_matches([' ', '\t', ':']));
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    format!("{}, {cores} cores", model.unwrap_or("unknown processor"))
}

fn cpu_seconds_of(stat: &str) -> Option<f64> {
    // The command's name may hold anything; what follows its last parenthesis is plain.
    let mut fields = stat.rsplit(')').next()?.split_whitespace().skip(11);
    let (user, system): (f64, f64) = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
    // Linux counts in hundredths for programs, whatever its own clock.
    Some((user + system) / 100.0)
}

fn memory_of(status: &str, name: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    Some(line.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok()? * 1_024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_read_whatever_the_command_is_called() {
        let stat = "42 (a) b (c) S 1 2 3 4 5 6 7 8 9 10 150 25 0 0";
        assert_eq!(cpu_seconds_of(stat), Some(1.75));
        assert_eq!(cpu_seconds_of("42 (a) S"), None);
        assert_eq!(memory_of("VmPeak:\t 9 kB\nVmHWM:\t  2048 kB\n", "VmHWM:"), Some(2 << 20));
        assert_eq!(memory_of("VmPeak:\t 9 kB\n", "VmHWM:"), None);
    }
}
