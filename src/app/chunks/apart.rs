//! Chunks as files of their own, fetched when they are asked for.

use leptos::wasm_split::{SplitLoaderError, wasm_split};

use crate::app::chunks::{ShowContent, ShowPage, ShowPart, show_part};
use crate::app::pages as every;
use crate::app::widgets;

/// Nothing: it is fetched.
pub const fn at_once() -> Option<ShowPart> {
    None
}

/// Nothing: it is fetched.
pub const fn contents_at_once() -> Option<ShowContent> {
    None
}

/// `None` where it could not be fetched.
pub async fn contents() -> Option<ShowContent> {
    contents_chunk().await.ok()
}

/// `None` where it could not be fetched.
pub async fn parts() -> Option<ShowPart> {
    parts_chunk().await.ok()
}

/// `None` where it could not be fetched.
pub async fn pages() -> Option<ShowPage> {
    pages_chunk().await.ok()
}

#[wasm_split(parts, wasm_split_path = ::leptos::wasm_split, fallible)]
fn parts_chunk() -> Result<ShowPart, SplitLoaderError> {
    Ok(show_part)
}

#[wasm_split(pages, wasm_split_path = ::leptos::wasm_split, fallible)]
fn pages_chunk() -> Result<ShowPage, SplitLoaderError> {
    Ok(every::any)
}

#[wasm_split(contents, wasm_split_path = ::leptos::wasm_split, fallible)]
fn contents_chunk() -> Result<ShowContent, SplitLoaderError> {
    Ok(widgets::apart)
}
