//! Fields of all pages, by which a browser reads the page that it is on: one reader for all pages is a fraction of a
//! reader for each.

use serde::Deserialize;
use serde_json::Value;

use super::Page;
use super::unread::Unread;
use crate::dashboard::{Dashboard, DashboardId};

#[derive(Deserialize)]
pub struct PageFields {
    page: String,
    id: Option<DashboardId>,
    #[serde(default)]
    epoch: String,
    #[serde(default)]
    revision: u64,
    token: Option<String>,
    dashboard: Option<Dashboard>,
    #[serde(default)]
    title: String,
    #[serde(default)]
    what: String,
    #[serde(default)]
    why: String,
    #[serde(default)]
    code: String,
    #[serde(default)]
    list: Value,
    #[serde(default)]
    filter: Value,
    #[serde(default)]
    bin: Value,
    #[serde(default)]
    entry: Value,
    #[serde(default)]
    server: Value,
    #[serde(default)]
    account: Value,
    #[serde(default)]
    teams: Value,
    #[serde(default)]
    people: Value,
    #[serde(default)]
    log: Value,
    #[serde(default)]
    audited: Value,
}

impl TryFrom<PageFields> for Page {
    type Error = &'static str;

    fn try_from(fields: PageFields) -> Result<Self, Self::Error> {
        let PageFields { page, id, epoch, revision, token, dashboard, title, what, why, code, .. } = fields;
        let PageFields { list, filter, bin, entry, server, account, teams, people, log, audited, .. } =
            fields;
        Ok(match page.as_str() {
            "dashboard" => Self::Dashboard {
                id: id.ok_or("a dashboard without an id")?,
                epoch,
                revision,
                token,
                dashboard: dashboard.ok_or("a dashboard without its content")?,
            },
            "large_dashboard" => Self::LargeDashboard { id: id.ok_or("a dashboard without an id")?, title },
            "dashboards" => Self::Dashboards { list: Unread::json(list), filter: Unread::json(filter) },
            "bin" => Self::Bin { bin: Unread::json(bin) },
            "in_bin" => Self::InBin { title, entry: Unread::json(entry) },
            "status" => Self::Status { server: Unread::json(server) },
            "account" => Self::Account { account: Unread::json(account) },
            "screens" => Self::Screens { teams: Unread::json(teams), code },
            "admin" => Self::Admin { people: Unread::json(people) },
            "audit" => Self::Audit {
                log: Unread::json(log),
                filter: Unread::json(filter),
                audited: Unread::json(audited),
            },
            "offline" => Self::Offline,
            "refused" => Self::Refused { why },
            "not_found" => Self::NotFound { what },
            "failed" => Self::Failed { why },
            _ => return Err("a page that this build does not know"),
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_page_reads_as_it_was_written() {
        let id = || DashboardId::new("d").expect("an id");
        let (one, two, three) = (json!({ "one": 1 }), json!([2]), json!("three"));
        let text = || "text".to_owned();
        let all = [
            Page::Dashboards { list: Unread::json(one.clone()), filter: Unread::json(two.clone()) },
            Page::Bin { bin: Unread::json(one.clone()) },
            Page::Dashboard {
                id: id(),
                epoch: "e".to_owned(),
                revision: 7,
                token: Some(text()),
                dashboard: Dashboard::new("Orders"),
            },
            Page::LargeDashboard { id: id(), title: text() },
            Page::InBin { title: text(), entry: Unread::json(one.clone()) },
            Page::Status { server: Unread::json(one.clone()) },
            Page::Account { account: Unread::json(one.clone()) },
            Page::Screens { teams: Unread::json(two.clone()), code: text() },
            Page::Admin { people: Unread::json(one.clone()) },
            Page::Audit { log: Unread::json(one), filter: Unread::json(two), audited: Unread::json(three) },
            Page::Offline,
            Page::Refused { why: text() },
            Page::NotFound { what: text() },
            Page::Failed { why: text() },
        ];
        for page in all {
            let written = serde_json::to_string(&page).expect("page data has string keys only");
            assert_eq!(serde_json::from_str::<Page>(&written).expect("reads"), page, "{written}");
        }
        for broken in [json!({ "page": "dashboard", "id": "d" }), json!({ "page": "nowhere" }), json!({})] {
            assert!(serde_json::from_value::<Page>(broken).is_err());
        }
    }
}
