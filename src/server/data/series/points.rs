//! The points of one series, compact: blocks of differences, and the newest as they are.
//!
//! In a block a time is the difference to the difference before it, and a value the bits in which it
//! differs from the value before it, both without the bytes that are zero: a figure a second costs from two
//! to ten bytes instead of sixteen.

use std::collections::VecDeque;
use std::sync::Arc;

/// Unix milliseconds and a value; NaN stands for a gap.
pub type Point = (u64, f64);

/// Points of a block. Reading begins at a block's first point, so it bounds what an older point costs.
pub const BLOCK: usize = 256;
/// Points of one series that are kept as they are. Of thousands of series each has its own, and the fewer they are, the
/// more of them are near at hand when the next points come.
const HEAD: usize = 64;

/// Some points, encoded.
#[derive(Debug)]
pub struct Block {
    first: u64,
    last: u64,
    count: usize,
    bytes: Box<[u8]>,
}

/// A block that grows.
#[derive(Debug, Default)]
struct Growing {
    first: u64,
    count: usize,
    encoder: Encoder,
    bytes: Vec<u8>,
}

/// Points that are encoded.
#[derive(Debug, Default)]
struct Past {
    blocks: VecDeque<Arc<Block>>,
    /// Later than every block; of no points where it has not begun.
    growing: Growing,
}

/// The points of one series in time order, each time once. What new points do not touch is apart.
#[derive(Debug, Default)]
pub struct Points {
    past: Option<Box<Past>>,
    /// Later than all of those.
    head: Vec<Point>,
    count: usize,
    /// The last of all, where there are any.
    last: Point,
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

impl Growing {
    /// Takes points that are later than all before.
    fn extend(&mut self, points: &[Point]) {
        if self.count == 0 {
            self.first = points.first().map_or(0, |(at, _)| *at);
            self.bytes.reserve(BLOCK * 6);
        }
        self.count += points.len();
        self.encoder.write(points, &mut self.bytes);
    }

    /// Itself as a block, where it has begun.
    fn to_block(&self) -> Option<Arc<Block>> {
        let Self { first, count, encoder, bytes } = self;
        let block =
            || Block { first: *first, last: encoder.at, count: *count, bytes: bytes.as_slice().into() };
        (*count > 0).then(|| Arc::new(block()))
    }

    fn clear(&mut self) {
        self.count = 0;
        self.encoder = Encoder::default();
        self.bytes.clear();
    }
}

impl Points {
    pub fn count(&self) -> usize {
        self.count
    }

    pub fn last(&self) -> Option<Point> {
        (self.count > 0).then_some(self.last)
    }

    /// Bytes of memory, about.
    pub fn bytes(&self) -> usize {
        let of_past = |past: &Past| {
            let of_blocks = past.blocks.iter().map(|block| block.bytes.len() + size_of::<Block>() + 32);
            size_of::<Past>() + past.growing.bytes.capacity() + of_blocks.sum::<usize>()
        };
        self.past.as_deref().map_or(0, of_past) + self.head.capacity() * size_of::<Point>()
    }

    /// Takes points in time order, each time once; one whose time is there already takes its place. True
    /// where one of them was not later than all before.
    pub fn extend(&mut self, points: &[Point]) -> bool {
        let newest = self.last().map(|(at, _)| at);
        let (late, later) =
            points.split_at(points.partition_point(|(at, _)| newest.is_some_and(|newest| *at <= newest)));
        self.merge(late);
        later.iter().for_each(|point| self.push(*point));
        self.count += later.len();
        self.last = later.last().copied().unwrap_or(self.last);
        !late.is_empty()
    }

    /// Takes a point that is later than all before.
    fn push(&mut self, point: Point) {
        self.head.push(point);
        if self.head.len() == HEAD {
            self.past.get_or_insert_default().extend(&self.head);
            self.head.clear();
        }
    }

    /// Takes points that are not later than the last one.
    fn merge(&mut self, late: &[Point]) {
        let Some(last) = late.last() else { return };
        if last.0 == self.last.0 {
            self.last = *last;
        }
        let before = self.head.len();
        let rest = match &mut self.past {
            Some(past) => {
                let (more, rest) = past.merge(late);
                self.count += more;
                rest
            }
            None => late,
        };
        self.head = merged(&self.head, rest);
        self.count += self.head.len() - before;
        if self.head.len() >= HEAD {
            let head = std::mem::take(&mut self.head);
            head.into_iter().for_each(|point| self.push(point));
        }
    }

