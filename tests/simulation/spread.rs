//! Ten thousand real links whose server restarts: they must not come back in step.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use lockstep::sync::link::{Do, Link};
use lockstep::sync::protocol::close;

use super::network::BROKEN;
use super::random::Random;

const LINKS: usize = 10_000;
/// The width of a column of the histogram.
const COLUMN_MS: u64 = 100;

/// How the server goes away.
#[derive(Clone, Copy)]
enum Goes {
    Crashes,
    /// It says when to come back.
    Drains(u64),
}

/// Connections made in each tenth of a second since the server is back, after it was away for so long.
fn comebacks(goes: Goes, away_ms: u64, seed: u64) -> Vec<usize> {
    let mut random = Random::new(seed);
    let mut links = Vec::new();
    // When each link wants to be asked, and which it is.
    let mut asked = BinaryHeap::new();
    for n in 0..LINKS {
        let (mut link, _) = Link::new(0);
        // They did not come in one moment either.
        link.welcomed(random.below(100_000));
        let cut = 100_000 + random.below(50);
        match goes {
            Goes::Crashes => link.closed(cut, BROKEN, random.next()),
            Goes::Drains(wait) => {
                link.asked_to_wait(wait);
                link.closed(cut, close::DRAINING, random.next());
            }
        }
        asked.push(Reverse((link.deadline().expect("it goes on"), n)));
        links.push(link);
    }
    let back = 100_000 + away_ms;
    let mut columns = Vec::new();
    while let Some(Reverse((now, n))) = asked.pop() {
        let todo = links[n].tick(now);
        assert_eq!(todo, Some(Do::Connect));
        if now < back {
            let refused = now + 1 + random.below(50);
            links[n].closed(refused, BROKEN, random.next());
            asked.push(Reverse((links[n].deadline().expect("it goes on"), n)));
            continue;
        }
        let column = ((now - back) / COLUMN_MS) as usize;
        columns.resize(columns.len().max(column + 1), 0);
        columns[column] += 1;
    }
    assert_eq!(columns.iter().sum::<usize>(), LINKS, "every one came back");
    columns
}

#[test]
fn links_do_not_come_back_in_step_when_a_server_restarts() {
    // The most in a tenth of a second: a restart within the first wait (500 ms) is spread over what is
    // left of that wait; later ones over waits that have doubled meanwhile.
    let cases = [
        ("crash, away 200 ms", Goes::Crashes, 200, 2_700),
        ("crash, away 1 s", Goes::Crashes, 1_000, 1_500),
        ("crash, away 5 s", Goes::Crashes, 5_000, 400),
        ("crash, away 30 s", Goes::Crashes, 30_000, 170),
        ("drain, back in 2 s", Goes::Drains(2_000), 1_000, 600),
    ];
    let mut peaks = Vec::new();
    for (name, goes, away_ms, most) in cases {
        let columns = comebacks(goes, away_ms, 7);
        let peak = columns.iter().copied().max().unwrap_or(0);
        let mut reached = 0;
        let half = columns.iter().position(|count| {
            reached += count;
            reached >= LINKS / 2
        });
        println!(
            "{name}: peak {peak} in {COLUMN_MS} ms, half back after {} ms, all after {} ms",
            half.map_or(0, |at| (at as u64 + 1) * COLUMN_MS),
            columns.len() as u64 * COLUMN_MS,
        );
        for (second, tenths) in columns.chunks(10).enumerate().take(10) {
            let count: usize = tenths.iter().sum();
            println!("  second {:>2} {:>5} {}", second + 1, count, "#".repeat(count / 100));
        }
        peaks.push((name, peak, most));
    }
    let high = peaks.iter().find(|(_, peak, most)| peak > most);
    assert_eq!(high, None, "too many in one tenth of a second");
}
