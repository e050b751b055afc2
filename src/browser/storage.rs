//! Storage of this device, in IndexedDB: of each dashboard the copy that the log confirmed, and of each
//! tab the changes that wait for the log.
//!
//! Whoever writes has read before, asks for all it writes at once, and ends the transaction: one that is left to
//! itself ends once nothing is asked of it.

use js_sys::{Array, Promise, Reflect};
use leptos::prelude::window;
use wasm_bindgen::prelude::{Closure, wasm_bindgen};
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::{JsFuture, future_to_promise};
use web_sys::{
    DomException, IdbDatabase, IdbKeyRange, IdbObjectStore, IdbOpenDbRequest, IdbRequest, IdbTransaction,
};

use super::account;
use super::clock::sleep;
use crate::app::address;

/// The database where nobody signs in. Each account has its own, whose name goes on with its id.
const NAME: &str = "lockstep";
/// Of what is in the database. A newer build may raise it; then older pages keep nothing any more.
const VERSION: u32 = 1;
/// A store that has not opened by then is as good as none, until it has.
const PATIENCE_MS: i32 = 2_000;
/// Dashboards that are kept. The one that was not opened for the longest goes first.
pub const MAX_DASHBOARDS: usize = 100;

/// The two stores; in both a key names what a text holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kept {
    /// By dashboard.
    Dashboards,
    /// By dashboard and client: `d1/4f...`.
    Queues,
}

/// Why this device keeps nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StorageError {
    #[error("This browser keeps edits only for pages that came over https.")]
    NotSecure,
    #[error("This browser lets the page keep nothing, as in a private window.")]
    Unavailable,
    #[error("Of guests this device keeps nothing: edits are in this tab until the server has them.")]
    Guest,
    #[error("The place that this browser has for the page is full. Free some on this device.")]
    Full,
    #[error("Another tab runs a newer build of this page. Reload this one once its edits are saved.")]
    Newer,
    #[error("The store of this browser does not answer.")]
    Silent,
    #[error("The store of this browser failed: {0}")]
    Failed(String),
}

/// One thing to write.
#[derive(Clone, Debug)]
pub struct Write {
    pub store: Kept,
    pub key: String,
    /// `None` removes it.
    pub text: Option<String>,
}

/// The open database.
#[derive(Clone, Debug)]
pub struct Storage(IdbDatabase);

#[wasm_bindgen]
extern "C" {
    type Transactions;
    /// With options, of which `web_sys` knows none.
    #[wasm_bindgen(method, catch)]
    fn transaction(
        this: &Transactions,
        stores: &Array,
        mode: &str,
        options: &JsValue,
    ) -> Result<IdbTransaction, JsValue>;

    type Ending;
    /// As the standard has it; `web_sys` has an older one by this name.
    #[wasm_bindgen(method, catch)]
    fn commit(this: &Ending) -> Result<(), JsValue>;
}

impl Kept {
    const ALL: [Self; 2] = [Self::Dashboards, Self::Queues];

    const fn name(self) -> &'static str {
        match self {
            Self::Dashboards => "dashboards",
            Self::Queues => "queues",
        }
    }
}

impl Storage {
    /// Opens the database, made where there is none.
    pub async fn open() -> Result<Self, StorageError> {
        if !is_secure() {
            return Err(StorageError::NotSecure);
        }
        let factory = window().indexed_db().ok().flatten().ok_or(StorageError::Unavailable)?;
        let request = factory.open_with_u32(&name(), VERSION).map_err(|error| failed(&error))?;
        let opening = request.clone();
        let make = Closure::once(move || make_stores(&opening));
        request.set_onupgradeneeded(Some(make.as_ref().unchecked_ref()));
        let answered = within(&settled(&request), PATIENCE_MS).await;
        // A store that opens too late is not used; it closes with the page.
        make.forget();
        if !answered {
            return Err(StorageError::Silent);
        }
        let database: IdbDatabase = result(&request)?.unchecked_into();
        let closing = database.clone();
        // Otherwise this page would keep a newer build from opening its own.
        let make_way = Closure::<dyn Fn()>::new(move || closing.close());
        database.set_onversionchange(Some(make_way.as_ref().unchecked_ref()));
        make_way.forget();
        Ok(Self(database))
    }

    /// The text under a key.
    pub async fn read(&self, store: Kept, key: &str) -> Result<Option<String>, StorageError> {
        let asked = self.store(store)?.get(&key.into());
        Ok(answer(asked).await?.as_string())
    }

    /// All texts of a store.
    pub async fn read_all(&self, store: Kept) -> Result<Vec<String>, StorageError> {
        let asked = self.store(store)?.get_all();
        Ok(strings(answer(asked).await?))
    }

    /// All keys that begin with a text, in order.
    pub async fn keys(&self, store: Kept, begin: &str) -> Result<Vec<String>, StorageError> {
        let range = IdbKeyRange::bound(&begin.into(), &format!("{begin}\u{ffff}").into());
        let range = range.map_err(|error| failed(&error))?;
        let asked = self.store(store)?.get_all_keys_with_key(&range);
        Ok(strings(answer(asked).await?))
    }

