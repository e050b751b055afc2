//! The points of one series, compact: blocks of differences, and the newest as they are.
//!
//! In a block a time is the difference to the difference before it, and a value the bits in which it
//! differs from the value before it, both without the bytes that are zero: a figure a second costs from two
//! to ten bytes instead of sixteen.

use std::collections::VecDeque;
use std::sync::Arc;

/// Unix milliseconds and a value; NaN stands for a gap.
pub type Point = (u64, f64);

/// Points of a block. Reading begins at a block's first point, so it bounds what the newest point costs.
pub const BLOCK: usize = 256;

/// Some points, encoded.
#[derive(Debug)]
pub struct Block {
    first: u64,
    last: u64,
    count: usize,
    bytes: Box<[u8]>,
}

/// The points of one series in time order, each time once.
#[derive(Debug, Default)]
pub struct Points {
    blocks: VecDeque<Arc<Block>>,
    /// Later than every block.
    head: Vec<Point>,
    count: usize,
    last: Option<Point>,
}

/// Points as of one moment; reading it keeps nobody waiting.
#[derive(Debug, Default)]
pub struct View {
    blocks: Vec<Arc<Block>>,
    head: Vec<Point>,
    from: u64,
    to: u64,
}

impl Block {
    /// Of at least one point.
    fn new(points: &[Point]) -> Self {
        let mut bytes = Vec::with_capacity(points.len() * 6);
        encode(points, &mut bytes);
        let (first, last) = (points.first().map_or(0, |p| p.0), points.last().map_or(0, |p| p.0));
        Self { first, last, count: points.len(), bytes: bytes.into() }
    }
}

impl Points {
    pub fn count(&self) -> usize {
        self.count
    }

    pub fn last(&self) -> Option<Point> {
        self.last
    }

    /// Bytes of memory, about.
    pub fn bytes(&self) -> usize {
        let blocks: usize = self.blocks.iter().map(|block| block.bytes.len() + size_of::<Block>() + 32).sum();
        blocks + self.head.capacity() * size_of::<Point>()
    }

    /// Takes points in time order, each time once; one whose time is there already takes its place. True
    /// where one of them was not later than all before.
    pub fn extend(&mut self, points: &[Point]) -> bool {
        let newest = self.last.map(|(at, _)| at);
        let late = points.partition_point(|(at, _)| newest.is_some_and(|newest| *at <= newest));
        self.merge(&points[..late]);
        for point in &points[late..] {
            self.head.push(*point);
            if self.head.len() == BLOCK {
                self.blocks.push_back(Arc::new(Block::new(&self.head)));
                self.head.clear();
            }
        }
        self.count += points.len() - late;
        self.last = points.last().filter(|_| late < points.len()).copied().or(self.last);
        late > 0
    }

    /// Takes points that are not later than the last one.
    fn merge(&mut self, mut late: &[Point]) {
        // The last of them may take the last one's place.
        self.last =
            late.last().filter(|last| self.last.is_some_and(|old| old.0 == last.0)).copied().or(self.last);
        while let Some((at, _)) = late.first() {
            let index = self.blocks.partition_point(|block| block.last < *at);
            let Some(block) = self.blocks.get(index) else {
                let before = self.head.len();
                self.head = merged(&self.head, late);
                self.count += self.head.len() - before;
                break;
            };
            let (now, rest) = late.split_at(late.partition_point(|(at, _)| *at <= block.last));
            let all = merged(&block.decoded(), now);
            self.count += all.len() - block.count;
            self.blocks.remove(index);
            for (offset, part) in all.chunks(BLOCK).enumerate() {
                self.blocks.insert(index + offset, Arc::new(Block::new(part)));
            }
            late = rest;
        }
        while self.head.len() >= BLOCK {
            let rest = self.head.split_off(BLOCK);
            self.blocks.push_back(Arc::new(Block::new(&self.head)));
            self.head = rest;
        }
    }

