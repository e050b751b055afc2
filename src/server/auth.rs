//! Guests: people without an account, known again by a signed cookie.

use axum::http::header::COOKIE;
use axum::http::{HeaderMap, HeaderValue};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, Mac};
use rand::seq::IndexedRandom;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::dashboard::fold::fold;
use crate::dashboard::{User, UserId};

/// The cookie's name.
pub const COOKIE_NAME: &str = "lockstep_guest";
/// Characters in a name: a full name fits, and so does the tag beside a cursor.
pub const MAX_NAME_CHARS: usize = 40;
/// Bytes of the cookie's value that are looked at: an id and the longest name, with room.
const MAX_COOKIE_BYTES: usize = 1024;
/// Bytes of all cookie headers that are looked at: what browsers send to one host at most.
const MAX_HEADER_BYTES: usize = 16 * 1024;
const YEAR_S: u32 = 365 * 24 * 60 * 60;

/// Colours for people. White text reads on each (4.5:1), and each stands out from the page in light
/// and in dark (3:1). None is near the red or the amber of an alarm.
pub const PALETTE: [&str; 12] = [
    "#4b7d12", "#2b822e", "#12814e", "#0e8171", "#107d93", "#1a78b7", "#3c6cdd", "#6464d8", "#805ad8",
    "#a14bd2", "#b937be", "#ca2f92",
];

const QUALITIES: [&str; 24] = [
    "Amber", "Brave", "Bright", "Calm", "Clever", "Curious", "Eager", "Early", "Gentle", "Golden", "Happy",
    "Keen", "Lively", "Lucky", "Merry", "Nimble", "Patient", "Quick", "Quiet", "Silver", "Steady", "Sunny",
    "Swift", "Wise",
];
const ANIMALS: [&str; 32] = [
    "Badger", "Beaver", "Bison", "Crane", "Dolphin", "Falcon", "Finch", "Fox", "Gecko", "Hare", "Heron",
    "Ibex", "Jay", "Koala", "Lark", "Lynx", "Magpie", "Marten", "Mole", "Moose", "Newt", "Otter", "Owl",
    "Panda", "Puffin", "Raven", "Robin", "Seal", "Stork", "Swan", "Tern", "Wren",
];

/// What the cookie says; the colour follows from the id.
#[derive(Serialize, Deserialize)]
struct Claim {
    id: UserId,
    name: String,
}

/// Makes guests and knows them again.
#[derive(Clone)]
pub struct Guests {
    key: Hmac<Sha256>,
}

impl Guests {
    /// Takes the secret that signs the cookies.
    pub fn new(secret: &[u8; 32]) -> Self {
        Self { key: Hmac::new_from_slice(secret).expect("HMAC takes keys of any length") }
    }

    /// The guest whose cookie a request carries; `None` where there is none or it was not made here.
    pub fn read(&self, headers: &HeaderMap) -> Option<User> {
        cookies(headers, COOKIE_NAME).find_map(|value| self.open(value))
    }

    /// The `Set-Cookie` header that lets this browser be known again for a year.
    ///
    /// `secure` where the page came over TLS, so that the cookie never travels without.
    pub fn cookie(&self, guest: &User, secure: bool) -> HeaderValue {
        let value = self.seal(guest);
        let secure = if secure { "; Secure" } else { "" };
        let cookie =
            format!("{COOKIE_NAME}={value}; Path=/; Max-Age={YEAR_S}; HttpOnly; SameSite=Lax{secure}");
        HeaderValue::try_from(cookie).expect("base64 and words are header text")
    }

    fn seal(&self, guest: &User) -> String {
        let claim = Claim { id: guest.id.clone(), name: guest.name.clone() };
        let claim = serde_json::to_vec(&claim).expect("two strings are JSON");
        let claim = URL_SAFE_NO_PAD.encode(claim);
        let signature = self.key.clone().chain_update(&claim).finalize().into_bytes();
        format!("{claim}.{}", URL_SAFE_NO_PAD.encode(signature))
    }

    fn open(&self, value: &str) -> Option<User> {
        let (claim, signature) = value.split_once('.').filter(|_| value.len() <= MAX_COOKIE_BYTES)?;
        let signature = URL_SAFE_NO_PAD.decode(signature).ok()?;
        self.key.clone().chain_update(claim).verify_slice(&signature).ok()?;
        let claim: Claim = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claim).ok()?).ok()?;
        Some(person(claim.id, claim.name))
    }
}

