//! InfluxDB's line protocol: `measurement,tag=v field=1,other=2i 1795000000000000000`.
//!
//! Each field with a number is a series of its own, `measurement.field{tag=v}`; a field named `value` is
//! called as the measurement alone. A value of true or false is 1 or 0; a text has no place in a chart and
//! is passed over.

mod value;

use std::collections::HashMap;

use memchr::{memchr, memchr_iter, memchr3};
use rustc_hash::FxHashMap;

use self::value::{plain_number, value};
use super::batch::Batch;
use crate::server::data::series::key::Key;
use crate::server::data::series::spelling::{Fields, Spellings, Way};

/// Units of the times, in one millisecond.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Precision {
    Nanoseconds,
    Microseconds,
    Milliseconds,
    Seconds,
    Minutes,
    Hours,
    /// What fits the size of each time.
    Auto,
}

impl Precision {
    /// As the write API names them; nanoseconds where nothing is said.
    pub fn read(name: Option<&str>) -> Option<Self> {
        match name.unwrap_or("ns") {
            "ns" | "n" | "" => Some(Self::Nanoseconds),
            "us" | "u" => Some(Self::Microseconds),
            "ms" => Some(Self::Milliseconds),
            "s" => Some(Self::Seconds),
            _ => None,
        }
    }

    /// As version 1 of the API names them.
    pub fn read_v1(name: Option<&str>) -> Option<Self> {
        match name {
            Some("m") => Some(Self::Minutes),
            Some("h") => Some(Self::Hours),
            Some("µ") => Some(Self::Microseconds),
            name => Self::read(name),
        }
    }

    /// As version 3 of the API names them.
    pub fn read_v3(name: Option<&str>) -> Option<Self> {
        match name {
            None | Some("" | "auto") => Some(Self::Auto),
            Some("nanosecond") => Some(Self::Nanoseconds),
            Some("microsecond") => Some(Self::Microseconds),
            Some("millisecond") => Some(Self::Milliseconds),
            Some("second") => Some(Self::Seconds),
            name => Self::read(name),
        }
    }

    fn to_ms(self, time: i64) -> i64 {
        match self {
            Self::Nanoseconds => time.div_euclid(1_000_000),
            Self::Microseconds => time.div_euclid(1_000),
            Self::Milliseconds => time,
            Self::Seconds => time.saturating_mul(1_000),
            Self::Minutes => time.saturating_mul(60_000),
            Self::Hours => time.saturating_mul(3_600_000),
            Self::Auto => {
                // Each unit up to the year 2128, before which the next smaller one has not got beyond 1970.
                let unit = match time.unsigned_abs() {
                    0..5_000_000_000 => Self::Seconds,
                    5_000_000_000..5_000_000_000_000 => Self::Milliseconds,
                    5_000_000_000_000..5_000_000_000_000_000 => Self::Microseconds,
                    _ => Self::Nanoseconds,
                };
                unit.to_ms(time)
            }
        }
    }
}

/// Bytes that a point has in lines with many of them.
const POINT_BYTES: usize = 24;

/// A series' place in the batch, or why there is none.
type Place = Result<u32, String>;

type Tags = Vec<(String, String)>;

/// A measurement with tags, as it stands there. A collector names the same few hundred series over and over: each is
/// taken apart once, and not at all where an earlier request had it.
struct Head<'a, 'k> {
    text: &'a [u8],
    /// Its place among those that are known.
    at: Option<usize>,
    /// Its fields that are known.
    known: Option<&'k Fields>,
    /// Where their places begin.
    places: usize,
    /// The name and tags.
    read: Option<Result<(String, Tags), String>>,
}

