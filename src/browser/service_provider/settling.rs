//! Resolution of pending edits that cannot be sent as they are: the dashboard is gone, or they are
//! somebody else's. They stay until a person decides.

use leptos::prelude::*;
use leptos::task::spawn_local;

use crate::app::address;
use crate::app::dashboard_store::Settle;
use crate::dashboard::{Dashboard, DashboardId, Op};
use crate::sync::protocol::Change;
use crate::sync::replica::StoredQueue;

use super::super::clock::random_id;
use super::super::device::{self, QueueRecord};
use super::super::download::save_json;
use super::super::requests;
use super::super::storage::{StorageError, Write};
use super::{ServiceProvider, Services};

const NO_COPY: &str = "The new dashboard was not made. Your edits are still here.";

impl ServiceProvider {
    /// Does what a person decided about the edits that wait.
    pub(in crate::browser) fn settle_waiting(&self, what: Settle) {
        match what {
            Settle::Export => self.export(),
            Settle::Copy => {
                let provider = self.clone();
                spawn_local(async move {
                    if let Err(reason) = provider.make_copy().await {
                        provider.0.borrow().store.toast(reason, None);
                    }
                });
            }
            Settle::SendAsMe => {
                let mut services = self.0.borrow_mut();
                services.keeping.made_by = services.user.clone();
                drop(services);
                self.keep_and_go("");
            }
            Settle::Discard => {
                let mut services = self.0.borrow_mut();
                let changes = services.replica.take_over(StoredQueue::default());
                services.store.unsaved.set(Vec::new());
                services.show(changes);
                let held = services.held.is_some();
                drop(services);
                self.keep_and_go(if held { "" } else { "/" });
            }
        }
    }

    /// Writes the queue as it is now, and then opens an address; an empty one is this page's.
    fn keep_and_go(&self, address: &'static str) {
        let record = self.0.borrow_mut().record();
        let services = self.0.borrow();
        let record = device::queue(&services.dashboard, &services.secret, &record);
        let storage = services.keeping.storage();
        drop(services);
        let provider = self.clone();
        spawn_local(async move {
            let written = match (storage, record) {
                (Some(storage), Ok(record)) => storage.write(vec![record]).await,
                _ => Ok(()),
            };
            match written {
                Ok(()) => go(address),
                Err(error) => provider.0.borrow().store.toast(error.to_string(), None),
            }
        });
    }

    /// Hands over a file with all that waits, and with the dashboard as it shows here.
    fn export(&self) {
        let record = self.0.borrow_mut().record();
        let services = self.0.borrow();
        let json = |text: serde_json::Result<String>| text.unwrap_or_else(|_| "null".to_owned());
        let text = format!(
            "{{\"dashboard\":\"{}\",\"waiting\":{},\"shows\":{}}}\n",
            services.dashboard,
            json(serde_json::to_string(&record)),
            json(serde_json::to_string(services.replica.view())),
        );
        if save_json(&format!("lockstep-{}.json", services.dashboard), &text).is_err() {
            services.store.toast("This browser did not take the file.", None);
        }
    }

    /// Makes a new dashboard of what shows here, by a queue that its page takes up, and goes there.
    async fn make_copy(&self) -> Result<(), String> {
        let (storage, title) = {
            let services = self.0.borrow();
            let storage = services.keeping.storage().ok_or_else(|| StorageError::Unavailable.to_string())?;
            (storage, services.replica.view().title.clone())
        };
        let body = serde_json::json!({ "title": title }).to_string();
        let made = requests::send("POST", "/api/v1/dashboards", &body).await.ok_or(NO_COPY)?;
        let made: serde_json::Value = serde_json::from_str(&made).map_err(|_| NO_COPY)?;
        let id = made["id"].as_str().and_then(|id| DashboardId::new(id).ok()).ok_or(NO_COPY)?;
        let secret = random_id();
        loop {
            // Only now: people go on editing while the server answers.
            let (writes, turn) = self.0.borrow_mut().moving(&id, &secret, &title).map_err(|_| NO_COPY)?;
            if let Err(error) = storage.write(writes).await {
                self.0.borrow_mut().keeping.go_on(storage);
                self.plan_keep(false);
                return Err(error.to_string());
            }
            // And while the device writes: what came meanwhile is written too.
            if self.0.borrow_mut().keeping.went_along(turn) {
                break;
            }
        }
        go(&format!("/d/{id}"));
        Ok(())
    }
}

impl Services {
    /// What moves all that is here to a queue of another dashboard, and the turn that it is of. From then
    /// on nothing more is kept of this one.
    fn moving(
        &mut self,
        id: &DashboardId,
        secret: &str,
        title: &str,
    ) -> Result<(Vec<Write>, u64), serde_json::Error> {
        let changes = as_new(self.replica.view(), title);
        let next_seq = changes.len() as u64 + 1;
        let queue = StoredQueue { changes, next_seq, ..StoredQueue::default() };
        // The unsaved edits go along; what waited is in what shows.
        let record = QueueRecord {
            user: self.user.clone(),
            queue,
            at: None,
            unsaved: self.store.unsaved.get_untracked(),
        };
        let writes = vec![device::queue(id, secret, &record)?, device::remove(&self.dashboard, &self.secret)];
        Ok((writes, self.keeping.stop()))
    }
}

/// The changes that make an empty dashboard with a title show what this one does.
fn as_new(view: &Dashboard, title: &str) -> Vec<Change> {
    let renamed = (view.title != title)
        .then(|| Op::SetDashboard { field: "title".to_owned(), value: view.title.as_str().into() });
    let settings = view
        .settings
        .iter()
        .map(|(field, value)| Op::SetDashboard { field: field.clone(), value: value.clone() });
    let widgets = view
        .widgets
        .iter()
        .map(|(id, widget)| Op::AddWidget { id: id.clone(), widget: Box::new((**widget).clone()) });
    // One op to a change: what the room does not take leaves the others alone.
    (1..)
        .zip(renamed.into_iter().chain(settings).chain(widgets))
        .map(|(seq, op)| Change { seq, base: 0, ops: vec![op], age_ms: None })
        .collect()
}

fn go(path: &str) {
    let location = window().location();
    // A browser that refuses leaves the page as it is.
    let _ = if path.is_empty() { location.reload() } else { location.assign(&address::to(path)) };
}
