//! The live figures of one room: what its widgets ask for, sent as it comes. Each distinct query stands
//! once, however many widgets ask it and however many people look.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

use super::frames::{self, Frame};
use crate::dashboard::settings::{CHOSEN, RANGE, REFRESH, VARIABLE, range};
use crate::dashboard::{Dashboard, DashboardId, Op, WidgetId};
use crate::server::data::legend;
use crate::server::data::reduced::Reduce;
use crate::server::data::sources::Sources;
use crate::server::data::standing::{Change, Delta, Following, Key, Snapshot};
use crate::server::unsent::{Charge, Unsent};
use crate::sync::protocol::{DataFrame, Series};

/// From one frame of news to the next: faster than that nobody reads figures.
const NEWS_EVERY: Duration = Duration::from_millis(200);
/// How long the first news wait for others of the same moment.
const GATHER: Duration = Duration::from_millis(15);

/// Follows the queries of one room.
pub struct Feed {
    sources: Sources,
    unsent: Unsent,
    notify: Arc<Notify>,
    /// False while nobody looks: then nothing is followed.
    awake: bool,
    widgets: BTreeMap<WidgetId, Wanted>,
    following: HashMap<Key, Following>,
    /// When the news that were told of go out.
    due: Option<Instant>,
    sent_at: Option<Instant>,
    /// Everything, encoded, for those who join before there are news.
    windows: Option<Windows>,
}

/// Everything at one moment, charged once for all who wait for it.
struct Windows {
    frame: Frame,
    charge: Weak<Charge>,
}

/// What one widget shows.
struct Wanted {
    /// `None` for a widget that asks for nothing any more, or for what cannot be asked.
    key: Option<Key>,
    legend: String,
    error: Option<String>,
    names: Vec<String>,
}

impl Feed {
    pub fn new(sources: Sources, unsent: Unsent) -> Self {
        Self {
            sources,
            unsent,
            notify: Arc::new(Notify::new()),
            awake: false,
            widgets: BTreeMap::new(),
            following: HashMap::new(),
            due: None,
            sent_at: None,
            windows: None,
        }
    }

    /// Returns when there are news, and not too soon after the last ones. Cancel safe.
    pub async fn ticked(&mut self) {
        let due = match self.due {
            Some(due) => due,
            None => {
                self.notify.notified().await;
                let soon = Instant::now() + GATHER;
                *self.due.insert(self.sent_at.map_or(soon, |sent| soon.max(sent + NEWS_EVERY)))
            }
        };
        sleep_until(due).await;
        self.due = None;
    }

    /// Nobody looks any more.
    pub fn pause(&mut self) {
        (self.awake, self.windows) = (false, None);
        self.widgets.clear();
        self.following.clear();
    }

    /// The points since the last call, for everybody in the room.
    pub fn news(&mut self) -> Vec<DataFrame> {
        self.look(false).0
    }

    /// Somebody joins: the news for those who were here, and everything for the one who comes, as of the
    /// same moment.
    pub fn join(&mut self, id: &DashboardId, dashboard: &Dashboard) -> (Vec<DataFrame>, Option<Frame>) {
        if !self.awake {
            self.awake = true;
            self.plan(dashboard);
        }
        let (mut news, mut windows) = self.look(self.windows.is_none());
        if self.windows.is_none() && windows.is_empty() {
            let (later, all) = self.look(true);
            news.extend(later);
            windows = all;
        }
        if !windows.is_empty() {
            self.windows = Some(Windows { frame: frames::data(id, windows), charge: Weak::new() });
        }
        let windows = self.windows.as_mut().map(|windows| windows.share(&self.unsent));
        (news, windows)
    }

