//! Calls to the browser beyond the reactive view: time, ids, requests, focus.
//!
//! Called in event handlers and effects only, so the server compiles it and never runs it.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use crate::app::address;
use crate::app::dynamic::effect;
use leptos::prelude::*;
use wasm_bindgen::prelude::Closure;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{
    Element, HtmlAnchorElement, HtmlDocument, HtmlElement, HtmlInputElement, IntersectionObserver,
    IntersectionObserverEntry, Performance, PointerEvent,
};

/// Unix milliseconds by this browser's clock.
pub fn now_ms() -> u64 {
    js_sys::Date::now() as u64
}

/// Milliseconds since the page began, which never go back; `None` in a browser without such a clock.
pub fn elapsed_ms() -> Option<f64> {
    thread_local! {
        /// To ask the window for it takes longer than to ask it for the time.
        static CLOCK: Option<Performance> = window().performance();
    }
    CLOCK.with(|clock| clock.as_ref().map(Performance::now))
}

/// An id of 128 random bits from the browser's cryptographic source.
pub fn random_id() -> String {
    use base64::Engine;
    let mut bytes = [0u8; 16];
    window()
        .crypto()
        .and_then(|crypto| crypto.get_random_values_with_u8_array(&mut bytes))
        .expect("every browser that runs WebAssembly has a random source");
    base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(bytes)
}

/// Fetches a file at a path of this server to the person's downloads.
pub fn download(path: &str) {
    let link = document().create_element("a").ok().and_then(|link| link.dyn_into::<HtmlAnchorElement>().ok());
    if let Some(link) = link {
        link.set_href(&address::to(path));
        // Its name is the server's to say.
        link.set_download("");
        link.click();
    }
}

/// Goes to another page of this server.
pub fn go(path: &str) {
    // A browser that refuses to navigate leaves the person where they are, with the link still there.
    let _ = window().location().assign(&address::to(path));
}

/// Goes to another page of this server in place of this one: no way leads back here.
pub fn go_instead(path: &str) {
    // A browser that refuses to navigate leaves the page as it is.
    let _ = window().location().replace(&address::to(path));
}

/// Gives this page the address of another path of this server, without going there.
pub fn replace_address(path: &str) {
    let history = js_sys::Reflect::get(&window(), &"history".into()).unwrap_or_default();
    let replace = js_sys::Reflect::get(&history, &"replaceState".into()).unwrap_or_default();
    if let Ok(replace) = replace.dyn_into::<js_sys::Function>() {
        // A browser that is asked too often keeps the address before.
        let _ = replace.call3(&history, &JsValue::NULL, &"".into(), &address::to(path).into());
    }
}

/// What a cookie says that this page may read.
pub fn cookie(name: &str) -> Option<String> {
    let name = address::name(name);
    let cookies = document().unchecked_into::<HtmlDocument>().cookie().ok()?;
    let mut pairs = cookies.split(';').filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(found, _)| *found == name).map(|(_, value)| value.to_owned())
}

/// Sets a cookie that lives for a year; `None` removes it.
pub fn set_cookie(name: &str, value: Option<&str>) {
    const YEAR_S: u32 = 365 * 24 * 3600;
    let (value, age) = value.map_or(("", 0), |value| (value, YEAR_S));
    let name = address::name(name);
    let cookie = format!("{name}={value}; path={}; max-age={age}; samesite=lax", address::to("/"));
    // A browser without cookies forgets the choice with the page.
    let _ = js_sys::Reflect::set(&document(), &"cookie".into(), &cookie.into());
}

/// A text in small letters of any script. The browser's tables for that need not come with the page.
pub fn in_small_letters(text: &str) -> String {
    js_sys::JsString::from(text).to_lower_case().into()
}

/// Puts a text on the clipboard, and says whether that worked. Over plain HTTP there is no clipboard.
pub fn copy(text: &str, then: impl FnOnce(bool) + 'static) {
    let navigator = window().navigator();
    let there = js_sys::Reflect::get(&navigator, &"clipboard".into()).is_ok_and(|found| found.is_object());
    if !there {
        then(false);
        return;
    }
    let written = navigator.clipboard().write_text(text);
    leptos::task::spawn_local(async move { then(JsFuture::from(written).await.is_ok()) });
}

/// Selects the text of an element, for a key to copy it, and unfolds what it is folded into.
pub fn unfold_and_select(id: &str) {
    let Some(element) = by_id(id) else { return };
    if let Ok(Some(details)) = element.closest("details") {
        // Every browser takes this attribute.
        let _ = details.set_attribute("open", "");
    }
    if let Ok(Some(selection)) = window().get_selection() {
        // Nothing is selected where the element has gone in between.
        let _ = selection.select_all_children(&element);
    }
}

