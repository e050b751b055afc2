//! All sources of this server, and the queries that stand: each distinct one once, for all rooms.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::FutureExt as _;
use tokio::sync::{Notify, OnceCell};
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::reduced::{Reduce, Reduced};
use super::standing::{Following, Key, Snapshot, Standing, count_note, join_notes};
use super::{Answer, Ask, MAX_ROWS, MAX_SERIES, Source, SourceError, WANTED_POINTS, round_step};
use crate::dashboard::query::Query;
use crate::dashboard::settings::Chosen;
use crate::server::clock::now_ms;
use crate::server::limits::Limits;

/// Single answers that are kept for whoever asks the same a moment later.
const KEPT: usize = 256;
/// The longest that one is kept.
const KEPT_AT_MOST: Duration = Duration::from_secs(10);
/// The shortest: long enough for all who were sent the same link.
const KEPT_AT_LEAST: Duration = Duration::from_secs(1);
/// How long the values of a label are kept, and what is in the past for good.
const VALUES_KEPT: Duration = Duration::from_secs(30);

/// The sources and the standing queries; cheap to copy.
#[derive(Clone)]
pub struct Sources(Arc<Shared>);

struct Shared {
    all: BTreeMap<String, Arc<dyn Source>>,
    limits: Arc<Limits>,
    standing: Mutex<HashMap<Key, Arc<Standing>>>,
    tasks: Mutex<JoinSet<()>>,
    answers: Mutex<HashMap<Once, Arc<Kept>>>,
}

/// What makes two single questions the same.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Once {
    Ask {
        source: String,
        text: String,
        variables: BTreeMap<String, Chosen>,
        times: (u64, u64),
        min_step: u64,
        latest: bool,
        reduce: Option<Reduce>,
    },
    Values {
        source: String,
        label: String,
        of: String,
        variables: BTreeMap<String, Chosen>,
    },
}

struct Kept {
    until: Instant,
    answer: OnceCell<Result<Found, SourceError>>,
}

#[derive(Clone)]
enum Found {
    Answer(Arc<Snapshot>),
    Values(Arc<Vec<String>>),
}

impl Sources {
    /// The sources by their names; of two with the same name the later one counts.
    pub fn new(all: impl IntoIterator<Item = Arc<dyn Source>>, limits: Arc<Limits>) -> Self {
        let all = all.into_iter().map(|source| (source.name().to_owned(), source)).collect();
        let (standing, tasks, answers) = (Mutex::default(), Mutex::default(), Mutex::default());
        Self(Arc::new(Shared { all, limits, standing, tasks, answers }))
    }

    /// In the order of their names; series by name come first.
    pub fn all(&self) -> impl Iterator<Item = &Arc<dyn Source>> {
        self.0.all.values()
    }

    /// The source of a name. Errors say in words that there is none.
    pub fn get(&self, name: &str) -> Result<&Arc<dyn Source>, SourceError> {
        let none = || SourceError(format!("This server has no source that is called {name:?}."));
        self.0.all.get(name).ok_or_else(none)
    }

    /// How many queries stand.
    pub fn standing(&self) -> usize {
        lock(&self.0.standing).len()
    }

    /// Follows a query: `notify` is told of news from here on. Where nobody else asks the same it begins
    /// now. `every_ms` of the key is taken as how often a dashboard wants it, where it says so.
    pub fn follow(&self, mut key: Key, notify: &Arc<Notify>) -> Result<Following, SourceError> {
        let source = &Reduced::wrap(self.get(&key.source)?.clone(), key.reduce);
        key.every_ms = match key.every_ms {
            _ if source.news().is_some() => 0,
            0 => source.every_ms(),
            wanted if key.reduce.is_some() => wanted.max(source.every_ms()),
            wanted => wanted,
        };
        let mut all = lock(&self.0.standing);
        if let Some(standing) = all.get(&key) {
            return Ok(standing.follow(notify));
        }
        if all.len() >= self.0.limits.queries {
            return Err(SourceError(
                "This server asks as many queries as it may. Close a dashboard.".to_owned(),
            ));
        }
        let standing = Standing::new(key.clone(), &**source);
        let following = standing.follow(notify);
        all.insert(key, standing.clone());
        drop(all);
        if source.is_here() {
            // Out of memory: whoever joins now has it at once. One that takes longer comes by itself.
            let _ = standing.refresh(&**source).now_or_never();
        }
        self.start(standing, source.clone());
        Ok(following)
    }

    fn start(&self, standing: Arc<Standing>, source: Arc<dyn Source>) {
        let idle = Duration::from_millis(self.0.limits.query_idle_ms);
        let (shared, of) = (Arc::downgrade(&self.0), standing.clone());
        let may_end = move || shared.upgrade().is_none_or(|shared| shared.end(&of));
        let mut tasks = lock(&self.0.tasks);
        // Those that ended are let go of here, so that the set stays as large as there are queries.
        while tasks.try_join_next().is_some() {}
        tasks.spawn(standing.run(source, idle, may_end));
    }

