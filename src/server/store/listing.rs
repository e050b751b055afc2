//! Listings of dashboards and of the bin, and the queries for them.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};

use crate::dashboard::{DashboardId, User, UserId};
use crate::server::access::directory::TeamId;

/// Favourites of one person: more than anybody finds again, and nobody fills the disk with them.
pub const MAX_FAVOURITES: usize = 1_000;
/// Favourites of all: whoever drops their cookie is somebody new, so the bound of each bounds nothing.
pub const MAX_ALL_FAVOURITES: usize = 500_000;
/// Tags that are counted for the list: what one menu can hold.
pub const MAX_COUNTED_TAGS: usize = 100;
/// Characters of a cursor: an id and the longest title, folded and in base64.
const MAX_CURSOR: usize = 8 * 1024;

/// What the list of dashboards shows of one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listing {
    pub title: String,
    pub widgets: usize,
    /// Unix milliseconds.
    pub changed_at: u64,
    /// `None` where nobody has changed it yet.
    pub changed_by: Option<User>,
    /// Its [`outline`](crate::dashboard::Dashboard::outline) as JSON; `None` where it is not known yet.
    pub outline: Option<Arc<str>>,
    pub tags: Vec<String>,
}

/// A dashboard in the list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    pub id: DashboardId,
    pub revision: u64,
    pub listing: Listing,
    /// True where whoever asked marked it.
    pub favourite: bool,
}

/// What the list is in the order of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Order {
    /// The one that changed last first.
    #[default]
    Changed,
    /// By title, without regard to case.
    Title,
}

/// Whose dashboards are listed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Reader {
    /// All, as on a server without accounts.
    #[default]
    Anyone,
    /// None.
    Nobody,
    /// Those on which an account has a role; of the bin those that it owns.
    Account(UserId),
    /// Those that a team owns; none of the bin.
    Team(TeamId),
    /// Those of a team on which an account has a role; none of the bin.
    Token { account: UserId, team: TeamId },
}

/// Which part of the list is asked for.
#[derive(Clone, Debug, Default)]
pub struct ListQuery {
    pub reader: Reader,
    /// What titles have in them, [folded](crate::dashboard::fold::fold); empty for all.
    pub search: String,
    pub order: Order,
    /// Only those with this tag.
    pub tag: Option<String>,
    /// Only those that this team owns.
    pub team: Option<TeamId>,
    /// Whose favourites are marked.
    pub user: Option<UserId>,
    /// Only these favourites.
    pub favourites: bool,
    /// Only what comes after this place.
    pub after: Option<Cursor>,
    pub limit: usize,
}

/// A part of the list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ListPage {
    pub dashboards: Vec<Listed>,
    /// After which place the rest comes; `None` where there is none.
    pub next: Option<Cursor>,
    /// How many match in all.
    pub total: usize,
    /// At most [`MAX_COUNTED_TAGS`] tags of all dashboards with how many have each, the most used first.
    pub tags: Vec<(String, usize)>,
}

/// A place in the list or in the bin: the key of what stands there, so that it is found again whatever came or
/// went meanwhile.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cursor {
    Changed(u64, DashboardId),
    /// The title is folded.
    Title(String, DashboardId),
    Deleted(u64, DashboardId),
}

impl Cursor {
    /// As a text without meaning to others, for an address.
    pub fn encode(&self) -> String {
        let json = serde_json::to_vec(self).expect("texts and numbers are JSON");
        URL_SAFE_NO_PAD.encode(json)
    }

    /// `None` where the text is not of [`Cursor::encode`].
    pub fn decode(text: &str) -> Option<Self> {
        let json = URL_SAFE_NO_PAD.decode(Some(text).filter(|text| text.len() <= MAX_CURSOR)?).ok()?;
        serde_json::from_slice(&json).ok()
    }

    /// True where it is of a list in this order.
    pub fn is_of(&self, order: Order) -> bool {
        matches!((self, order), (Self::Changed(..), Order::Changed) | (Self::Title(..), Order::Title))
    }
}

/// When a dashboard came into the bin, and by whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deletion {
    /// Unix milliseconds.
    pub at: u64,
    pub by: Option<User>,
}

/// A dashboard in the bin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Binned {
    pub id: DashboardId,
    pub listing: Listing,
    pub deletion: Deletion,
}

/// A part of the bin, the one that was deleted last first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BinPage {
    pub dashboards: Vec<Binned>,
    pub next: Option<Cursor>,
    /// How many are in the bin.
    pub total: usize,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_comes_back_as_it_went() {
        let id = DashboardId::new("d1").expect("an id");
        let longest = "\u{390}".repeat(200);
        for cursor in [
            Cursor::Changed(7, id.clone()),
            Cursor::Title(crate::dashboard::fold::fold(&longest), id.clone()),
            Cursor::Deleted(u64::MAX, id),
        ] {
            let text = cursor.encode();
            assert!(text.len() <= MAX_CURSOR, "{}", text.len());
            assert_eq!(Cursor::decode(&text), Some(cursor));
        }
        for bad in ["", "x", "e30", &"e".repeat(MAX_CURSOR + 1)] {
            assert_eq!(Cursor::decode(bad), None, "{bad}");
        }
    }
}
