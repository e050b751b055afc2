//! Locks that all tabs of a browser share: who holds one is alive. The browser frees those of a tab that
//! ended, however it ended.

use std::cell::RefCell;
use std::rc::Rc;

use js_sys::{Function, Promise, Reflect};
use leptos::prelude::window;
use wasm_bindgen::prelude::{Closure, wasm_bindgen};
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::{JsFuture, spawn_local};

#[wasm_bindgen]
extern "C" {
    type LockManager;
    #[wasm_bindgen(method, catch)]
    fn request(
        this: &LockManager,
        name: &str,
        options: &JsValue,
        granted: &JsValue,
    ) -> Result<Promise, JsValue>;
}

/// A lock that this tab holds; dropping it frees it.
pub struct Lock(Function);

impl Drop for Lock {
    fn drop(&mut self) {
        // Settles the promise on which the lock stands.
        let _ = self.0.call0(&JsValue::UNDEFINED);
    }
}

/// Takes a lock if nobody has it. `None` where somebody has; an error where the browser has no locks.
pub async fn try_lock(name: &str) -> Result<Option<Lock>, JsValue> {
    let manager = Reflect::get(&window().navigator(), &"locks".into())?;
    if !manager.is_object() {
        return Err(JsValue::from_str("no locks"));
    }
    let manager: LockManager = manager.unchecked_into();
    let options = js_sys::Object::new();
    Reflect::set(&options, &"ifAvailable".into(), &JsValue::TRUE)?;
    let held: Rc<RefCell<Option<Lock>>> = Rc::default();
    let mut refused = None;
    let answered = Promise::new(&mut |answer, refuse| {
        let held = held.clone();
        // Called with the lock, or with null; the lock is held until the promise it returns settles.
        let granted = Closure::once_into_js(move |lock: JsValue| {
            let until = Promise::new(&mut |free, _| {
                if !lock.is_null() {
                    *held.borrow_mut() = Some(Lock(free));
                }
            });
            // An answer cannot fail.
            let _ = answer.call0(&JsValue::UNDEFINED);
            if lock.is_null() { JsValue::UNDEFINED } else { until.into() }
        });
        match manager.request(name, &options, &granted) {
            // Settles when the lock is free again, or before: a page that goes away gets none.
            Ok(asked) => spawn_local(async move {
                if let Err(error) = JsFuture::from(asked).await {
                    // Means nothing where the lock was granted before.
                    let _ = refuse.call1(&JsValue::UNDEFINED, &error);
                }
            }),
            Err(error) => refused = Some(error),
        }
    });
    if let Some(error) = refused {
        return Err(error);
    }
    JsFuture::from(answered).await?;
    Ok(held.take())
}
