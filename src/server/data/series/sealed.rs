//! Codec of points that are kept for long: many of one series together, in few bits each, and exactly.
//!
//! A value that is a decimal number is kept as the whole number that it is in its last decimal place, and any
//! other as the bits that it has. Those numbers, and the times, are kept as they are or as the differences from
//! one to the next, whichever takes less, in packs: what the least of a pack has above zero and what all of
//! its numbers have in common at the low end is kept once, and of the rest of each as many bits as the largest
//! needs. A checksum tells a block that was damaged from others.

use super::memory::Id;
use super::points::{Point, read_number, write_number};

/// Points of one block at most. It bounds what damaged bytes can make of themselves.
const BLOCK: usize = 4_096;
/// Numbers of one pack: few enough that one that is far off costs little, many enough that what is kept once does.
const PACK: usize = 64;
/// Decimal places that are looked for: a `f64` has no more than 15 that are sure.
const PLACES: usize = 16;
/// Whole numbers up to this are exact as `f64`.
const EXACT: f64 = 9_007_199_254_740_992.0;
/// In place of the number of decimal places: values are kept as their bits.
const BITS: u8 = 0xff;
/// One of so many values may have more decimal places than the others, or none at all, as a gap has.
const EXCEPTIONS: usize = 16;

/// Values that tell of the others of their block.
const SAMPLE: usize = 32;

const POWERS: [f64; PLACES] =
    [1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15];

/// What a body holds.
#[derive(Debug, Default, PartialEq)]
pub struct Opened {
    /// By series, in the order in which they were written; two of one series where it is long.
    pub runs: Vec<(Id, Vec<Point>)>,
    /// True where something of it was damaged. What is in `runs` is right all the same.
    pub damaged: bool,
}

impl Opened {
    pub fn points(&self) -> u64 {
        self.runs.iter().map(|(_, points)| points.len() as u64).sum()
    }
}

/// Adds the points of a series to a body.
pub fn seal(id: Id, points: &[Point], body: &mut Vec<u8>) {
    let mut bytes = Vec::new();
    for part in points.chunks(BLOCK) {
        bytes.clear();
        write_number(u64::from(id), &mut bytes);
        write_number(part.len() as u64, &mut bytes);
        write_block(part, &mut bytes);
        write_number(bytes.len() as u64, body);
        body.extend(crc32fast::hash(&bytes).to_le_bytes());
        body.extend(&bytes);
    }
}

/// Reads a body. Damaged blocks are passed over.
pub fn open(mut body: &[u8]) -> Opened {
    let mut opened = Opened::default();
    while !body.is_empty() {
        let Some((bytes, rest)) = next_block(body) else {
            // Where the next one begins is not known.
            opened.damaged = true;
            break;
        };
        match bytes.and_then(read_block) {
            Some(run) => opened.runs.push(run),
            None => opened.damaged = true,
        }
        body = rest;
    }
    opened
}

/// The bytes of the first block, `None` in their place where they are not those that were written; and the rest.
fn next_block(mut body: &[u8]) -> Option<(Option<&[u8]>, &[u8])> {
    let length = usize::try_from(read_number(&mut body)?).ok()?;
    let (sum, rest) = body.split_first_chunk::<4>()?;
    let (bytes, rest) = rest.split_at_checked(length)?;
    Some((Some(bytes).filter(|bytes| crc32fast::hash(bytes) == u32::from_le_bytes(*sum)), rest))
}

fn read_block(mut bytes: &[u8]) -> Option<(Id, Vec<Point>)> {
    let id = Id::try_from(read_number(&mut bytes)?).ok()?;
    let count = usize::try_from(read_number(&mut bytes)?).ok().filter(|count| *count <= BLOCK)?;
    let times = read_numbers(count, &mut bytes)?;
    let (places, rest) = bytes.split_first()?;
    bytes = rest;
    let exceptions = usize::try_from(read_number(&mut bytes)?).ok().filter(|few| *few <= count)?;
    let mut others = Vec::with_capacity(exceptions);
    for _ in 0..exceptions {
        let index = usize::try_from(read_number(&mut bytes)?).ok().filter(|index| *index < count)?;
        let (bits, rest) = bytes.split_first_chunk()?;
        bytes = rest;
        others.push((index, f64::from_bits(u64::from_le_bytes(*bits))));
    }
    let numbers = read_numbers(count, &mut bytes)?;
    let mut points: Vec<Point> = if *places == BITS {
        times.into_iter().zip(numbers.into_iter().map(f64::from_bits)).collect()
    } else {
        let power = POWERS.get(usize::from(*places))?;
        let values = numbers.into_iter().map(|number| number.cast_signed() as f64 / power);
        times.into_iter().zip(values).collect()
    };
    for (index, value) in others {
        points[index].1 = value;
    }
    bytes.is_empty().then_some((id, points))
}