/// True while the page is on screen.
pub fn visible() -> bool {
    document().visibility_state() == web_sys::VisibilityState::Visible
}

/// Pixels of the page that show at once, from top to bottom.
pub fn window_height() -> f64 {
    window().inner_height().ok().and_then(|height| height.as_f64()).unwrap_or(f64::MAX)
}

/// How far the page is scrolled down, in pixels.
pub fn scrolled() -> f64 {
    window().scroll_y().unwrap_or(0.0)
}

/// True for people who asked for less motion.
pub fn less_motion() -> bool {
    matches!(window().match_media("(prefers-reduced-motion: reduce)"), Ok(Some(query)) if query.matches())
}

/// True below the width at which the grid becomes one column.
pub fn narrow() -> bool {
    matches!(window().match_media("(max-width: 640px)"), Ok(Some(query)) if query.matches())
}

/// The element that has the keyboard, if one has.
pub fn focused() -> Option<Element> {
    document().active_element()
}

/// True where keys mean text.
pub fn takes_text(element: &Element) -> bool {
    matches!(element.tag_name().as_str(), "INPUT" | "TEXTAREA" | "SELECT")
}

/// True for an event on something where keys mean text.
pub fn on_text(event: &web_sys::Event) -> bool {
    let target: Option<Element> = event.target().and_then(|target| target.dyn_into().ok());
    target.is_some_and(|target| takes_text(&target))
}

/// True while a dialog has the page to itself.
pub fn dialog_is_open() -> bool {
    matches!(document().query_selector("dialog[open]"), Ok(Some(_)))
}

/// True while some text of the page is selected.
pub fn text_is_selected() -> bool {
    let selection = window().get_selection().ok().flatten();
    selection.is_some_and(|selection| !selection.is_collapsed())
}

/// True while no element of the page has the keyboard, as after the one that had it went.
pub fn nothing_focused() -> bool {
    focused().is_none_or(|focused| focused.tag_name() == "BODY")
}

/// True where somebody has the keyboard in an element of this selector, and sees that they have.
pub fn is_keyed_within(selector: &str) -> bool {
    matches!(document().query_selector(&format!("{selector} :focus-visible")), Ok(Some(_)))
}

/// True where something of what stands from one element to another is on the screen.
pub fn is_on_screen(first: &str, last: &str) -> bool {
    let [Some(first), Some(last)] = [by_id(first), by_id(last)] else { return false };
    let (top, bottom) = (first.get_bounding_client_rect().top(), last.get_bounding_client_rect().bottom());
    top < window_height() && bottom > 0.0
}

/// Gives an element the keyboard once the DOM shows the present state. What has gone by then needs none.
pub fn focus_soon(id: &str) {
    let id = id.to_owned();
    soon(move || {
        if let Some(element) = by_id(&id) {
            focus_quietly(&element);
        }
    });
}

/// The element with an id, as one that takes focus.
pub fn by_id(id: &str) -> Option<HtmlElement> {
    document().get_element_by_id(id).and_then(|element| element.dyn_into().ok())
}

/// Gives an input the keyboard with everything in it selected.
pub fn focus_and_select(input: &HtmlInputElement) {
    // Focus fails only on what is not in the document any more.
    let _ = input.focus();
    input.select();
}

/// Gives the keyboard to what comes after an element, or before it, within what holds the keyboard together:
/// round and round.
pub fn focus_next(from: &Element, back: bool) {
    const TAKES: &str = "a[href], button:not(:disabled), input:not(:disabled), select:not(:disabled), \
        textarea:not(:disabled), [tabindex='0']";
    let holder = from.closest("dialog[open], [data-popup] .panel, aside").ok().flatten();
    let Some(holder) = holder.or_else(|| document().document_element()) else { return };
    let Ok(all) = holder.query_selector_all(TAKES) else { return };
    let all = (0..all.length()).filter_map(|n| all.get(n)?.dyn_into::<HtmlElement>().ok());
    let all: Vec<HtmlElement> = all.filter(|one| one.offset_width() > 0).collect();
    let here = all.iter().position(|one| one.is_same_node(Some(from)));
    let next = match (here, back) {
        (None, _) => 0,
        (Some(at), false) => at + 1,
        (Some(at), true) => at + all.len() - 1,
    };
    if let Some(next) = all.get(next % all.len().max(1)) {
        // Focus fails only on what is not in the document any more.
        let _ = next.focus();
    }
}