    /// Answers once, for whoever asks the same at about the same time. Times are rounded to the step.
    pub async fn once(
        &self,
        query: &Query,
        (from, to): (u64, u64),
        latest: bool,
        reduce: Option<Reduce>,
    ) -> Result<Arc<Snapshot>, SourceError> {
        let asked = Reduced::wrap(self.get(&query.source)?.clone(), reduce);
        let min_step = query.min_step_s * 1_000;
        let least = (to.saturating_sub(from) / WANTED_POINTS).max(asked.every_ms());
        let step = round_step(least.max(min_step));
        // Up to now in any case: rounded down, a long time would miss what came last.
        let (from, to) = (from / step * step, to.div_ceil(step).saturating_mul(step));
        let Query { source, text, variables, .. } = query.clone();
        let ask = Ask {
            text: text.clone(),
            variables: variables.clone(),
            from,
            to: to.min(now_ms()),
            step,
            min_step,
            latest,
            single: true,
            ..Ask::default()
        };
        let key = Once::Ask { source, text, variables, times: (from, to), min_step, latest, reduce };
        let past = to.saturating_add(step.saturating_mul(2)) < now_ms();
        let fresh = Duration::from_millis(step).clamp(KEPT_AT_LEAST, KEPT_AT_MOST);
        let every_ms = (!asked.is_here()).then_some(step);
        let found = self.kept(key, if past { VALUES_KEPT } else { fresh }, async move {
            let mut answer: Answer = asked.ask(&ask).await?;
            answer.keep(if latest { MAX_ROWS } else { MAX_SERIES }, &ask);
            let note = count_note(answer.curves.len(), answer.count, answer.living);
            let note = join_notes(note, &answer.notes);
            Ok(Found::Answer(Arc::new(Snapshot { curves: answer.curves, error: None, note, every_ms })))
        });
        match found.await? {
            Found::Answer(answer) => Ok(answer),
            Found::Values(_) => unreachable!("asked for as an answer"),
        }
    }

    /// The values that a label has in a source, with what is chosen of the variables in `of`.
    pub async fn values(
        &self,
        source: &str,
        label: &str,
        of: &str,
        variables: BTreeMap<String, Chosen>,
    ) -> Result<Arc<Vec<String>>, SourceError> {
        let asked = self.get(source)?.clone();
        let (label, of) = (label.to_owned(), of.to_owned());
        let key = Once::Values {
            source: source.to_owned(),
            label: label.clone(),
            of: of.clone(),
            variables: variables.clone(),
        };
        let long = if asked.is_here() { Duration::ZERO } else { VALUES_KEPT };
        let found = self.kept(key, long, async move {
            Ok(Found::Values(Arc::new(asked.values(&label, &of, &variables).await?)))
        });
        match found.await? {
            Found::Values(values) => Ok(values),
            Found::Answer(_) => unreachable!("asked for as values"),
        }
    }

    /// What a question's answer was a moment ago, or is once whoever asks first has it.
    async fn kept(
        &self,
        key: Once,
        long: Duration,
        ask: impl Future<Output = Result<Found, SourceError>>,
    ) -> Result<Found, SourceError> {
        let now = Instant::now();
        let kept = {
            let mut answers = lock(&self.0.answers);
            answers.retain(|_, kept| kept.until > now);
            if answers.len() >= KEPT
                && let Some(oldest) =
                    answers.iter().min_by_key(|(_, kept)| kept.until).map(|(key, _)| key.clone())
            {
                answers.remove(&oldest);
            }
            let new = || Arc::new(Kept { until: now + long, answer: OnceCell::new() });
            answers.entry(key.clone()).or_insert_with(new).clone()
        };
        let answer = kept.answer.get_or_init(|| ask).await.clone();
        if answer.is_err() {
            // Those who wait with me have it; the next to ask tries again.
            let mut answers = lock(&self.0.answers);
            if answers.get(&key).is_some_and(|known| Arc::ptr_eq(known, &kept)) {
                answers.remove(&key);
            }
        }
        answer
    }

    /// Ends all queries.
    pub async fn close(&self) {
        let mut tasks = std::mem::take(&mut *lock(&self.0.tasks));
        tasks.shutdown().await;
        lock(&self.0.standing).clear();
    }

    /// The state of the sources in Prometheus' text format.
    pub fn prometheus_text(&self) -> String {
        use std::fmt::Write as _;
        let mut out = String::new();
        let name = "lockstep_standing_queries";
        let _ = writeln!(out, "# HELP {name} Distinct queries that somebody looks at.\n# TYPE {name} gauge");
        let _ = writeln!(out, "{name} {}", self.standing());
        let asked: Vec<(&str, u64, u64)> = self
            .all()
            .filter_map(|source| source.state().asked.map(|(asked, failed)| (source.name(), asked, failed)))
            .collect();
        for (name, help, value) in [
            ("lockstep_source_queries_total", "Queries that a source was asked.", 0),
            ("lockstep_source_failures_total", "Of those, the ones without an answer.", 1),
        ] {
            let _ = writeln!(out, "# HELP {name} {help}\n# TYPE {name} counter");
            for (source, asked, failed) in &asked {
                let _ = writeln!(out, "{name}{{source=\"{source}\"}} {}", [asked, failed][value]);
            }
        }
        out
    }
}

impl Shared {
    /// Lets a query go that nobody follows; false where somebody does again.
    fn end(&self, standing: &Arc<Standing>) -> bool {
        let mut all = lock(&self.standing);
        if standing.is_followed() {
            return false;
        }
        all.retain(|_, known| !Arc::ptr_eq(known, standing));
        true
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // No code panics while it holds one of these; what is in them is whole in any case.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