/// The values of all cookies of one name that a request carries.
pub fn cookies<'h>(headers: &'h HeaderMap, wanted: &'h str) -> impl Iterator<Item = &'h str> {
    let all = headers.get_all(COOKIE).iter().filter(|value| value.len() <= MAX_HEADER_BYTES);
    // Pair by pair: others at this host may have cookies that are no ASCII.
    all.flat_map(|value| value.as_bytes().split(|byte| *byte == b';'))
        .filter_map(|pair| std::str::from_utf8(pair).ok()?.trim().split_once('='))
        .filter(move |(name, _)| *name == wanted)
        .map(|(_, value)| value)
}

/// Somebody who was never here before: a random id, a friendly name.
pub fn someone() -> User {
    let id = URL_SAFE_NO_PAD.encode(rand::random::<[u8; 12]>());
    let mut rng = rand::rng();
    let name = match (QUALITIES.choose(&mut rng), ANIMALS.choose(&mut rng)) {
        (Some(quality), Some(animal)) => format!("{quality} {animal}"),
        _ => "Guest".to_owned(),
    };
    person(UserId::new(id).expect("base64 without padding is an id"), name)
}

/// A person as others see them, by an id and a name that were checked.
pub fn person(id: UserId, name: String) -> User {
    let color = color_of(&id).to_owned();
    User { id, name, color }
}

/// The colour of a person: always the same one of [`PALETTE`].
pub fn color_of(id: &UserId) -> &'static str {
    // A digest, since ids need not be random.
    let digest = Sha256::digest(id.as_str());
    PALETTE[usize::from(u16::from_be_bytes([digest[0], digest[1]])) % PALETTE.len()]
}

/// A name as somebody wished it, trimmed; `None` where it is empty, longer than [`MAX_NAME_CHARS`], ends as a guest's
/// does, or holds what does not show: control characters, or marks that turn the direction of text around.
pub fn clean_name(wish: &str) -> Option<String> {
    let name = wish.trim();
    let fits = !name.is_empty()
        && name.chars().count() <= MAX_NAME_CHARS
        && !name.chars().any(|c| c.is_control() || turns(c))
        && !is_guests_name(name);
    fits.then(|| name.to_owned())
}

