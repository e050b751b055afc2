//! The parts that pages are made of, one file each.

pub mod arranging;
pub mod people;

mod activity_list;
mod add_widget;
mod avatar;
mod collaborative_indicators;
mod command_palette;
mod commands;
mod conflict_inbox;
mod cursor_tracker;
mod dashboard_container;
mod dashboard_header;
mod dashboard_settings;
mod follow;
mod icon;
mod inspector;
mod kept_edits;
mod notices;
mod popup;
mod site_header;
mod sync_status_indicator;
mod theming;
mod toasts;
mod unsaved_edits;
mod while_away;
mod widget_container;
mod widget_title;

pub use activity_list::ActivityList;
pub use avatar::Avatar;
pub use command_palette::{CommandPalette, Palette};
pub use conflict_inbox::ConflictInbox;
pub use dashboard_container::{CANVAS, DashboardContainer, element_id};
pub use dashboard_header::DashboardHeader;
pub use follow::FollowBar;
pub use icon::{Glyph, Icon};
pub use inspector::{Inspector, Panel, Panels, SIDE, SideHead};
pub use notices::Notices;
pub use popup::{Popup, Popups};
pub use site_header::{Logo, SiteHeader};
pub use sync_status_indicator::{ServiceList, SyncStatusIndicator};
pub use theming::{ThemeToggle, Theming};
pub use toasts::Toasts;
pub use unsaved_edits::{UNSAVED, UnsavedList};
pub use while_away::WhileAway;
pub use widget_container::remove;
