//! Icons: 16 px line drawings that take the colour of their text.

use leptos::prelude::*;

use crate::app::Theme;
use crate::dashboard::Kind;

/// Which icon.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Icon {
    Plus,
    Undo,
    Redo,
    Close,
    More,
    Grip,
    Search,
    Sun,
    Moon,
    System,
    Trash,
    Pencil,
    Sliders,
    Number,
    Chart,
    Note,
    Bars,
    Gauge,
    Table,
    Checklist,
    Copy,
    Fork,
    Eye,
    Flag,
    Clock,
    Tiles,
    Download,
    Upload,
    Dollar,
    Star,
    /// A person, and room for one more.
    Share,
    Person,
    Team,
    /// A display on a wall.
    Screen,
    /// A robot's head.
    Program,
}

impl Icon {
    /// The icon of a kind of widget.
    pub const fn of(kind: Kind) -> Self {
        match kind {
            Kind::Stat => Self::Number,
            Kind::Timeseries => Self::Chart,
            Kind::Note => Self::Note,
            Kind::Bar => Self::Bars,
            Kind::Gauge => Self::Gauge,
            Kind::Table => Self::Table,
            Kind::Checklist => Self::Checklist,
        }
    }

    /// The icon of a theme; `None` follows the system.
    pub const fn of_theme(theme: Option<Theme>) -> Self {
        match theme {
            None => Self::System,
            Some(Theme::Light) => Self::Sun,
            Some(Theme::Dark) => Self::Moon,
        }
    }

