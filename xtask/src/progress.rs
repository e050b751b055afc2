//! Progress of a build: how many crates are done, for how long it has run, and about how long it will.

use std::io::{IsTerminal as _, Write as _, stderr};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How often a line is written where nothing can be overwritten.
const PLAIN_EVERY: Duration = Duration::from_secs(30);
/// What part of a half's time goes by after its last dependency: its own crate.
const OWN_CRATE: f64 = 0.4;

/// One of the halves.
struct Part {
    name: &'static str,
    done: usize,
    total: usize,
    is_finished: bool,
}

struct State {
    parts: Vec<Part>,
    /// When a line was written last where nothing can be overwritten.
    written: Option<Instant>,
    is_shown: bool,
}

/// Shows how far a build is, on one line of a terminal or on one each half minute.
pub struct Progress {
    begun: Instant,
    is_terminal: bool,
    state: Mutex<State>,
}

impl Progress {
    pub fn new() -> Self {
        let state = State { parts: Vec::new(), written: None, is_shown: false };
        Self { begun: Instant::now(), is_terminal: stderr().is_terminal(), state: Mutex::new(state) }
    }

    /// Says which parts there are, with their crates.
    pub fn expect(&self, parts: &[(&'static str, usize)]) {
        let part = |&(name, total): &(&'static str, usize)| Part { name, done: 0, total, is_finished: false };
        self.change(|all| all.extend(parts.iter().map(part)));
    }

    /// So many crates of a part are done.
    pub fn count(&self, name: &str, done: usize) {
        self.change(|parts| {
            for part in parts.iter_mut().filter(|part| part.name == name) {
                part.done = done.min(part.total);
            }
        });
    }

    /// A part has all its crates.
    pub fn finish(&self, name: &str) {
        self.change(|parts| {
            for part in parts.iter_mut().filter(|part| part.name == name) {
                (part.done, part.is_finished) = (part.total, true);
            }
        });
    }

    /// Writes a line that stays.
    pub fn say(&self, line: &str) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        self.clear(&mut state);
        eprintln!("{line}");
    }

    /// Takes the line away.
    pub fn end(&self) {
        self.clear(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner));
    }

    fn clear(&self, state: &mut State) {
        if std::mem::take(&mut state.is_shown) {
            eprint!("\r\x1b[2K");
        }
    }

    fn change(&self, change: impl FnOnce(&mut Vec<Part>)) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut state.parts);
        let line = line(&state.parts, self.begun.elapsed());
        if self.is_terminal {
            self.clear(&mut state);
            eprint!("{line}");
            let _ = stderr().flush();
            state.is_shown = true;
        } else if state.written.is_none_or(|written| written.elapsed() >= PLAIN_EVERY) {
            eprintln!("{line}");
            state.written = Some(Instant::now());
        }
    }
}

/// How far all parts are, from 0 to 1.
fn share(parts: &[Part]) -> f64 {
    let share = |part: &Part| match part.is_finished {
        true => 1.0,
        false => part.done as f64 / part.total.max(1) as f64 * (1.0 - OWN_CRATE),
    };
    parts.iter().map(share).sum::<f64>() / parts.len().max(1) as f64
}

fn line(parts: &[Part], elapsed: Duration) -> String {
    let counts: Vec<String> = parts
        .iter()
        .map(|part| match part.is_finished {
            true => format!("{} compiled", part.name),
            false if part.done + 1 >= part.total => format!("{}: its own code", part.name),
            false => format!("{} {} of {} crates", part.name, part.done, part.total),
        })
        .collect();
    let seconds = elapsed.as_secs_f64();
    let share = share(parts);
    let mut line = format!("build: {}; {}", counts.join(", "), clock(seconds));
    // Before that it is a guess out of nothing.
    if share > 0.05 && share < 1.0 {
        line += &format!(", about {} left", clock(seconds / share * (1.0 - share)));
    }
    line
}

fn clock(seconds: f64) -> String {
    let seconds = seconds.round() as u64;
    format!("{}:{:02}", seconds / 60, seconds % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_how_far_it_is_and_how_long_is_left() {
        let part = |name, done, is_finished| Part { name, done, total: 100, is_finished };
        let begun = [part("page", 0, false), part("server", 2, false)];
        assert_eq!(
            line(&begun, Duration::from_secs(3)),
            "build: page 0 of 100 crates, server 2 of 100 crates; 0:03"
        );
        let half = [part("page", 100, false), part("server", 50, false)];
        // Shares of 0.6 and 0.3.
        assert_eq!(
            line(&half, Duration::from_secs(90)),
            "build: page: its own code, server 50 of 100 crates; 1:30, about 1:50 left"
        );
        let all = [part("page", 100, true), part("server", 100, true)];
        assert_eq!(line(&all, Duration::from_secs(200)), "build: page compiled, server compiled; 3:20");
    }
}
