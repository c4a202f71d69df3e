//! Statistics of this process from `/proc`, which only Linux has.

use std::{fs, time::Duration};

use crate::metrics::ProcessReading;

/// Reads the statistics of this process; `None` if `/proc` does not have them. Never waits for a disk.
pub fn read() -> Option<ProcessReading> {
    let stat = Stat::of(&fs::read_to_string("/proc/self/stat").ok()?)?;
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let limits = fs::read_to_string("/proc/self/limits").ok()?;
    let machine = fs::read_to_string("/proc/stat").ok()?;
    Some(ProcessReading {
        started_unix_s: number_after(&machine, "btime")? + stat.started_ticks / TICKS_PER_S,
        processor_time: Duration::from_millis(stat.used_ticks * 1_000 / TICKS_PER_S),
        resident_bytes: number_after(&status, "VmRSS:")? * 1_024,
        virtual_bytes: number_after(&status, "VmSize:")? * 1_024,
        open_files: u64::try_from(fs::read_dir("/proc/self/fd").ok()?.count()).ok()?,
        // The limit may be the word "unlimited".
        max_open_files: number_after(&limits, "Max open files").unwrap_or(u64::MAX),
        threads: number_after(&status, "Threads:")?,
    })
}

/// The fields used of `/proc/self/stat` (proc_pid_stat(5)).
struct Stat {
    used_ticks: u64,
    started_ticks: u64,
}

impl Stat {
    fn of(text: &str) -> Option<Self> {
        // The second field, a name in parentheses, may contain spaces and parentheses.
        let fields: Vec<_> = text.rsplit_once(')')?.1.split_ascii_whitespace().collect();
        let number = |index: usize| fields.get(index - 3)?.parse::<u64>().ok();
        Some(Self { used_ticks: number(14)? + number(15)?, started_ticks: number(22)? })
    }
}

/// The number after this word at the beginning of a line.
fn number_after(text: &str, word: &str) -> Option<u64> {
    let rest = text.lines().find_map(|line| line.strip_prefix(word))?;
    rest.split_ascii_whitespace().next()?.parse().ok()
}

/// Ticks in `/proc` are hundredths of a second, whatever the kernel uses internally.
const TICKS_PER_S: u64 = 100;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_statistics_of_this_process_are_plausible() {
        let process = read().unwrap();
        assert!(process.resident_bytes > 100_000 && process.virtual_bytes > process.resident_bytes);
        assert!(process.open_files >= 3 && process.max_open_files >= process.open_files);
        assert!(process.threads >= 1 && process.started_unix_s > 1_700_000_000);
    }

    #[test]
    fn a_name_with_spaces_and_parentheses_moves_no_field() {
        let rest: Vec<_> = (3..=30).map(|field| field.to_string()).collect();
        let stat = Stat::of(&format!("7 (a) b ) {}", rest.join(" "))).unwrap();
        assert_eq!((stat.used_ticks, stat.started_ticks), (14 + 15, 22));
    }
}
