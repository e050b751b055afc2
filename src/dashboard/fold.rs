//! Folding of text: equal where two texts differ in nothing but case.

/// A text to compare and search by, without regard to case in any script.
///
/// Through upper case and back, sign by sign, as in Unicode's full case folding: `ß` reads as `ss`, and a
/// `ς` at the end of a word as any other `σ`.
pub fn fold(text: &str) -> String {
    text.chars().flat_map(char::to_uppercase).flat_map(char::to_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_meet_without_regard_to_case() {
        for (one, other) in
            [("Straße", "STRASSE"), ("ΟΔΟΣ", "οδος"), ("ÉTÉ", "été"), ("ДАННЫЕ", "данные"), ("ﬁne", "FINE")]
        {
            assert_eq!(fold(one), fold(other), "{one}");
        }
        assert!(fold("Größe je Host").contains(&fold("GRÖSSE")));
        assert_eq!(fold("a\u{301} 10 %"), "a\u{301} 10 %");
    }
}