/// What is known of the text so far.
struct Lines<'a, 'k> {
    batch: Batch,
    precision: Precision,
    spellings: Option<&'k Spellings>,
    /// Of what is not known, by measurement and tags as they stand there.
    by_text: HashMap<&'a [u8], usize>,
    /// Of what is known, by its place among that.
    by_place: FxHashMap<usize, usize>,
    /// Where the next head is looked for first among what is known, and among those of this text.
    next: (usize, usize),
    heads: Vec<Head<'a, 'k>>,
    /// The places in the batch of fields that are known.
    places: Vec<Option<u32>>,
    /// Of what is not known, by head and field as it stands there.
    series: HashMap<(usize, &'a [u8]), Place>,
}

/// Reads all lines into the batch.
pub fn read(body: &[u8], precision: Precision, mut batch: Batch) -> Batch {
    batch.reserve(body.len() / POINT_BYTES);
    let memory = batch.memory();
    let spellings = memory.as_ref().and_then(|memory| memory.spellings());
    let mut lines = Lines {
        batch,
        precision,
        spellings: spellings.as_deref(),
        by_text: HashMap::new(),
        by_place: FxHashMap::default(),
        next: (0, 0),
        heads: Vec::new(),
        places: Vec::new(),
        series: HashMap::new(),
    };
    let (mut rest, mut number) = (body, 1);
    while !rest.is_empty() {
        let skip = rest.iter().take_while(|byte| matches!(byte, b' ' | b'\t' | b'\r')).count();
        let line = &rest[skip..];
        let end = match line.first() {
            None | Some(b'\n' | b'#') => memchr(b'\n', line).unwrap_or(line.len()),
            Some(_) => {
                let before = lines.batch.added();
                let (end, read) = lines.line(line, number);
                if let Err(why) = read {
                    lines.batch.truncate(before);
                    lines.batch.refused.add(number, 1, why);
                }
                end
            }
        };
        // A text may go over several lines.
        number += 1 + memchr_iter(b'\n', &line[..end]).count();
        rest = line.get(end + 1..).unwrap_or_default();
    }
    lines.batch
}

impl<'a> Lines<'a, '_> {
    /// Reads the line that the text begins with; where it ends, and what is wrong with it.
    fn line(&mut self, text: &'a [u8], number: usize) -> (usize, Result<(), String>) {
        let (next, head_end) = match self.next_head(text) {
            Some((place, end)) => (Some(place), end),
            None => (None, end_of_head(text)),
        };
        let whole_line = || memchr(b'\n', text).unwrap_or(text.len());
        if text.get(head_end) != Some(&b' ') {
            return (whole_line(), Err(format!("{}: there are no fields", shown(text))));
        }
        let head = self.head(&text[..head_end], next);
        let mut at = head_end;
        while text.get(at) == Some(&b' ') {
            at += 1;
        }
        let before = self.batch.added();
        let (mut texts, mut next) = (0, 0);
        loop {
            // Most often it is the one that is next.
            let known = self.heads[head].known.and_then(|known| known.name(next));
            let known = known.filter(|name| text[at..].starts_with(name)).map(<[u8]>::len);
            let known = known.filter(|long| text.get(at + long) == Some(&b'='));
            let name_end = at + known.unwrap_or_else(|| end_of(&text[at..], b"= ,"));
            if text.get(name_end) != Some(&b'=') || name_end == at {
                let line = whole_line().max(at.min(text.len()));
                return (line, Err(format!("{}: a field is written name=value", shown(&text[..line]))));
            }
            let field = &text[at..name_end];
            let begin = name_end + 1;
            let (end, value) = match plain_number(&text[begin..]) {
                Some((long, number)) => (begin + long, Ok(Some(number))),
                None => {
                    let Some(end) = end_of_value(text, begin) else {
                        return (whole_line(), Err("a text has no closing quote".to_owned()));
                    };
                    (end, value(&text[begin..end]))
                }
            };
            match value {
                Ok(Some(value)) => {
                    let place = match known.and_then(|_| self.known(head, next, number)) {
                        Some(place) => Ok(place),
                        None => self.place(head, &mut next, field, number),
                    };
                    match place {
                        Ok(place) => self.batch.add(place, 0, value),
                        Err(why) => return (end + rest_of_line(&text[end..]), Err(why)),
                    }
                    next += 1;
                }
                Ok(None) => texts += 1,
                Err(why) => {
                    let name = String::from_utf8_lossy(field).into_owned();
                    return (end + rest_of_line(&text[end..]), Err(format!("the field {name:?}: {why}")));
                }
            }
            at = end;
            if text.get(at) != Some(&b',') {
                break;
            }
            at += 1;
        }
        let end = at + rest_of_line(&text[at..]);
        let time = text[at..end].trim_ascii();
        let at = match (time.is_empty(), std::str::from_utf8(time).ok().and_then(|time| time.parse().ok())) {
            (true, _) => self.batch.now(),
            (false, Some(time)) => self.batch.check_time(self.precision.to_ms(time)),
            (false, None) => Err(format!("{} is not a time", shown(time))),
        };
        match at {
            Ok(at) => {
                self.batch.set_time(before, at);
                self.batch.texts += texts;
                (end, Ok(()))
            }
            Err(why) => (end, Err(why)),
        }
    }

