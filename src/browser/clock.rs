//! Time and randomness, which the pure core must be told.

use leptos::prelude::window;

use crate::app;

/// Milliseconds that never go back, for waits and latencies.
pub fn monotonic_ms() -> u64 {
    app::elapsed_ms().map_or_else(wall_ms, |elapsed| elapsed as u64)
}

/// Unix milliseconds by this device's clock, for people.
pub fn wall_ms() -> u64 {
    js_sys::Date::now() as u64
}

/// 64 random bits.
pub fn random() -> u64 {
    let mut bytes = [0u8; 8];
    match getrandom::fill(&mut bytes) {
        Ok(()) => u64::from_le_bytes(bytes),
        // Without the browser's source the waits still spread: no two clocks agree this closely.
        Err(_) => (js_sys::Math::random() * u64::MAX as f64) as u64,
    }
}

/// A random string of 128 bits in hex, for a tab's secret.
pub fn random_id() -> String {
    format!("{:016x}{:016x}", random(), random())
}

/// Waits.
pub async fn sleep(ms: i32) {
    let waited = js_sys::Promise::new(&mut |done, _| {
        // Without a timer there is no wait.
        if window().set_timeout_with_callback_and_timeout_and_arguments_0(&done, ms).is_err() {
            let _ = done.call0(&wasm_bindgen::JsValue::UNDEFINED);
        }
    });
    // A wait cannot fail.
    let _ = wasm_bindgen_futures::JsFuture::from(waited).await;
}