    const fn path(self) -> &'static str {
        match self {
            Self::Plus => "M8 3v10M3 8h10",
            Self::Undo => "M6 3.5 3 6.5l3 3M3.2 6.5h6.3a3.5 3.5 0 0 1 0 7H7",
            Self::Redo => "m10 3.5 3 3-3 3M12.8 6.5H6.5a3.5 3.5 0 0 0 0 7H9",
            Self::Close => "m4 4 8 8M12 4l-8 8",
            Self::More => "M3.5 8h.01M8 8h.01M12.5 8h.01",
            Self::Grip => "M6 4h.01M10 4h.01M6 8h.01M10 8h.01M6 12h.01M10 12h.01",
            Self::Search => "M7 12A5 5 0 1 0 7 2a5 5 0 0 0 0 10Zm3.6-1.4L14 14",
            Self::Sun => {
                "M8 10.8a2.8 2.8 0 1 0 0-5.6 2.8 2.8 0 0 0 0 5.6ZM8 1.5v1M8 13.5v1M1.5 8h1M13.5 8h1M3.4 3.4l.7.7M11.9 11.9l.7.7M3.4 12.6l.7-.7M11.9 4.1l.7-.7"
            }
            Self::Moon => "M13.5 9.6A5.8 5.8 0 0 1 6.4 2.5a5.8 5.8 0 1 0 7.1 7.1Z",
            Self::System => "M2.5 3h11v7.5h-11zM6 13.5h4M8 10.5v3",
            Self::Trash => "M2.5 4.5h11M6 4.5V3h4v1.5M4 4.5l.6 8.5h6.8l.6-8.5M6.7 7v3.5M9.3 7v3.5",
            Self::Pencil => "m3 13 .6-2.8L10.9 3 13 5.1 5.8 12.4z",
            Self::Sliders => {
                "M2.5 5h6M12 5h1.5M2.5 11H4M7.5 11h6M10.2 6.7a1.7 1.7 0 1 0 0-3.4 1.7 1.7 0 0 0 0 3.4ZM5.8 12.7a1.7 1.7 0 1 0 0-3.4 1.7 1.7 0 0 0 0 3.4Z"
            }
            Self::Number => "M6.5 2.5 5 13.5M11 2.5 9.5 13.5M2.8 6h11M2.2 10h11",
            Self::Chart => "M2.5 2.5v11h11M4.8 10l2.7-3.2 2.2 1.8L13 4.5",
            Self::Note => "M3 3h10v7l-3 3H3zM10 13v-3h3M5.5 6h5M5.5 8.5h2.5",
            Self::Bars => "M2.5 2.5v11M5 4.5h7.5M5 8h4.5M5 11.5h6",
            Self::Gauge => "M3 12.2a6 6 0 1 1 10 0M8 9.2l2.6-3.4M8 9.2h.01",
            Self::Table => "M2.5 3h11v10h-11zM2.5 6.3h11M2.5 9.6h11M6.5 6.3V13",
            Self::Checklist => "m2.5 4.5 1.2 1.2L6 3.2M2.5 11l1.2 1.2L6 9.7M8.5 4.8h5M8.5 11.2h5",
            Self::Copy => "M5.5 5.5h8v8h-8zM3.5 10.5h-1v-8h8v1",
            Self::Fork => {
                "M4.5 5.5a1.5 1.5 0 1 0 0-3 1.5 1.5 0 0 0 0 3Zm7 0a1.5 1.5 0 1 0 0-3 1.5 1.5 0 0 0 0 3Zm-3.5 8a1.5 1.5 0 1 0 0-3 1.5 1.5 0 0 0 0 3ZM4.5 5.5c0 3 3.5 2 3.5 5 0-3 3.5-2 3.5-5"
            }
            Self::Download => "M8 2.5V10M5 7l3 3 3-3M3 13.5h10",
            Self::Upload => "M8 10V2.5M5 5.5l3-3 3 3M3 13.5h10",
            Self::Dollar => {
                "M11 5.2C10.6 4.2 9.5 3.6 8 3.6c-1.7 0-2.9.8-2.9 2.1 0 3.1 6 1.5 6 4.5 0 1.4-1.3 2.2-3.1 2.2-1.6 0-2.8-.6-3.1-1.8M8 2v12"
            }
            Self::Star => "m8 2 1.8 3.8 4.2.5-3.1 2.9.8 4.1L8 11.3l-3.7 2 .8-4.1L2 6.3l4.2-.5z",
            Self::Share => {
                "M6.5 7.5a2.5 2.5 0 1 0 0-5 2.5 2.5 0 0 0 0 5ZM2 13.5c0-2.4 1.9-4 4.5-4s4.5 1.6 4.5 4M12.5 5v4M10.5 7h4"
            }
            Self::Person => {
                "M8 7.5a2.5 2.5 0 1 0 0-5 2.5 2.5 0 0 0 0 5ZM3.5 13.5c0-2.4 1.9-4 4.5-4s4.5 1.6 4.5 4"
            }
            Self::Team => {
                "M6 7.5a2.3 2.3 0 1 0 0-4.6 2.3 2.3 0 0 0 0 4.6ZM2 13c0-2.2 1.6-3.6 4-3.6s4 1.4 4 3.6M10.3 3.2a2.2 2.2 0 0 1 0 4M11.6 9.7c1.5.4 2.4 1.6 2.4 3.3"
            }
            Self::Screen => "M2 3h12v8H2zM8 11v2.5M5 13.5h6",
            Self::Program => {
                "M3.5 5.5h9v7.5h-9zM8 5.5V3M6.2 8.4h.01M9.8 8.4h.01M6.2 10.9h3.6M1.5 8.3v2M14.5 8.3v2"
            }
            Self::Tiles => "M3 3h4v4H3zM9 3h4v4H9zM3 9h4v4H3zM9 9h4v4H9z",
            Self::Clock => "M8 14A6 6 0 1 0 8 2a6 6 0 0 0 0 12ZM8 4.8V8l2.2 1.6",
            Self::Flag => "M4 14V2.5M4 3h8l-2 2.8L12 8.6H4",
            Self::Eye => {
                "M1.5 8S4 3.5 8 3.5 14.5 8 14.5 8 12 12.5 8 12.5 1.5 8 1.5 8ZM8 10a2 2 0 1 0 0-4 2 2 0 0 0 0 4Z"
            }
        }
    }
}

/// Draws an icon. It says nothing to screen readers: its button has the label.
#[component]
pub fn Glyph(icon: Icon) -> impl IntoView {
    view! {
        <svg class="glyph" viewBox="0 0 16 16" width="16" height="16" aria-hidden="true">
            <path d=icon.path()/>
        </svg>
    }
}