    /// Lets go of what is older, and of the oldest of more than so many; block by block, so some of it
    /// stays a little longer.
    pub fn trim(&mut self, before: u64, most: usize) {
        while let Some(oldest) = self.blocks.front() {
            if oldest.last >= before && self.count - oldest.count < most {
                break;
            }
            self.count -= oldest.count;
            self.blocks.pop_front();
        }
        if self.blocks.is_empty() {
            let old = self.head.partition_point(|(at, _)| *at < before);
            self.head.drain(..old);
            self.count -= old;
        }
        if self.count == 0 {
            *self = Self::default();
        }
    }

    /// The time of the oldest block's last point, where there is a block.
    pub fn oldest_block(&self) -> Option<u64> {
        self.blocks.front().map(|block| block.last)
    }

    /// Lets go of the oldest block; how many points that were.
    pub fn drop_oldest_block(&mut self) -> usize {
        let dropped = self.blocks.pop_front().map_or(0, |block| block.count);
        self.count -= dropped;
        dropped
    }

    /// The points from..=to.
    pub fn view(&self, from: u64, to: u64) -> View {
        let first = self.blocks.partition_point(|block| block.last < from);
        let within = self.blocks.range(first..).take_while(|block| block.first <= to);
        let start = self.head.partition_point(|(at, _)| *at < from);
        let end = self.head.partition_point(|(at, _)| *at <= to).max(start);
        View { blocks: within.cloned().collect(), head: self.head[start..end].to_vec(), from, to }
    }
}

impl View {
    /// Its points, about: those of a block count all.
    pub fn at_most(&self) -> usize {
        self.blocks.iter().map(|block| block.count).sum::<usize>() + self.head.len()
    }

    /// The last point.
    pub fn last(&self) -> Option<Point> {
        let within = |point: &Point| (self.from..=self.to).contains(&point.0);
        let of_blocks =
            || self.blocks.iter().rev().find_map(|block| decode(&block.bytes).filter(within).last());
        self.head.last().copied().or_else(of_blocks)
    }

    /// Each point, in time order.
    pub fn each(&self, mut each: impl FnMut(Point)) {
        for block in &self.blocks {
            for point in decode(&block.bytes) {
                if point.0 >= self.from && point.0 <= self.to {
                    each(point);
                }
            }
        }
        self.head.iter().copied().for_each(each);
    }
}

impl Block {
    fn decoded(&self) -> Vec<Point> {
        decode(&self.bytes).collect()
    }
}

/// Both in time order; of two of one time the later one counts.
fn merged(old: &[Point], new: &[Point]) -> Vec<Point> {
    let mut all = Vec::with_capacity(old.len() + new.len());
    let mut new = new.iter().peekable();
    for point in old {
        while let Some(next) = new.next_if(|next| next.0 < point.0) {
            all.push(*next);
        }
        all.push(*new.next_if(|next| next.0 == point.0).unwrap_or(point));
    }
    all.extend(new);
    all
}

/// Writes points in time order.
pub fn encode(points: &[Point], out: &mut Vec<u8>) {
    let (mut at_before, mut step_before, mut bits_before) = (0_u64, 0_i64, 0_u64);
    for (at, value) in points {
        let step = at.wrapping_sub(at_before) as i64;
        let turn = step.wrapping_sub(step_before);
        write_number(((turn << 1) ^ (turn >> 63)) as u64, out);
        let bits = value.to_bits();
        let differs = bits ^ bits_before;
        if differs == 0 {
            out.push(0);
        } else {
            let (leading, trailing) = (differs.leading_zeros() / 8, differs.trailing_zeros() / 8);
            let count = 8 - leading - trailing;
            out.push((leading << 4 | count) as u8);
            // All eight and then fewer: a length that is known is quicker to copy.
            let end = out.len() + count as usize;
            out.extend_from_slice(&(differs >> (8 * trailing)).to_le_bytes());
            out.truncate(end);
        }
        (at_before, step_before, bits_before) = (*at, step, bits);
    }
}

