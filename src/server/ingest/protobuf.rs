//! The wire format of protocol buffers, read in place: nothing is made of a message before somebody asks for
//! its fields, so that a body of many empty ones costs no memory.

/// The value of a field.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Value<'a> {
    Varint(u64),
    Fixed64(u64),
    /// A text, bytes, a message, or numbers one after the other.
    Bytes(&'a [u8]),
    Fixed32(u32),
}

/// What does not read.
pub const MALFORMED: &str = "The body does not read as the protocol buffers message that belongs here.";

/// The fields of a message, each with its number.
#[derive(Clone, Copy, Debug)]
pub struct Fields<'a>(pub &'a [u8]);

impl<'a> Iterator for Fields<'a> {
    type Item = Result<(u64, Value<'a>), String>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let field = field(&mut self.0);
        if field.is_none() {
            // Nothing behind it can be told apart.
            self.0 = &[];
        }
        Some(field.ok_or_else(|| MALFORMED.to_owned()))
    }
}

fn field<'a>(rest: &mut &'a [u8]) -> Option<(u64, Value<'a>)> {
    let tag = varint(rest)?;
    let value = match tag & 7 {
        0 => Value::Varint(varint(rest)?),
        1 => Value::Fixed64(u64::from_le_bytes(*rest.split_off(..8)?.first_chunk()?)),
        2 => {
            let length = usize::try_from(varint(rest)?).ok()?;
            Value::Bytes(rest.split_off(..length)?)
        }
        5 => Value::Fixed32(u32::from_le_bytes(*rest.split_off(..4)?.first_chunk()?)),
        _ => return None,
    };
    Some((tag >> 3, value))
}

fn varint(rest: &mut &[u8]) -> Option<u64> {
    let mut number = 0_u64;
    for shift in (0..64).step_by(7) {
        let byte = *rest.split_off_first()?;
        number |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Some(number);
        }
    }
    None
}

impl<'a> Value<'a> {
    /// A text; errors where it is none.
    pub fn text(self) -> Result<&'a str, String> {
        match self {
            Self::Bytes(bytes) => std::str::from_utf8(bytes).map_err(|_| MALFORMED.to_owned()),
            _ => Err(MALFORMED.to_owned()),
        }
    }

    /// The fields of a message; none where it is no message.
    pub fn fields(self) -> Fields<'a> {
        if let Self::Bytes(bytes) = self { Fields(bytes) } else { Fields(&[]) }
    }

    /// A number of any width.
    pub fn number(self) -> u64 {
        match self {
            Self::Varint(number) | Self::Fixed64(number) => number,
            Self::Fixed32(number) => number.into(),
            Self::Bytes(_) => 0,
        }
    }

    /// A `double`.
    pub fn double(self) -> f64 {
        f64::from_bits(self.number())
    }

    /// Numbers of 8 bytes: of a field that is there once for each, or once for all.
    pub fn fixed64s(self) -> impl Iterator<Item = u64> {
        let (one, packed) = match self {
            Self::Bytes(bytes) => (None, bytes),
            other => (Some(other.number()), &[][..]),
        };
        let packed =
            packed.chunks_exact(8).filter_map(|bytes| Some(u64::from_le_bytes(*bytes.first_chunk()?)));
        one.into_iter().chain(packed)
    }

    /// Numbers of varying width, in the same way.
    pub fn varints(self) -> impl Iterator<Item = u64> {
        let (one, mut packed) = match self {
            Self::Bytes(bytes) => (None, bytes),
            other => (Some(other.number()), &[][..]),
        };
        one.into_iter().chain(std::iter::from_fn(move || varint(&mut packed)))
    }
}

/// Writes messages.
#[derive(Debug, Default)]
pub struct Message(pub Vec<u8>);

impl Message {
    pub fn number(&mut self, field: u8, number: u64) {
        self.0.push(field << 3);
        self.varint(number);
    }

    /// A text, or a message.
    pub fn bytes(&mut self, field: u8, bytes: &[u8]) {
        self.0.push(field << 3 | 2);
        self.varint(bytes.len() as u64);
        self.0.extend(bytes);
    }

    fn varint(&mut self, mut number: u64) {
        while number >= 0x80 {
            self.0.push(number as u8 | 0x80);
            number >>= 7;
        }
        self.0.push(number as u8);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_is_written_reads(number: u64, text in ".{0,40}") {
            let mut message = Message::default();
            message.number(3, number);
            message.bytes(2, text.as_bytes());
            let fields: Result<Vec<_>, _> = Fields(&message.0).collect();
            prop_assert_eq!(fields, Ok(vec![(3, Value::Varint(number)), (2, Value::Bytes(text.as_bytes()))]));
        }

        #[test]
        fn no_bytes_panic(body: Vec<u8>) {
            for (_, value) in Fields(&body).flatten() {
                let _ = (value.text(), value.number(), value.fixed64s().count(), value.varints().count());
            }
        }
    }
}