    /// The head that is next in the order of those that are known, and its end, where the text begins with it.
    fn next_head(&self, text: &[u8]) -> Option<(usize, usize)> {
        let (head, _) = self.spellings?.head(Way::Line, self.next.0)?;
        let is_here = text.starts_with(head) && text.get(head.len()) == Some(&b' ');
        is_here.then_some((self.next.0, head.len()))
    }

    /// The head of a line, and where it is among those that are known, if that was found.
    fn head(&mut self, text: &'a [u8], place: Option<usize>) -> usize {
        let place = place.or_else(|| self.spellings?.find(Way::Line, text));
        let new = self.heads.len();
        let head = match place {
            Some(place) if self.heads.get(self.next.1).is_some_and(|head| head.at == Some(place)) => {
                self.next.1
            }
            Some(place) => *self.by_place.entry(place).or_insert(new),
            None => *self.by_text.entry(text).or_insert(new),
        };
        if head == new {
            let known = place.and_then(|place| self.spellings?.head(Way::Line, place));
            let known = known.map(|(_, fields)| fields);
            let places = self.places.len();
            self.places.resize(places + known.map_or(0, Fields::count), None);
            self.heads.push(Head { text, at: place, known, places, read: None });
        }
        self.next = (place.map_or(0, |place| place + 1), head + 1);
        head
    }

    /// The place of a field that is known; `None` where it is not.
    fn known(&mut self, head: usize, field: usize, number: usize) -> Option<u32> {
        let Head { known, places, .. } = &self.heads[head];
        let place = self.places.get_mut(places + field)?;
        let known = (*known)?;
        Some(*place.get_or_insert_with(|| self.batch.known(known.series(field), number)))
    }

    /// The place of a field that is not the one that is next, which is the one behind it from then on.
    fn place(&mut self, head: usize, next: &mut usize, field: &'a [u8], number: usize) -> Place {
        if let Some(found) = self.heads[head].known.and_then(|known| known.find(field)) {
            *next = found;
            if let Some(place) = self.known(head, found, number) {
                return Ok(place);
            }
        }
        let Head { text, read, .. } = &mut self.heads[head];
        let place = self.series.entry((head, field)).or_insert_with(|| {
            let (measurement, tags) =
                read.get_or_insert_with(|| read_head(text)).as_ref().map_err(Clone::clone)?;
            let name = unescaped(field)?;
            let name = if name == "value" { measurement.clone() } else { format!("{measurement}.{name}") };
            let place = self.batch.series(Key::new(&name, tags.clone())?, number)?;
            self.batch.learn(Way::Line, text, field, place);
            Ok(place)
        });
        place.clone()
    }
}

/// Where the measurement and its tags end.
fn end_of_head(text: &[u8]) -> usize {
    match memchr3(b' ', b'\\', b'\n', text) {
        Some(at) if text[at] == b' ' => at,
        _ => end_of(text, b" "),
    }
}