    /// Lets go of what is older, and of the oldest of more than so many; block by block, so some of it
    /// stays a little longer.
    pub fn trim(&mut self, before: u64, most: usize) {
        if let Some(past) = &mut self.past {
            self.count -= past.trim(before, self.count.saturating_sub(most));
            if past.is_empty() {
                self.past = None;
            }
        }
        if self.past.is_none() {
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
        self.past.as_ref()?.blocks.front().map(|block| block.last)
    }

    /// Lets go of the oldest block; how many points that were.
    pub fn drop_oldest_block(&mut self) -> usize {
        let block = self.past.as_mut().and_then(|past| past.blocks.pop_front());
        let dropped = block.map_or(0, |block| block.count);
        self.count -= dropped;
        dropped
    }

    /// The points from..=to.
    pub fn view(&self, from: u64, to: u64) -> View {
        let blocks = self.past.as_ref().map_or_else(Vec::new, |past| past.blocks_of(from, to));
        let start = self.head.partition_point(|(at, _)| *at < from);
        let end = self.head.partition_point(|(at, _)| *at <= to).max(start);
        View { blocks, head: self.head[start..end].to_vec(), from, to }
    }
}

impl Past {
    fn is_empty(&self) -> bool {
        self.blocks.is_empty() && self.growing.count == 0
    }

    /// Takes points that are later than all before.
    fn extend(&mut self, points: &[Point]) {
        self.growing.extend(points);
        if self.growing.count >= BLOCK {
            self.end_block();
        }
    }

    /// Lets the block that grows be one of the others.
    fn end_block(&mut self) {
        self.blocks.extend(self.growing.to_block());
        self.growing.clear();
    }

    /// Takes those of late points that are not later than all before. How many more there are, and the rest of them.
    fn merge<'p>(&mut self, mut late: &'p [Point]) -> (usize, &'p [Point]) {
        if late.first().is_some_and(|(at, _)| *at <= self.growing.encoder.at) {
            self.end_block();
        }
        let mut more = 0;
        while let Some((at, _)) = late.first() {
            let index = self.blocks.partition_point(|block| block.last < *at);
            let Some(block) = self.blocks.get(index) else { break };
            let (now, rest) = late.split_at(late.partition_point(|(at, _)| *at <= block.last));
            let all = merged(&block.decoded(), now);
            more += all.len() - block.count;
            self.blocks.remove(index);
            for (offset, part) in all.chunks(BLOCK).enumerate() {
                self.blocks.insert(index + offset, Arc::new(Block::new(part)));
            }
            late = rest;
        }
        (more, late)
    }

    /// Lets go of blocks that are older than a time, and of the oldest, as long as they have no more than so many points
    /// together. How many points went.
    fn trim(&mut self, before: u64, too_many: usize) -> usize {
        let mut gone = 0;
        while let Some(oldest) = self.blocks.front()
            && (oldest.last < before || gone + oldest.count <= too_many)
        {
            gone += oldest.count;
            self.blocks.pop_front();
        }
        if self.blocks.is_empty() && self.growing.encoder.at < before {
            gone += self.growing.count;
            self.growing.clear();
        }
        gone
    }

    /// The blocks that have points from..=to.
    fn blocks_of(&self, from: u64, to: u64) -> Vec<Arc<Block>> {
        let first = self.blocks.partition_point(|block| block.last < from);
        let within = self.blocks.range(first..).take_while(|block| block.first <= to).cloned();
        let is_growing_within = self.growing.first <= to && self.growing.encoder.at >= from;
        let growing = if is_growing_within { self.growing.to_block() } else { None };
        within.chain(growing).collect()
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

/// What points are written as differences to.
#[derive(Debug, Default)]
struct Encoder {
    /// The time of the last point.
    at: u64,
    step: i64,
    bits: u64,
}

impl Encoder {
    /// Writes points in time order.
    fn write(&mut self, points: &[Point], out: &mut Vec<u8>) {
        let Self { at: mut at_before, step: mut step_before, bits: mut bits_before } = *self;
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
        *self = Self { at: at_before, step: step_before, bits: bits_before };
    }
}

/// Writes points in time order.
pub fn encode(points: &[Point], out: &mut Vec<u8>) {
    Encoder::default().write(points, out);
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
        assert_eq!((points.count(), all(&points)[0].0), (232, 768));
        points.trim(960, 600);
        assert_eq!((points.count(), all(&points)[0].0), (40, 960));
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