/// Characters that do not show, or turn the direction of what follows.
fn turns(c: char) -> bool {
    matches!(c, '\u{200b}' | '\u{200e}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

/// The same of what somebody else says of a person: what does not fit is taken out of it, or cut off. `None` where nothing
/// is left.
pub fn cleaned_name(said: &str) -> Option<String> {
    let shows: String = said.chars().filter(|c| !c.is_control() && !turns(*c)).collect();
    let mut name = shows.trim();
    while is_guests_name(name) {
        let before = name.trim_end_matches(|c: char| !c.is_alphanumeric());
        let cut = before.char_indices().nth_back("guest".len() - 1).map_or(0, |(at, _)| at);
        name = before[..cut].trim_end();
        name = name.strip_suffix('(').unwrap_or(name).trim_end();
    }
    let name: String = name.chars().take(MAX_NAME_CHARS).collect();
    clean_name(&name)
}

/// True for a name that ends in the mark of a guest, however it is written: `(guest)`, which only the server puts
/// there.
pub fn is_guests_name(name: &str) -> bool {
    let is_mark = |c: char| !c.is_alphanumeric();
    let before = name.trim_end_matches(is_mark);
    let folded = fold(before);
    let word = folded.strip_suffix("guest");
    before.len() < name.len() && word.is_some_and(|rest| rest.is_empty() || rest.ends_with(is_mark))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(cookie: &str) -> HeaderMap {
        HeaderMap::from_iter([(COOKIE, HeaderValue::from_str(cookie).unwrap())])
    }

    fn luminance(color: &str) -> f64 {
        let part = |at: usize| {
            let c = f64::from(u8::from_str_radix(&color[at..at + 2], 16).unwrap()) / 255.0;
            if c <= 0.04045 { c / 12.92 } else { ((c + 0.055) / 1.055).powf(2.4) }
        };
        0.2126 * part(1) + 0.7152 * part(3) + 0.0722 * part(5)
    }

    fn contrast(one: &str, other: &str) -> f64 {
        let (one, other) = (luminance(one), luminance(other));
        (one.max(other) + 0.05) / (one.min(other) + 0.05)
    }

    #[test]
    fn every_colour_reads_on_light_and_dark() {
        for color in PALETTE {
            assert!(contrast(color, "#ffffff") >= 4.5, "{color} on white");
            assert!(contrast(color, "#151a21") >= 3.0, "{color} on dark");
        }
    }

    /// Degrees of the colour circle: 0 for red, 120 for green.
    fn hue(color: &str) -> f64 {
        let part = |at: usize| f64::from(u8::from_str_radix(&color[at..at + 2], 16).unwrap());
        let (red, green, blue) = (part(1), part(3), part(5));
        let most = red.max(green).max(blue);
        let span = most - red.min(green).min(blue);
        let turn = match most {
            most if most == red => (green - blue) / span,
            most if most == green => (blue - red) / span + 2.0,
            _ => (red - green) / span + 4.0,
        };
        (turn * 60.0).rem_euclid(360.0)
    }

    #[test]
    fn nobody_looks_like_an_alarm() {
        // `--bad` and `--warn` of the page, in light and in dark.
        for alarm in ["#b3242a", "#ff8b8f", "#8a5000", "#f0b04a"] {
            for color in PALETTE {
                let apart = (hue(color) - hue(alarm)).abs();
                assert!(apart.min(360.0 - apart) >= 30.0, "{color} and {alarm}");
            }
        }
    }

    #[test]
    fn people_get_all_the_colours() {
        let colors: std::collections::BTreeSet<_> =
            (0..300).map(|n| color_of(&UserId::new(format!("u{n}")).unwrap())).collect();
        assert_eq!(colors.len(), PALETTE.len());
    }

    #[test]
    fn a_guest_is_known_again() {
        let guests = Guests::new(&[7; 32]);
        let guest = person(UserId::new("u1").unwrap(), "Zoë 🦦".to_owned());
        let cookie = guests.cookie(&guest, false);
        let cookie = cookie.to_str().unwrap();
        for mark in ["HttpOnly", "SameSite=Lax", "Path=/", "Max-Age=31536000"] {
            assert!(cookie.contains(mark), "{cookie}");
        }
        assert!(
            !cookie.contains("Secure") && guests.cookie(&guest, true).to_str().unwrap().contains("; Secure")
        );
        let pair = cookie.split(';').next().unwrap();
        assert_eq!(guests.read(&headers(&format!("theme=dark; {pair}; x=y"))), Some(guest.clone()));
        assert_eq!(Guests::new(&[8; 32]).read(&headers(pair)), None);
    }

    #[test]
    fn a_cookie_that_was_not_made_here_is_nobody() {
        let guests = Guests::new(&[7; 32]);
        let cookie = guests.seal(&someone());
        let (claim, signature) = cookie.split_once('.').unwrap();
        let forged = URL_SAFE_NO_PAD.encode(br#"{"id":"u1","name":"Ada"}"#);
        let long = "x".repeat(MAX_COOKIE_BYTES);
        for value in [
            String::new(),
            ".".to_owned(),
            claim.to_owned(),
            format!("{claim}."),
            format!("{claim}.{}", &signature[1..]),
            format!("{forged}.{signature}"),
            format!("{claim}x.{signature}"),
            format!("{long}.{signature}"),
        ] {
            assert_eq!(guests.read(&headers(&format!("{COOKIE_NAME}={value}"))), None, "{value}");
        }
    }

    #[test]
    fn names_are_short_and_show() {
        assert_eq!(clean_name("  Ada Lovelace "), Some("Ada Lovelace".to_owned()));
        assert_eq!(clean_name(&"é".repeat(40)), Some("é".repeat(40)));
        assert_eq!(clean_name("Best guest"), Some("Best guest".to_owned()));
        for bad in ["Ada (guest)", "Ada (GUEST)", "Ada ( Guest )", "(guest)", "Ada [guest]"] {
            assert_eq!(clean_name(bad), None, "{bad:?}");
        }
        for bad in ["", "   ", "a\nb", "a\u{202e}b", "\u{200b}", &"x".repeat(41)] {
            assert_eq!(clean_name(bad), None, "{bad:?}");
        }
        assert!(clean_name(&someone().name).is_some());
    }
}
