//! QR codes: addresses that a camera reads.

use qrcode::render::svg::Color;
use qrcode::{EcLevel, QrCode};

/// Pixels of a side at the least; a page makes it as large as it likes.
const SIDE_PX: u32 = 200;

/// A text as a QR code, an SVG element, dark on light in every theme: cameras want it so. `None` for a text that is too
/// long for one.
pub fn svg(text: &str) -> Option<String> {
    let code = QrCode::with_error_correction_level(text, EcLevel::M).ok()?;
    let drawn = code
        .render::<Color>()
        .min_dimensions(SIDE_PX, SIDE_PX)
        .dark_color(Color("#14181f"))
        .light_color(Color("#ffffff"))
        .build();
    // What comes before is of a file of its own, not of an element in a page.
    drawn.find("<svg").map(|at| drawn[at..].to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_becomes_one_element_and_a_book_none() {
        let drawn = svg("https://wall.example.com/screens?code=K7M2QX").expect("is short");
        assert!(drawn.starts_with("<svg ") && drawn.ends_with("</svg>"), "{drawn:.40}");
        assert_ne!(svg("https://wall.example.com/screens?code=K7M2QY"), Some(drawn));
        assert_eq!(svg(&"long ".repeat(1_000)), None);
    }
}