/// Reads what [`encode`] wrote, up to the first byte that it did not.
pub fn decode(mut bytes: &[u8]) -> impl Iterator<Item = Point> {
    let (mut at, mut step, mut bits) = (0_u64, 0_i64, 0_u64);
    std::iter::from_fn(move || {
        let turn = read_number(&mut bytes)?;
        step = step.wrapping_add((turn >> 1) as i64 ^ -((turn & 1) as i64));
        at = at.wrapping_add(step as u64);
        let (head, rest) = bytes.split_first()?;
        let (leading, count) = (u32::from(head >> 4), usize::from(head & 15));
        if leading as usize + count > 8 || rest.len() < count {
            return None;
        }
        let (part, rest) = rest.split_at(count);
        let mut raw = [0; 8];
        raw[..count].copy_from_slice(part);
        if count > 0 {
            bits ^= u64::from_le_bytes(raw) << (8 * (8 - leading - count as u32));
        }
        bytes = rest;
        Some((at, f64::from_bits(bits)))
    })
}

/// A number in as few bytes as it needs, seven bits in each (LEB128).
pub fn write_number(mut number: u64, out: &mut Vec<u8>) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

/// Takes such a number off the front; `None` where there is none.
pub fn read_number(bytes: &mut &[u8]) -> Option<u64> {
    let mut number = 0;
    for shift in (0..64).step_by(7) {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        number |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn all(points: &Points) -> Vec<Point> {
        within(points, 0, u64::MAX)
    }

    fn within(points: &Points, from: u64, to: u64) -> Vec<Point> {
        let mut read = Vec::new();
        points.view(from, to).each(|point| read.push(point));
        read
    }

    proptest! {
        #[test]
        fn what_is_written_reads_the_same(points in prop::collection::vec((any::<u64>(), any::<f64>()), 0..50)) {
            let mut bytes = Vec::new();
            encode(&points, &mut bytes);
            let read: Vec<_> = decode(&bytes).map(|(at, value)| (at, value.to_bits())).collect();
            let wrote: Vec<_> = points.iter().map(|(at, value)| (*at, value.to_bits())).collect();
            prop_assert_eq!(read, wrote);
        }

        #[test]
        fn spoilt_bytes_end_the_reading(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            prop_assert!(decode(&bytes).count() <= bytes.len());
        }

        #[test]
        fn points_in_any_order_are_a_map(batches in prop::collection::vec(prop::collection::btree_map(0_u64..3_000, 0_u8..9, 1..400), 1..8), from in 0_u64..3_000) {
            let (mut points, mut model) = (Points::default(), std::collections::BTreeMap::new());
            for batch in batches {
                let run: Vec<Point> = batch.iter().map(|(at, value)| (*at, f64::from(*value))).collect();
                points.extend(&run);
                model.extend(run);
            }
            let expected: Vec<Point> = model.iter().map(|(at, value)| (*at, *value)).collect();
            prop_assert_eq!(points.count(), expected.len());
            prop_assert_eq!(points.last(), expected.last().copied());
            prop_assert_eq!(all(&points), expected.clone());
            let later: Vec<Point> = expected.into_iter().filter(|(at, _)| (from..=from + 500).contains(at)).collect();
            prop_assert_eq!(points.view(from, from + 500).last(), later.last().copied());
            prop_assert_eq!(within(&points, from, from + 500), later);
        }
    }

    #[test]
    fn the_oldest_go_first() {
        let mut points = Points::default();
        let run: Vec<Point> = (0..1_000).map(|n| (n, n as f64)).collect();
        assert!(!points.extend(&run));
        points.trim(0, 600);
        assert_eq!((points.count(), all(&points)[0].0), (744, 256));
        points.trim(900, 600);
        assert_eq!((points.count(), all(&points)[0].0), (100, 900));
        points.trim(2_000, 600);
        assert_eq!((points.count(), points.last()), (0, None));
    }

    #[test]
    fn a_figure_a_second_is_small() {
        for (bound, value) in [
            (3.0, (|_: u64| 42.0) as fn(u64) -> f64),
            (5.5, |n: u64| (n % 50) as f64),
            (11.5, |n: u64| (n as f64 * 0.1).sin() * 100.0),
        ] {
            let mut points = Points::default();
            let run: Vec<Point> =
                (0..100_000).map(|n| (1_795_000_000_000 + n * 1000 + n * 7 % 5, value(n))).collect();
            points.extend(&run);
            let each = points.bytes() as f64 / 100_000.0;
            assert!(each < bound, "{each} bytes a point, at most {bound}");
        }
    }
}
