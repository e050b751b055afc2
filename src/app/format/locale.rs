//! Numbers as the viewer's own browser writes them, once the page is awake. The server, and a page until
//! then, write them the English way, so that both render the same thing.

use std::cell::RefCell;

use js_sys::{Function, Intl, Object, Reflect};
use leptos::prelude::*;
use leptos::reactive::graph::Observer;

/// Digits after the point of a format: labels of an axis may need all that a number has.
const MAX_PLACES: usize = 15;

/// The formats of one browser by their digits after the point, made when they are first asked for.
#[derive(Default)]
struct Locale {
    awake: bool,
    formats: [Option<Function>; MAX_PLACES + 1],
    /// Wakes what wrote numbers before the page was awake.
    changed: ArcTrigger,
}

thread_local! {
    /// `None` on the server.
    static LOCALE: RefCell<Option<Locale>> = const { RefCell::new(None) };
}

/// Prepares for [`follow`]. Called in a browser before the page is made.
pub fn begin() {
    LOCALE.set(Some(Locale::default()));
}

/// Goes over to the viewer's own way of writing numbers. Does nothing where [`begin`] was not called.
pub fn follow() {
    let changed = LOCALE.with_borrow_mut(|locale| {
        let locale = locale.as_mut()?;
        locale.awake = true;
        Some(locale.changed.clone())
    });
    if let Some(changed) = changed {
        changed.notify();
    }
}

/// A number with so many digits after the point; `None` where it is written the English way.
pub fn digits(value: f64, places: usize) -> Option<String> {
    LOCALE.with_borrow_mut(|locale| {
        let locale = locale.as_mut()?;
        if !locale.awake {
            if Observer::get().is_some() {
                locale.changed.track();
            }
            return None;
        }
        let format = locale.formats.get_mut(places)?;
        if format.is_none() {
            *format = made(places);
        }
        format.as_ref()?.call1(&wasm_bindgen::JsValue::NULL, &value.into()).ok()?.as_string()
    })
}

fn made(places: usize) -> Option<Function> {
    let options = Object::new();
    for name in ["minimumFractionDigits", "maximumFractionDigits"] {
        Reflect::set(&options, &name.into(), &(places as f64).into()).ok()?;
    }
    Some(Intl::NumberFormat::new(&js_sys::Array::new(), &options).format())
}