fn write_block(points: &[Point], out: &mut Vec<u8>) {
    let times: Vec<u64> = points.iter().map(|(at, _)| *at).collect();
    write_numbers(&times, out);
    // Most series have values of one kind, and some of them tell.
    let values = || points.iter().map(|(_, value)| *value);
    let told = places(values().step_by(points.len().div_ceil(SAMPLE)), points.len().min(SAMPLE));
    let decimals = told.and_then(|told| {
        decimals(points, told).or_else(|| decimals(points, places(values(), points.len())?))
    });
    let Some(Decimals { places, numbers, exceptions, others }) = decimals else {
        out.push(BITS);
        write_number(0, out);
        let bits: Vec<u64> = values().map(f64::to_bits).collect();
        return write_numbers(&bits, out);
    };
    out.push(places as u8);
    write_number(exceptions as u64, out);
    out.extend(others);
    write_numbers(&numbers, out);
}

/// Values as whole numbers in their last decimal place.
struct Decimals {
    places: usize,
    numbers: Vec<u64>,
    exceptions: usize,
    /// The exceptions: where each stands, and its bits.
    others: Vec<u8>,
}

/// The values in so many decimal places; `None` where too many of them are exceptions.
fn decimals(points: &[Point], places: usize) -> Option<Decimals> {
    let (mut others, mut exceptions, mut last) = (Vec::new(), 0, 0);
    let mut numbers = Vec::with_capacity(points.len());
    for (index, (_, value)) in points.iter().enumerate() {
        if let Some(number) = whole(*value, places) {
            last = number.cast_unsigned();
        } else {
            // In its place stands what takes no room.
            exceptions += 1;
            write_number(index as u64, &mut others);
            others.extend(value.to_bits().to_le_bytes());
            if exceptions > points.len() / EXCEPTIONS {
                return None;
            }
        }
        numbers.push(last);
    }
    Some(Decimals { places, numbers, exceptions, others })
}

/// The decimal places that so many values have at most, but for few exceptions; `None` where they are no decimal
/// numbers.
fn places(values: impl Iterator<Item = f64>, count: usize) -> Option<usize> {
    let mut counts = [0; PLACES];
    let few = count / EXCEPTIONS;
    let mut without = 0;
    for value in values {
        match (0..PLACES).find(|places| whole(value, *places).is_some()) {
            Some(places) => counts[places] += 1,
            None => without += 1,
        }
        if without > few {
            return None;
        }
    }
    let mut left = few - without;
    let mut most = PLACES - 1;
    while most > 0 && counts[most] <= left {
        left -= counts[most];
        most -= 1;
    }
    Some(most)
}

/// The whole number that a value is in so many decimal places, where the value comes back from it bit by bit.
fn whole(value: f64, places: usize) -> Option<i64> {
    let scaled = value * POWERS[places];
    if scaled.is_nan() || scaled.abs() >= EXACT {
        return None;
    }
    let number = (scaled + 0.5_f64.copysign(scaled)) as i64;
    ((number as f64 / POWERS[places]).to_bits() == value.to_bits()).then_some(number)
}

/// Writes numbers whose count is known to whoever reads them.
fn write_numbers(numbers: &[u64], out: &mut Vec<u8>) {
    let Some((first, rest)) = numbers.split_first() else { return };
    let differences: Vec<u64> = numbers.windows(2).map(|pair| pair[1].wrapping_sub(pair[0])).collect();
    let differs = bits(&differences) < bits(rest);
    out.push(differs.into());
    write_number(folded(*first), out);
    for pack in if differs { &differences } else { rest }.chunks(PACK) {
        let Shape { least, shift, width } = Shape::of(pack);
        out.push(width as u8);
        write_number(folded(least), out);
        if width > 0 {
            out.push(shift as u8);
            pack_bits(pack.iter().map(|number| number.wrapping_sub(least) >> shift), width, out);
        }
    }
}

fn read_numbers(count: usize, bytes: &mut &[u8]) -> Option<Vec<u64>> {
    let mut numbers = Vec::with_capacity(count);
    if count == 0 {
        return Some(numbers);
    }
    let differs = *bytes.split_off_first()? != 0;
    let mut before = unfolded(read_number(bytes)?);
    numbers.push(before);
    while numbers.len() < count {
        let in_pack = (count - numbers.len()).min(PACK);
        let width = u32::from(*bytes.split_off_first()?);
        let least = unfolded(read_number(bytes)?);
        let shift = if width > 0 { u32::from(*bytes.split_off_first()?) } else { 0 };
        if width + shift > u64::BITS {
            return None;
        }
        let packed = bytes.split_off(..(in_pack * width as usize).div_ceil(8))?;
        unpack_bits(packed, width, in_pack, |number| {
            let number = least.wrapping_add(number << shift);
            before = if differs { before.wrapping_add(number) } else { number };
            numbers.push(before);
        });
    }
    Some(numbers)
}

