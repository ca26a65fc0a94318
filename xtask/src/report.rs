//! Counting what passed and how long it took.

use std::time::{Duration, Instant};

use crate::Failure;

/// How many tests of one part passed and failed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) passed: u64,
    pub(crate) failed: u64,
}

impl Tally {
    /// One test.
    pub(crate) fn one(passed: bool) -> Self {
        Self {
            passed: u64::from(passed),
            failed: u64::from(!passed),
        }
    }

    pub(crate) fn add(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
    }

    /// Reads the closing lines of nextest and of libtest (doctests); other lines give `None`.
    pub(crate) fn read(line: &str) -> Option<Self> {
        let line = line.trim_start();
        if let Some(rest) = line.strip_prefix("test result: ") {
            return Some(Self {
                passed: before(rest, " passed")?,
                failed: before(rest, " failed")?,
            });
        }
        if line.starts_with("Summary [") {
            let rest = line.split_once(']')?.1;
            let run = before(rest, " tests run").or_else(|| before(rest, " test run"))?;
            let passed = before(rest, " passed")?;
            // Failed, timed out, could not start, was never reached: whatever did not pass.
            return Some(Self {
                passed,
                failed: run.checked_sub(passed)?,
            });
        }
        None
    }
}

/// The number that stands directly before `word`. Of nextest's `7/9 tests run` after an early stop it is the 9: what did
/// not run did not pass.
fn before(text: &str, word: &str) -> Option<u64> {
    let head = text.split_once(word)?.0;
    let digits: String = head
        .chars()
        .rev()
        .take_while(char::is_ascii_digit)
        .collect();
    digits.chars().rev().collect::<String>().parse().ok()
}

/// Parts of a run, in order.
#[derive(Default)]
pub(crate) struct Report {
    parts: Vec<(&'static str, Tally, Duration)>,
}

impl Report {
    /// Runs one part. A part that could not run counts as one failure, so that it cannot be overlooked.
    pub(crate) fn part(
        &mut self,
        name: &'static str,
        work: impl FnOnce() -> Result<Tally, Failure>,
    ) {
        eprintln!("\n== {name}");
        let start = Instant::now();
        let tally = work().unwrap_or_else(|failure| {
            eprintln!("{name}: {failure}");
            Tally {
                passed: 0,
                failed: 1,
            }
        });
        self.parts.push((name, tally, start.elapsed()));
    }

    /// Prints the parts, then the total alone on the last line of standard output.
    pub(crate) fn close(self) -> Result<(), Failure> {
        let mut total = Tally::default();
        println!(
            "\n{:<28}{:>8}{:>8}{:>10}",
            "", "passed", "failed", "seconds"
        );
        for (name, tally, time) in &self.parts {
            println!(
                "{name:<28}{:>8}{:>8}{:>10.1}",
                tally.passed,
                tally.failed,
                time.as_secs_f64()
            );
            total.add(*tally);
        }
        println!("\n{} passed, {} failed", total.passed, total.failed);
        if total.failed > 0 || total.passed == 0 {
            Err("not everything passed".into())
        } else {
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Tally;

    #[test]
    fn closing_lines_of_both_runners_are_read() {
        let read = |line| Tally::read(line).map(|tally| (tally.passed, tally.failed));
        assert_eq!(
            read("     Summary [   0.010s] 5 tests run: 5 passed, 0 skipped"),
            Some((5, 0))
        );
        assert_eq!(
            read(
                "Summary [ 1.2s] 9 tests run: 6 passed (1 slow), 2 failed, 1 timed out, 3 skipped"
            ),
            Some((6, 3))
        );
        assert_eq!(
            read("Summary [ 1.2s] 1 test run: 0 passed, 1 failed, 0 skipped"),
            Some((0, 1))
        );
        assert_eq!(
            read("Summary [ 1.2s] 7/9 tests run: 6 passed, 1 failed, 0 skipped"),
            Some((6, 3))
        );
        assert_eq!(
            read("test result: FAILED. 12 passed; 3 failed; 0 ignored; 0 measured"),
            Some((12, 3))
        );
        assert_eq!(read("test shares::split ... ok"), None);
    }
}