/// Listens on the window for as long as the caller's owner lives; nothing on the server.
pub fn on_window<E>(event: E, then: impl Fn(E::EventType) + 'static)
where
    E: leptos::ev::EventDescriptor + 'static,
    E::EventType: JsCast,
{
    let mut once = Some((event, then));
    effect(move || {
        if let Some((event, then)) = once.take() {
            let listener = window_event_listener(event, then);
            on_cleanup(move || listener.remove());
        }
    });
}

/// Takes keys before anything on the page does, for the life of the page; nothing on the server.
pub fn on_keys_first(then: impl Fn(&web_sys::KeyboardEvent) + 'static) {
    on_first("keydown", move |event| then(event.unchecked_ref()));
}

/// Takes events before anything on the page does, for the life of the page; nothing on the server.
pub fn on_first(name: &'static str, then: impl Fn(&web_sys::Event) + 'static) {
    let mut once = Some(then);
    effect(move || {
        let Some(then) = once.take() else { return };
        let happened = Closure::<dyn Fn(web_sys::Event)>::new(move |event| then(&event));
        let listener = happened.as_ref().unchecked_ref();
        // A browser without such an event does not tell of any.
        let _ = window().add_event_listener_with_callback_and_bool(name, listener, true);
        happened.forget();
    });
}

/// Does something again and again while the page is on screen; nothing on the server.
pub fn every(pause: Duration, then: impl Fn() + 'static) {
    let mut once = Some(then);
    effect(move || {
        let Some(then) = once.take() else { return };
        let tick = move || {
            if visible() {
                then();
            }
        };
        if let Ok(tick) = set_interval_with_handle(tick, pause) {
            on_cleanup(move || tick.clear());
        }
    });
}

/// Does something whenever the page comes on screen again; nothing on the server.
pub fn when_visible(then: impl Fn() + 'static) {
    let mut once = Some(then);
    effect(move || {
        let Some(then) = once.take() else { return };
        let listener = window_event_listener_untyped("visibilitychange", move |_| {
            if visible() {
                then();
            }
        });
        on_cleanup(move || listener.remove());
    });
}

/// Does something after the DOM shows the present state.
pub fn soon(then: impl FnOnce() + 'static) {
    request_animation_frame(then);
}

/// What a tracked pointer did.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Step {
    /// Where it is, in CSS pixels of the window as it was scrolled at the start.
    Move {
        x: f64,
        y: f64,
    },
    End,
    /// The browser took the pointer, or Esc was pressed.
    Cancel,
}

/// Follows a pointer from its press to its end, wherever it goes; near the window's upper and lower edge
/// the page scrolls along.
pub fn track_pointer(press: &PointerEvent, then: impl FnMut(Step) + 'static) {
    let pointer = press.pointer_id();
    let from_y = scrolled();
    let then = Rc::new(RefCell::new(then));
    let listeners: Rc<RefCell<Vec<WindowListenerHandle>>> = Rc::default();
    let end = {
        let (then, listeners) = (then.clone(), listeners.clone());
        move |step: Step| {
            let listeners = std::mem::take(&mut *listeners.borrow_mut());
            if !listeners.is_empty() {
                (then.borrow_mut())(step);
            }
            listeners.into_iter().for_each(WindowListenerHandle::remove);
        }
    };
    let moved = window_event_listener(leptos::ev::pointermove, move |event| {
        if event.pointer_id() == pointer {
            scroll_at_edge(f64::from(event.client_y()));
            let gone = scrolled() - from_y;
            let (x, y) = (f64::from(event.client_x()), f64::from(event.client_y()) + gone);
            (then.borrow_mut())(Step::Move { x, y });
        }
    });
    let (up, cancel, escape) = (end.clone(), end.clone(), end);
    let up = window_event_listener(leptos::ev::pointerup, move |event| {
        if event.pointer_id() == pointer {
            up(Step::End);
        }
    });
    let cancel = window_event_listener(leptos::ev::pointercancel, move |event| {
        if event.pointer_id() == pointer {
            cancel(Step::Cancel);
        }
    });
    let escape = window_event_listener(leptos::ev::keydown, move |event| {
        if event.key() == "Escape" {
            escape(Step::Cancel);
        }
    });
    listeners.borrow_mut().extend([moved, up, cancel, escape]);
}

fn scroll_at_edge(y: f64) {
    const EDGE_PX: f64 = 56.0;
    const STEP_PX: f64 = 14.0;
    let height = window_height();
    if y < EDGE_PX {
        window().scroll_by_with_x_and_y(0.0, -STEP_PX);
    } else if y > height - EDGE_PX {
        window().scroll_by_with_x_and_y(0.0, STEP_PX);
    }
}

/// Scrolls an element into the middle of the screen, softly where motion is welcome.
pub fn bring_into_view(id: &str) {
    let Some(element) = by_id(id) else { return };
    let options = web_sys::ScrollIntoViewOptions::new();
    options.set_block(web_sys::ScrollLogicalPosition::Center);
    options.set_behavior(if less_motion() {
        web_sys::ScrollBehavior::Auto
    } else {
        web_sys::ScrollBehavior::Smooth
    });
    element.scroll_into_view_with_scroll_into_view_options(&options);
}

