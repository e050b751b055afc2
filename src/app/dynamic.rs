//! Reactive parts of a view: memos, effects, lists.
//!
//! Leptos makes an instance of its machinery for each closure that it is given. Here the closure goes
//! into a box first, so that there is one for each type of value: the page is a good deal lighter.

use std::sync::Arc;

use leptos::prelude::*;

/// A value computed from signals; its readers hear of it only when it is another one.
pub fn memo<T>(value: impl Fn() -> T + Send + Sync + 'static) -> Memo<T>
where
    T: PartialEq + Send + Sync + 'static,
{
    fn boxed<T: PartialEq + Send + Sync + 'static>(value: Box<dyn Fn() -> T + Send + Sync>) -> Memo<T> {
        Memo::new(move |_| value())
    }
    boxed(Box::new(value))
}

/// A value computed from signals whenever it is read.
pub fn derived<T: Send + Sync + 'static>(value: impl Fn() -> T + Send + Sync + 'static) -> Signal<T> {
    fn boxed<T: Send + Sync + 'static>(value: Box<dyn Fn() -> T + Send + Sync>) -> Signal<T> {
        Signal::derive(value)
    }
    boxed(Box::new(value))
}

/// Runs when the page is there, and again when a signal that it read changes.
pub fn effect(run: impl FnMut() + 'static) {
    fn boxed(mut run: Box<dyn FnMut()>) {
        Effect::new(move |_: Option<()>| run());
    }
    boxed(Box::new(run));
}

/// A part of a view that is made anew when a signal that it reads changes.
pub fn live<V: IntoAny>(part: impl Fn() -> V + Send + 'static) -> AnyView {
    fn boxed(part: Box<dyn Fn() -> AnyView + Send>) -> AnyView {
        part.into_any()
    }
    boxed(Box::new(move || part().into_any()))
}

/// What an attribute says, a class or a style: set anew when a signal that it reads changes.
pub fn attr<T: 'static>(value: impl Fn() -> T + Send + Sync + 'static) -> Arc<dyn Fn() -> T + Send + Sync> {
    Arc::new(value)
}

/// One thing of a list: its key, and what shows it.
type Entry = (String, Box<dyn FnOnce() -> AnyView + Send>);

/// A list whose elements stay as they are while the things before and after them come, go and move.
/// No two things have the same key.
pub fn each<T, K, V>(
    things: impl Fn() -> Vec<T> + Send + Sync + 'static,
    key: impl Fn(&T) -> K + Send + Sync + 'static,
    view: impl Fn(T) -> V + Send + Sync + 'static,
) -> AnyView
where
    T: Send + 'static,
    K: ToString,
    V: IntoAny + 'static,
{
    fn boxed(entries: Box<dyn Fn() -> Vec<Entry> + Send + Sync>) -> AnyView {
        view! { <For each=entries key=|entry| entry.0.clone() children=|entry: Entry| (entry.1)()/> }
            .into_any()
    }
    let view = Arc::new(view);
    boxed(Box::new(move || {
        let entry = |thing: T| -> Entry {
            let (key, view) = (key(&thing).to_string(), view.clone());
            (key, Box::new(move || view(thing).into_any()))
        };
        things().into_iter().map(entry).collect()
    }))
}
