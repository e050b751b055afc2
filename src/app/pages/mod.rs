//! One file per page.

mod dashboard;
mod dashboards;
mod failed;
mod not_found;
mod offline;
mod status;

pub use dashboard::DashboardPage;
pub use dashboards::Dashboards;
pub use failed::Failed;
pub use not_found::NotFound;
pub use offline::Offline;
pub use status::Status;