/// Scrolls an element just into view within what scrolls around it.
pub fn keep_in_view(id: &str) {
    let Some(element) = by_id(id) else { return };
    let options = web_sys::ScrollIntoViewOptions::new();
    options.set_block(web_sys::ScrollLogicalPosition::Nearest);
    element.scroll_into_view_with_scroll_into_view_options(&options);
}

/// Scrolls the page to its begin.
pub fn to_top() {
    window().scroll_to_with_x_and_y(0.0, 0.0);
}

/// Scrolls the page to so many pixels from its begin, softly where motion is welcome.
pub fn scroll_softly(top: f64) {
    const THERE_PX: f64 = 1.0;
    if (scrolled() - top).abs() <= THERE_PX {
        return;
    }
    let options = web_sys::ScrollToOptions::new();
    options.set_top(top);
    options.set_behavior(if less_motion() {
        web_sys::ScrollBehavior::Auto
    } else {
        web_sys::ScrollBehavior::Smooth
    });
    window().scroll_to_with_scroll_to_options(&options);
}

/// Gives an element the keyboard without scrolling to it.
pub fn focus_quietly(element: &HtmlElement) {
    let options = web_sys::FocusOptions::new();
    options.set_prevent_scroll(true);
    // Focus fails only on what is not in the document any more.
    let _ = element.focus_with_options(&options);
}

/// Loads the page anew.
pub fn reload() {
    // A browser that refuses leaves the page as it is, with its own button for it.
    let _ = window().location().reload();
}

/// An element that the page's one observer watches, until the owner ends that this was stored for.
struct Watched(Element);

impl Drop for Watched {
    fn drop(&mut self) {
        WATCHED.with_borrow_mut(|watched| watched.retain(|(element, _)| *element != self.0));
        OBSERVER.with(|observer| observer.iter().for_each(|observer| observer.unobserve(&self.0)));
    }
}

thread_local! {
    /// One for all: what moves on the page makes the browser ask each observer anew. `None` where the browser
    /// has none.
    static OBSERVER: Option<IntersectionObserver> = observer();
    /// Each element that is watched, with who wants to know.
    static WATCHED: RefCell<Vec<(Element, RwSignal<bool>)>> = const { RefCell::new(Vec::new()) };
}

fn observer() -> Option<IntersectionObserver> {
    /// What comes into view within the next turn of a wheel is ready before it does.
    const MARGIN: &str = "200px";
    let changed = Closure::<dyn Fn(js_sys::Array)>::new(|entries: js_sys::Array| {
        for entry in entries.iter() {
            let entry: IntersectionObserverEntry = entry.unchecked_into();
            let target = entry.target();
            let asks = |watched: &Vec<(Element, RwSignal<bool>)>| {
                watched.iter().find(|(element, _)| *element == target).map(|(_, seen)| *seen)
            };
            // The element may have gone by now, and the signal with it.
            if let Some(seen) = WATCHED.with_borrow(asks) {
                seen.try_set(entry.is_intersecting());
            }
        }
    });
    let options = web_sys::IntersectionObserverInit::new();
    options.set_root_margin(MARGIN);
    let observer = IntersectionObserver::new_with_options(changed.as_ref().unchecked_ref(), &options);
    changed.forget();
    observer.ok()
}

/// Keeps a signal true while an element is on the screen or close to it.
pub fn watch_screen(element: NodeRef<leptos::html::Div>, seen: RwSignal<bool>) {
    effect(move || {
        let Some(element) = element.get() else { return };
        OBSERVER.with(|observer| match observer {
            Some(observer) => {
                let element: Element = element.into();
                observer.observe(&element);
                WATCHED.with_borrow_mut(|watched| watched.push((element.clone(), seen)));
                StoredValue::new_local(Watched(element));
            }
            // A browser that cannot tell draws everything.
            None => seen.set(true),
        });
    });
}

/// Says whether a media query holds, now and whenever that changes, for the life of the page.
pub fn watch_media(query: &str, then: impl Fn(bool) + 'static) {
    let Ok(Some(list)) = window().match_media(query) else { return };
    then(list.matches());
    let watched = list.clone();
    let changed = Closure::<dyn Fn()>::new(move || then(watched.matches()));
    // A browser without this event keeps the first answer.
    let _ = list.add_event_listener_with_callback("change", changed.as_ref().unchecked_ref());
    changed.forget();
}

/// The value of a custom property of the page's style.
pub fn custom_property(name: &str) -> String {
    document()
        .document_element()
        .and_then(|root| window().get_computed_style(&root).ok().flatten())
        .and_then(|style| style.get_property_value(name).ok())
        .map(|value| value.trim().to_owned())
        .unwrap_or_default()
}