/// Where a value ends; `None` for a text without a closing quote.
fn end_of_value(text: &[u8], begin: usize) -> Option<usize> {
    if text.get(begin) == Some(&b'"') {
        return Some(begin + 1 + end_of_text(&text[begin + 1..])?);
    }
    let ends = |byte: &u8| matches!(byte, b',' | b' ' | b'\n' | b'\r');
    Some(begin + text[begin..].iter().position(ends).unwrap_or(text.len() - begin))
}

/// The measurement and the tags.
fn read_head(text: &[u8]) -> Result<(String, Tags), String> {
    let end = end_of(text, b",");
    let name = unescaped(&text[..end])?;
    let mut tags = Vec::new();
    let mut rest = text.get(end + 1..).unwrap_or_default();
    while !rest.is_empty() {
        let end = end_of(rest, b",");
        let pair = &rest[..end];
        rest = rest.get(end + 1..).unwrap_or_default();
        let middle = end_of(pair, b"=");
        if middle == pair.len() {
            return Err(format!("the tag {}: a tag is written name=value", shown(pair)));
        }
        let value = &pair[middle + 1..];
        // A backslash at the end of a value takes the comma behind it, and with that the next tag.
        if end_of(value, b"=") != value.len() {
            return Err(format!(
                "the tag {}: an equal sign in a value has a backslash before it, and a value does not end in one",
                shown(pair)
            ));
        }
        tags.push((unescaped(&pair[..middle])?, unescaped(value)?));
    }
    Ok((name, tags))
}

/// Where one of the bytes stands without a backslash before it, or the line ends: a backslash at its end
/// does not join it to the next one, or each of many such lines would be looked through to the last.
fn end_of(text: &[u8], wanted: &[u8]) -> usize {
    let mut at = 0;
    while let Some(byte) = text.get(at) {
        match byte {
            b'\\' if text.get(at + 1) != Some(&b'\n') => at += 1,
            b'\n' => return at,
            byte if wanted.contains(byte) => return at,
            _ => {}
        }
        at += 1;
    }
    text.len()
}

/// Behind the closing quote.
fn end_of_text(text: &[u8]) -> Option<usize> {
    let mut at = 0;
    loop {
        match text.get(at)? {
            b'\\' => at += 1,
            b'"' => return Some(at + 1),
            _ => {}
        }
        at += 1;
    }
}

fn rest_of_line(text: &[u8]) -> usize {
    memchr(b'\n', text).unwrap_or(text.len())
}

/// Without the backslashes before commas, equal signs, spaces and backslashes.
fn unescaped(text: &[u8]) -> Result<String, String> {
    let text = std::str::from_utf8(text).map_err(|_| "names are text in UTF-8".to_owned())?;
    if !text.contains('\\') {
        return Ok(text.to_owned());
    }
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        let escapes =
            c == '\\' && chars.peek().is_some_and(|next| matches!(next, ',' | '=' | ' ' | '\\' | '"'));
        out.extend(if escapes { chars.next() } else { Some(c) });
    }
    Ok(out)
}