/// What the numbers of a pack have in common.
struct Shape {
    /// The least of them, taken as signed.
    least: u64,
    /// Bits at the low end that are zero in all, once the least is taken away.
    shift: u32,
    /// Bits that are left.
    width: u32,
}

impl Shape {
    fn of(pack: &[u64]) -> Self {
        let least = pack.iter().map(|number| number.cast_signed()).min().unwrap_or(0).cast_unsigned();
        let all = pack.iter().fold(0, |all, number| all | number.wrapping_sub(least));
        if all == 0 {
            return Self { least, shift: 0, width: 0 };
        }
        let shift = all.trailing_zeros();
        Self { least, shift, width: u64::BITS - all.leading_zeros() - shift }
    }
}

/// Bits that packs of numbers take, about.
fn bits(numbers: &[u64]) -> usize {
    numbers.chunks(PACK).map(|pack| Shape::of(pack).width as usize * pack.len()).sum()
}

/// Small where a number is near zero, above or below it.
fn folded(number: u64) -> u64 {
    let number = number.cast_signed();
    (number << 1 ^ number >> 63).cast_unsigned()
}

fn unfolded(number: u64) -> u64 {
    number >> 1 ^ (number & 1).wrapping_neg()
}

/// Writes the low bits of numbers that have no others, the first of them lowest.
fn pack_bits(numbers: impl Iterator<Item = u64>, width: u32, out: &mut Vec<u8>) {
    let (mut held, mut count) = (0_u128, 0);
    for number in numbers {
        held |= u128::from(number) << count;
        count += width;
        if count >= u64::BITS {
            out.extend((held as u64).to_le_bytes());
            held >>= u64::BITS;
            count -= u64::BITS;
        }
    }
    out.extend(&held.to_le_bytes()[..count.div_ceil(8) as usize]);
}