    /// Writes all or nothing, and returns when the device has it.
    pub async fn write(&self, writes: Vec<Write>) -> Result<(), StorageError> {
        let options = js_sys::Object::new();
        // A copy can be had again; a queue must be on the disk. A browser that does not know the option
        // writes as it always did.
        let strict = writes.iter().any(|write| write.store == Kept::Queues);
        let durability = if strict { "strict" } else { "relaxed" };
        let _ = Reflect::set(&options, &"durability".into(), &durability.into());
        let all: Array = Kept::ALL.iter().map(|store| JsValue::from_str(store.name())).collect();
        let transactions: &Transactions = self.0.unchecked_ref();
        let transaction =
            transactions.transaction(&all, "readwrite", &options).map_err(|error| failed(&error))?;
        for write in writes {
            let store = transaction.object_store(write.store.name()).map_err(|error| failed(&error))?;
            let key = JsValue::from_str(&write.key);
            let asked = match &write.text {
                Some(text) => store.put_with_key(&text.into(), &key),
                None => store.delete(&key),
            };
            asked.map_err(|error| failed(&error))?;
        }
        // Nothing more is asked. Left to itself, a transaction waits for the page to hear its answers, and one of a
        // page that is being left would not end well. A browser that cannot be told does it as it always did.
        let _ = transaction.unchecked_ref::<Ending>().commit();
        let done = Promise::new(&mut |done, failed| {
            transaction.set_oncomplete(Some(&done));
            transaction.set_onabort(Some(&failed));
        });
        match JsFuture::from(done).await {
            Ok(_) => Ok(()),
            Err(_) => Err(transaction.error().map_or(StorageError::Silent, |error| failed(&error))),
        }
    }

    /// A store to read from, in a transaction of its own.
    fn store(&self, store: Kept) -> Result<IdbObjectStore, StorageError> {
        let transaction = self.0.transaction_with_str(store.name());
        transaction
            .and_then(|transaction| transaction.object_store(store.name()))
            .map_err(|error| failed(&error))
    }
}

fn name() -> String {
    let of_account = account::current().map(|account| format!("{NAME}-{account}"));
    address::name(of_account.as_deref().unwrap_or(NAME))
}

/// Deletes the database with all that is in it.
pub async fn delete() {
    let factory = window().indexed_db().ok().flatten();
    if let Some(Ok(request)) = factory.map(|factory| factory.delete_database(&name())) {
        // Other tabs of this build let go of it when they hear of this.
        within(&settled(&request), PATIENCE_MS).await;
    }
}

/// Asks the browser not to clear this page's store away when it wants place. It may say no.
pub async fn ask_to_stay() {
    if let Ok(asked) = window().navigator().storage().persist() {
        let _ = JsFuture::from(asked).await;
    }
}

/// True where the browser gives a page all that it has: over https, and on the own machine.
pub fn is_secure() -> bool {
    window().is_secure_context()
}

fn make_stores(request: &IdbOpenDbRequest) {
    let Ok(database) = request.result() else { return };
    let database: IdbDatabase = database.unchecked_into();
    for store in Kept::ALL {
        // One that could not be made shows when it is used.
        let _ = database.create_object_store(store.name());
    }
}

/// Settles when a request does.
fn settled(request: &IdbRequest) -> Promise {
    Promise::new(&mut |done, failed| {
        request.set_onsuccess(Some(&done));
        request.set_onerror(Some(&failed));
    })
}

/// Waits for a promise, but not longer than this. False where that was too short; a promise that failed
/// was quick enough.
pub async fn within(promise: &Promise, ms: i32) -> bool {
    let late = future_to_promise(async move {
        sleep(ms).await;
        Ok(JsValue::NULL)
    });
    let first = JsFuture::from(Promise::race(&Array::of2(promise, &late))).await;
    first.map_or(true, |value| !value.is_null())
}

async fn answer(asked: Result<IdbRequest, JsValue>) -> Result<JsValue, StorageError> {
    let request = asked.map_err(|error| failed(&error))?;
    // Failed or not, the request says it.
    let _ = JsFuture::from(settled(&request)).await;
    result(&request)
}

fn result(request: &IdbRequest) -> Result<JsValue, StorageError> {
    match request.error() {
        Ok(Some(error)) => Err(failed(&error)),
        _ => request.result().map_err(|error| failed(&error)),
    }
}

fn strings(array: JsValue) -> Vec<String> {
    Array::from(&array).iter().filter_map(|one| one.as_string()).collect()
}

/// What a failure of the browser's means.
fn failed(error: &JsValue) -> StorageError {
    let Some(error) = error.dyn_ref::<DomException>() else {
        return StorageError::Failed("it gave no reason.".to_owned());
    };
    match error.name().as_str() {
        "QuotaExceededError" => StorageError::Full,
        "VersionError" => StorageError::Newer,
        // What is asked of a database that made way for a newer one.
        "InvalidStateError" => StorageError::Newer,
        "SecurityError" => StorageError::Unavailable,
        _ => StorageError::Failed(error.message()),
    }
}