/// The beginning of a text, for people.
fn shown(text: &[u8]) -> String {
    let line = &text[..rest_of_line(text)];
    let text: String = String::from_utf8_lossy(line).chars().take(60).collect();
    format!("{:?}", text.trim_end())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Arc;

    use super::*;
    use crate::server::data::series::Bounds;
    use crate::server::data::series::memory::{Id, Memory};
    use crate::server::data::series::points::Point;
    use crate::server::data::series::retention::Window;
    use crate::server::data::series::runs::Named;
    use proptest::prelude::*;

    const NOW: u64 = 1_795_000_000_000;

    fn lines(text: &str, precision: Precision) -> Batch {
        read(text.as_bytes(), precision, Batch::new(Window::around(NOW, 86_400_000)))
    }

    /// Each point as `name time value`, and the lines that were refused.
    fn taken(text: &str) -> (Vec<String>, Vec<usize>) {
        let (runs, refused, _) = lines(text, Precision::Milliseconds).finish();
        let mut points: Vec<String> = Vec::new();
        for run in runs.into_list() {
            points.extend(run.points.iter().map(|(at, value)| format!("{} {at} {value}", run.key.whole())));
        }
        (points, refused.told().iter().map(|(line, _)| *line).collect())
    }

    #[test]
    fn every_field_with_a_number_is_a_series() {
        let (points, refused) = taken(
            "cpu,host=a,core=0 idle=1.5,user=2i,on=t,name=\"x, y=1 \",off=false 1795000000001\n\
             # a remark\n\n\
             orders value=-7i,queue=3u 1795000000002\r\n  temp value=1e3",
        );
        assert_eq!(refused, [0; 0]);
        assert_eq!(
            points,
            [
                "cpu.idle{core=0,host=a} 1795000000001 1.5",
                "cpu.user{core=0,host=a} 1795000000001 2",
                "cpu.on{core=0,host=a} 1795000000001 1",
                "cpu.off{core=0,host=a} 1795000000001 0",
                "orders 1795000000002 -7",
                "orders.queue 1795000000002 3",
                "temp 1795000000000 1000",
            ]
        );
        assert_eq!(lines("a t=\"x\"", Precision::Seconds).texts, 1);
    }

    #[test]
    fn names_have_any_character_behind_a_backslash() {
        let (points, _) = taken("disk\\ free\\,x,pa\\=th=/a\\ b\\,c left\\ over=1 1795000000001");
        assert_eq!(points, ["disk free\\,x.left over{pa\\=th=/a b\\,c} 1795000000001 1"]);
    }

    #[test]
    fn bad_lines_are_named_and_the_others_taken() {
        let text = "a value=1\nb\nc value=\nd value=NaN\ne value=+Inf\nf value=1e999\ng value=x\nh value=1 soon\n\
                    i value=1 5\nj value=1 1799999999999\n,s=x value=1\nk,t value=1\nl value=\"open\nm value=2,n\no value=3";
        let (points, refused) = taken(text);
        assert_eq!(points, ["a 1795000000000 1", "o 1795000000000 3"]);
        assert_eq!(refused, [2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14]);
        let batch = lines("a value=1\nd value=NaN,other=1", Precision::Seconds);
        assert_eq!(batch.refused.words("line"), "line 2: the field \"value\": only finite numbers are kept");
    }

    #[test]
    fn a_value_that_ends_in_a_backslash_takes_no_tag_with_it() {
        let (points, refused) = taken(
            "Disk,check=C:\\,host=lp value=52.45\nb value=1\nDisk,check=C:\\ value=1\nDisk,host=lp,check=C:\\ value=1,x=2 1795000000000",
        );
        assert_eq!((points, refused), (vec!["b 1795000000000 1".to_owned()], vec![1, 3, 4]));
        let batch = lines("Disk,check=C:\\,host=lp value=52.45", Precision::Seconds);
        assert!(batch.refused.words("line").starts_with("line 1: the tag \"check=C:"));
    }

    #[test]
    fn a_measurement_called_as_this_server_and_tags_with_spaces_are_taken() {
        let (points, refused) = taken("server,host=a\\  cpu=1\nserver value=2");
        assert_eq!(refused, [0; 0]);
        assert_eq!(points, ["pushed.server.cpu{host=a\\ } 1795000000000 1", "server 1795000000000 2"]);
    }

    #[test]
    fn a_text_may_have_a_line_break_and_the_lines_count_on() {
        let (points, refused) = taken("a note=\"x\ny\",value=1\nbad\nb value=2");
        assert_eq!((points.len(), refused), (2, vec![3]));
    }

    #[test]
    fn s10_a_backslash_does_not_join_lines() {
        // Joined, each of them would be read as often as there are lines before it.
        let (points, refused) = taken(&"\\\n".repeat(200_000));
        assert_eq!((points.len(), refused.first(), refused.len()), (0, Some(&1), super::super::batch::TOLD));
        let (points, refused) = taken("a\\\nb value=1\nc,x=\\\n value=1\nd value\\\n=1\ne value=1");
        assert_eq!(points, ["b 1795000000000 1", "e 1795000000000 1"]);
        assert_eq!(refused, [1, 3, 4, 5, 6]);
    }

    #[test]
    fn times_come_in_four_precisions() {
        for (precision, time) in [
            (Precision::Nanoseconds, "1794999999999999999"),
            (Precision::Microseconds, "1794999999999999"),
            (Precision::Milliseconds, "1794999999999"),
        ] {
            let (runs, ..) = lines(&format!("a value=1 {time}"), precision).finish();
            assert_eq!(runs.into_list()[0].points, [(1_794_999_999_999, 1.0)], "{precision:?}");
        }
        let (runs, ..) = lines("a value=1 1795000000", Precision::Seconds).finish();
        assert_eq!(runs.into_list()[0].points, [(NOW, 1.0)]);
        assert_eq!(Precision::read(Some("m")), None);
        for (precision, time) in [("m", "29916666"), ("h", "498611"), ("n", "1794999999999999999")] {
            let precision = Precision::read_v1(Some(precision)).expect("known");
            let window = Window::around(NOW, 86_400_000);
            let (runs, ..) =
                read(format!("a value=1 {time}").as_bytes(), precision, Batch::new(window)).finish();
            assert!(NOW - runs.into_list()[0].points[0].0 < 3_600_000, "{precision:?}");
        }
        for time in ["1795000000", "1795000000000", "1795000000000000", "1795000000000000000"] {
            let auto = Precision::read_v3(None).expect("known");
            let (runs, ..) = lines(&format!("a value=1 {time}"), auto).finish();
            assert_eq!(runs.into_list()[0].points, [(NOW, 1.0)], "{time}");
        }
        assert_eq!(Precision::read(None), Some(Precision::Nanoseconds));
    }

    #[test]
    fn what_is_known_by_its_spelling_is_read_as_what_is_new() {
        let bounds = Bounds { series: 100, points_per_series: 100, points: 10_000, kept_ms: 86_400_000 };
        let memory = Arc::new(Memory::new(bounds));
        let window = Window::around(NOW, 86_400_000);
        let text = "cpu,host=a,core=0 idle=1.5,us\\=er=2i,on=t,name=\"x\",off=false 1795000000001\n\
                    cpu,core=0,host=a idle=7,value=9 1795000000001\n\
                    cpu,host=a,core=0 off=1,idle=12345678901234567890,new=3,idle=2 1795000000002\n\
                    cpu,host=a,core=0 idle=1,off=x 1795000000003\ncpu,host=a,core=0 idle= 1795000000003";
        let mut before = None;
        for round in 0..3 {
            let batch = read(text.as_bytes(), Precision::Milliseconds, Batch::of(window, memory.clone()));
            let (runs, refused, texts) = batch.finish();
            assert_eq!((refused.count(), texts), (2, 1), "{}", refused.words("line"));
            let ids = memory.ids(&runs);
            assert_eq!(runs.iter().all(|(series, _)| matches!(series.named, Named::Known(_))), round > 0);
            let points: BTreeMap<Id, Vec<Point>> = runs
                .iter()
                .zip(ids)
                .map(|((_, points), id)| (id.expect("there is room"), points.to_vec()))
                .collect();
            assert_eq!(points.len(), runs.series().len(), "each series once");
            if let Some(before) = before.replace(points.clone()) {
                assert_eq!(points, before);
            }
        }
        let idle = before.expect("read").into_values().next().expect("the first");
        assert_eq!(idle, [(1_795_000_000_001, 7.0), (1_795_000_000_002, 2.0)], "the later spelling counts");
    }

    proptest! {
        #[test]
        fn no_bytes_panic(body in prop::collection::vec(prop::sample::select(b"a1=,\\ \"\n.ieE-+#t\xff".to_vec()), 0..80)) {
            let (runs, refused, _) = read(&body, Precision::Seconds, Batch::new(Window::around(NOW, u64::MAX))).finish();
            prop_assert!(runs.series().len() + refused.told().len() <= body.len());
        }
    }
}