/// Hands on so many numbers; there are as many bytes as those take.
fn unpack_bits(mut packed: &[u8], width: u32, count: usize, mut each: impl FnMut(u64)) {
    let (mut held, mut there) = (0_u128, 0);
    let mask = if width == u64::BITS { u64::MAX } else { (1 << width) - 1 };
    for _ in 0..count {
        if there < width {
            let (next, rest) = packed.split_at(packed.len().min(8));
            let mut bytes = [0; 8];
            bytes[..next.len()].copy_from_slice(next);
            held |= u128::from(u64::from_le_bytes(bytes)) << there;
            there += u64::BITS;
            packed = rest;
        }
        each(held as u64 & mask);
        held >>= width;
        there -= width;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn bits_of(runs: &[(Id, Vec<Point>)]) -> Vec<(Id, u64, u64)> {
        let points = runs.iter().flat_map(|(id, points)| points.iter().map(|point| (*id, *point)));
        points.map(|(id, (at, value))| (id, at, value.to_bits())).collect()
    }

    /// The body, once it is sure that it reads as what it was written from.
    fn body(runs: &[(Id, Vec<Point>)]) -> Vec<u8> {
        let mut body = Vec::new();
        runs.iter().for_each(|(id, points)| seal(*id, points, &mut body));
        let opened = open(&body);
        assert!(!opened.damaged);
        assert_eq!(bits_of(&opened.runs), bits_of(runs));
        body
    }

    /// Values of every kind: any bits, decimals, whole numbers, and those with a name.
    fn value() -> impl Strategy<Value = f64> {
        let named = [
            0.0,
            -0.0,
            f64::NAN,
            f64::from_bits(0x7ff0_0000_0000_0002),
            f64::from_bits(0xfff8_dead_beef_0001),
            f64::INFINITY,
            f64::NEG_INFINITY,
            f64::MIN_POSITIVE,
            f64::from_bits(1),
            f64::MAX,
            EXACT,
            -EXACT,
            EXACT - 1.0,
            0.1 + 0.2,
        ];
        prop_oneof![
            any::<u64>().prop_map(f64::from_bits),
            (any::<i32>(), 0..PLACES).prop_map(|(number, places)| f64::from(number) / POWERS[places]),
            any::<i64>().prop_map(|number| number as f64),
            prop::sample::select(named.to_vec()),
        ]
    }

    fn run() -> impl Strategy<Value = (Id, Vec<Point>)> {
        let wild = prop::collection::vec((any::<u64>(), value()), 0..200);
        // As they are in life: in order, of one kind, now and then with something else among them.
        let tame = (
            any::<u32>(),
            1_u64..100_000,
            0..PLACES,
            prop::collection::vec((any::<i16>(), 0..40_u8, value()), 0..300),
        );
        let tame = tame.prop_map(|(begin, step, places, values)| {
            let point = |(n, (number, chance, other)): (usize, (i16, u8, f64))| {
                let at = u64::from(begin) + n as u64 * step + u64::from(chance % 4);
                (at, if chance == 0 { other } else { f64::from(number) / POWERS[places] })
            };
            values.into_iter().enumerate().map(point).collect()
        });
        (any::<Id>(), prop_oneof![wild, tame])
    }

    proptest! {
        #[test]
        fn every_point_comes_back_bit_by_bit(runs in prop::collection::vec(run(), 0..4)) {
            body(&runs);
        }

        #[test]
        fn one_damaged_block_is_noticed_and_spares_the_others(one in run(), other in run(), at: prop::sample::Index, bit in 0..8_u8) {
            prop_assume!(!one.1.is_empty());
            let (mut first, second) = (body(&[one]), body(std::slice::from_ref(&other)));
            // Behind the length, which says where the next one begins.
            let after = first.len() - 4 - next_block(&first).and_then(|(bytes, _)| Some(bytes?.len())).expect("whole");
            let at = after + at.index(first.len() - after);
            first[at] ^= 1 << bit;
            first.extend(second);
            let opened = open(&first);
            prop_assert!(opened.damaged);
            prop_assert_eq!(bits_of(&opened.runs), bits_of(&[other]));
        }

        #[test]
        fn damaged_bytes_make_nothing_large(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            open(&bytes);
            // The same behind a checksum that fits.
            if let Some((_, points)) = read_block(&bytes) {
                prop_assert!(points.len() <= BLOCK);
            }
        }
    }

    #[test]
    fn a_count_that_nothing_is_behind_is_no_block() {
        let mut bytes = Vec::new();
        write_number(1, &mut bytes);
        write_number(u64::from(u32::MAX), &mut bytes);
        bytes.extend([0; 64]);
        assert_eq!(read_block(&bytes), None);
        // A width that no number has.
        assert_eq!(read_block(&[1, 2, 0, 0, 200, 0, 0]), None);
        assert_eq!(read_block(&[1, 3, 0, 0, 60, 0, 10, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]), None);
    }

    #[test]
    fn long_runs_are_in_several_blocks() {
        let points: Vec<Point> = (0..3 * BLOCK as u64 + 5).map(|n| (n, n as f64)).collect();
        let opened = open(&body(&[(7, points)]));
        assert_eq!(opened.runs.len(), 4);
        assert_eq!(opened.points(), 3 * BLOCK as u64 + 5);
    }

    #[test]
    fn figures_as_they_are_in_life_take_few_bytes() {
        let mut random = 1_u64;
        let mut noise = move |range: f64| {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            (random >> 11) as f64 / (1_u64 << 53) as f64 * range
        };
        let each = |values: &[f64]| {
            let times = (0..).map(|n| 1_795_000_000_000 + n * 10_000);
            let run: Vec<Point> = times.zip(values.iter().copied()).collect();
            body(&[(1_000, run)]).len() as f64 / values.len() as f64
        };
        assert!(each(&[42.5; 1_000]) < 0.2);
        let (mut total, mut gauge) = (0.0, 40.0);
        let mut counter = [0.0; 1_000];
        counter.fill_with(|| {
            total += noise(60.0).floor();
            total
        });
        assert!(each(&counter) < 1.0, "{}", each(&counter));
        let mut slow = [0.0; 1_000];
        slow.fill_with(|| {
            gauge = ((gauge + noise(2.0) - 1.0) * 100.0_f64).round() / 100.0;
            gauge
        });
        assert!(each(&slow) < 1.3, "{}", each(&slow));
        let mut decimals = [0.0; 1_000];
        decimals.fill_with(|| noise(100_000.0).round() / 1000.0);
        assert!(each(&decimals) < 2.4, "{}", each(&decimals));
        assert!(each(&decimals[..100]) < 2.7, "{}", each(&decimals[..100]));
        let mut full = [0.0; 1_000];
        full.fill_with(|| noise(1.0));
        assert!(each(&full) < 7.4, "{}", each(&full));
    }

    #[test]
    fn gaps_among_decimals_cost_as_exceptions_do() {
        let points: Vec<Point> = (0..1_000)
            .map(|n| (n * 1_000, if n % 50 == 7 { f64::NAN } else { (n % 90) as f64 / 10.0 }))
            .collect();
        let bytes = body(&[(1, points)]).len();
        assert!(bytes < 1_300, "{bytes}");
    }
}