    /// The windows of those widgets that ask for something else after these ops, for everybody. What a source
    /// does not have at hand comes with the news.
    pub fn changed<'a>(
        &mut self,
        dashboard: &Dashboard,
        mut ops: impl Iterator<Item = &'a Op>,
    ) -> Vec<DataFrame> {
        if !self.awake || !ops.any(may_matter) {
            return Vec::new();
        }
        self.replan(dashboard, false)
    }

    /// The dashboard was built anew: everything, for everybody.
    pub fn rebuilt(&mut self, dashboard: &Dashboard) -> Vec<DataFrame> {
        if self.awake { self.replan(dashboard, true) } else { Vec::new() }
    }

    fn replan(&mut self, dashboard: &Dashboard, all: bool) -> Vec<DataFrame> {
        let asked = |wanted: &Wanted| (wanted.key.clone(), wanted.legend.clone(), wanted.error.clone());
        let before: BTreeMap<WidgetId, _> =
            self.widgets.iter().map(|(id, old)| (id.clone(), asked(old))).collect();
        // First what came for the queries of before, or it would be passed over for those that stay.
        let (mut frames, _) = self.look(false);
        self.plan(dashboard);
        let (news, windows) = self.look(true);
        frames.extend(news);
        let same = |id: &WidgetId| before.get(id) == self.widgets.get(id).map(asked).as_ref();
        let anew: Vec<DataFrame> = windows.into_iter().filter(|frame| all || !same(&frame.widget)).collect();
        frames.retain(|frame| {
            dashboard.widgets.contains_key(&frame.widget) && anew.iter().all(|one| one.widget != frame.widget)
        });
        for id in before.keys() {
            // One that asks for nothing any more has nothing to show.
            if !self.widgets.contains_key(id) && dashboard.widgets.contains_key(id) {
                frames.push(frame(id, true));
            }
        }
        frames.extend(anew);
        frames
    }

    /// Follows what the widgets ask for now, and nothing else.
    fn plan(&mut self, dashboard: &Dashboard) {
        let settings = &dashboard.settings;
        let (range, refresh) = (range(settings), settings.get(REFRESH).and_then(|value| value.as_u64()));
        let mut before = std::mem::take(&mut self.following);
        self.windows = None;
        self.widgets.clear();
        for (id, widget) in &dashboard.widgets {
            let Some(query) = dashboard.query(widget) else { continue };
            let key = Key {
                source: query.source,
                text: query.text,
                variables: query.variables,
                range,
                every_ms: refresh.unwrap_or(0) * 1000,
                min_step: query.min_step_s * 1000,
                latest: widget.reduces_to().is_some(),
                reduce: widget.reduces_to().and_then(Reduce::read),
            };
            let mut wanted =
                Wanted { key: Some(key.clone()), legend: query.legend, error: None, names: Vec::new() };
            if let Some(following) = before.remove(&key) {
                self.following.insert(key, following);
            } else if !self.following.contains_key(&key) {
                match self.sources.follow(key.clone(), &self.notify) {
                    Ok(following) => {
                        self.following.insert(key, following);
                    }
                    Err(error) => (wanted.key, wanted.error) = (None, Some(error.to_string())),
                }
            }
            self.widgets.insert(id.clone(), wanted);
        }
    }

    /// What changed since the last look; and, where that is wanted, all that there is.
    fn look(&mut self, all: bool) -> (Vec<DataFrame>, Vec<DataFrame>) {
        type Looked = (Change, Option<Arc<Snapshot>>);
        let looked: HashMap<&Key, (Looked, &Following)> = self
            .following
            .iter_mut()
            .filter_map(|(key, following)| {
                let looked = following.look(all)?;
                Some((key, (looked, &*following)))
            })
            .collect();
        let (mut news, mut windows) = (Vec::new(), Vec::new());
        for (id, wanted) in &mut self.widgets {
            let Some(key) = &wanted.key else {
                if all {
                    windows.push(DataFrame { error: wanted.error.clone(), ..frame(id, true) });
                }
                continue;
            };
            // What has no answer yet comes with the news.
            let Some(((change, snapshot), following)) = looked.get(key) else { continue };
            let window = snapshot.as_ref().map(|snapshot| {
                wanted.names = legend::names(&snapshot.curves, &wanted.legend);
                data_frame(id, snapshot, &wanted.names)
            });
            match change {
                Change::Whole => news.extend(window.clone()),
                Change::News(deltas) => {
                    let mut series: BTreeMap<usize, Series> = BTreeMap::new();
                    for delta in deltas.iter().flat_map(|deltas| deltas.iter()) {
                        let name = || wanted.names.get(delta.curve).cloned().unwrap_or_default();
                        let new = || Series { name: name(), ..Series::default() };
                        add(series.entry(delta.curve).or_insert_with(new), delta);
                    }
                    news.push(DataFrame {
                        series: series.into_values().collect(),
                        error: following.error().map(str::to_owned),
                        every_ms: following.every_ms(),
                        note: following.new_note().map(str::to_owned),
                        ..frame(id, false)
                    });
                }
                Change::Nothing => {}
            }
            if all {
                windows.extend(window);
            }
        }
        if !news.is_empty() {
            self.windows = None;
            self.sent_at = Some(Instant::now());
        }
        (news, windows)
    }
}

impl Windows {
    fn share(&mut self, unsent: &Unsent) -> Frame {
        let charge = self.charge.upgrade().or_else(|| unsent.charge_frame(self.frame.size()));
        self.charge = charge.as_ref().map_or_else(Weak::new, Arc::downgrade);
        match charge {
            Some(charge) => self.frame.clone().holding(charge),
            None => self.frame.clone(),
        }
    }
}

/// Puts the change of a curve behind those that are to be told already.
fn add(series: &mut Series, delta: &Delta) {
    if let Some(from) = delta.replaces_from {
        series.points.truncate(series.points.partition_point(|(at, _)| *at < from));
        series.replaces_from = Some(series.replaces_from.map_or(from, |before| before.min(from)));
    }
    series.points.extend(&delta.points);
}

/// True for an op after which a widget may ask for something else.
fn may_matter(op: &Op) -> bool {
    match op {
        Op::Set { field, .. } => ["source", "query", "legend", "shows", "min_step"].contains(&field.as_str()),
        Op::SetDashboard { field, .. } => {
            [RANGE, REFRESH].contains(&field.as_str())
                || field.starts_with(VARIABLE)
                || field.starts_with(CHOSEN)
        }
        Op::AddWidget { .. } | Op::RemoveWidget { .. } | Op::RestoreWidget { .. } => true,
        Op::SettleConflict { .. } => true,
        Op::Place { .. } | Op::EditText { .. } => false,
    }
}

fn frame(id: &WidgetId, reset: bool) -> DataFrame {
    DataFrame { widget: id.clone(), reset, series: Vec::new(), error: None, every_ms: None, note: None }
}

/// An answer as a widget takes it.
pub fn data_frame(id: &WidgetId, snapshot: &Snapshot, names: &[String]) -> DataFrame {
    let series = snapshot.curves.iter().zip(names);
    let series = series.map(|(curve, name)| Series {
        name: name.clone(),
        points: curve.points.clone(),
        tags: curve.tags.clone(),
        ..Series::default()
    });
    DataFrame {
        series: series.collect(),
        error: snapshot.error.clone(),
        every_ms: snapshot.every_ms,
        note: snapshot.note.clone(),
        ..frame(id, true)
    }
}
