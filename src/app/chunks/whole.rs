//! Chunks that are there from the start: on the server, and where the build was not split.

use crate::app::chunks::{ShowContent, ShowPage, ShowPart, show_part};
use crate::app::pages as every;
use crate::app::widgets;

/// All of it.
pub const fn at_once() -> Option<ShowPart> {
    Some(show_part)
}

/// As [`at_once`].
pub const fn contents_at_once() -> Option<ShowContent> {
    Some(widgets::apart)
}

/// As [`at_once`].
pub async fn contents() -> Option<ShowContent> {
    Some(widgets::apart)
}

/// As [`at_once`].
pub async fn parts() -> Option<ShowPart> {
    Some(show_part)
}

/// Always there.
pub async fn pages() -> Option<ShowPage> {
    Some(every::any)
}
