//! One file per page.

mod dashboard;
mod dashboards;
mod not_found;
mod status;

pub use dashboard::DashboardPage;
pub use dashboards::Dashboards;
pub use not_found::NotFound;
pub use status::Status;
