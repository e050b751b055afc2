//! Accounts: what they cost those who edit, how soon somebody is out, and what a flood of wrong passwords does.

use std::io::{Error, Result};
use std::time::{Duration, Instant};

use lockstep::dashboard::{DashboardId, Id, UserId};
use lockstep::server::access::directory::{Account, Change, Role, Team, TeamId};
use lockstep::server::access::password::Hasher;
use lockstep::server::access::sessions::{Session, SessionHash};
use lockstep::server::store::Store as _;
use lockstep::server::store::accounts::Accounts as _;
use lockstep::server::store::sqlite::SqliteStore;
use reqwest::Method;
use reqwest::redirect::Policy;
use tokio::task::{JoinSet, spawn_local};
use tokio::time::{interval, sleep};

use crate::load::{self, Outcome, Pace, Target};
use crate::process::{Process, data_dir};
use crate::{at_most, list, scenes};

/// People who are signed in.
const PEOPLE: usize = 100;
/// Turns of each server.
const TURNS: usize = 4;
/// Seconds of a turn.
const SECONDS: f64 = 10.0;
/// Edits under way where the most is looked for.
const WINDOW: u64 = 2_000;
/// What the store changes in one step.
const AT_ONCE: usize = 500;
const PASSWORD: &str = "ochre-window-47-lantern";
/// The server believes the generator, at this address, whom it speaks for.
const BEHIND_PROXY: (&str, &str) = ("LOCKSTEP_TRUSTED_PROXIES", "127.0.0.1");

/// A server with people who are in a team and signed in.
struct Population {
    store: SqliteStore,
    dir: tempfile::TempDir,
    cookies: Vec<String>,
}

impl Population {
    /// The first of them is an admin; all edit what the team has. With a password only where one is to be tried.
    async fn new(people: usize, password: Option<String>) -> Self {
        let dir = data_dir();
        let store = SqliteStore::open(&dir.path().join("lockstep.db")).await.expect("a store");
        let team = Change::PutTeam(Team { id: team("everyone"), name: "Everyone".to_owned() });
        let mut changes = vec![team];
        for n in 0..people {
            changes.push(Change::PutAccount(Account {
                id: person(n),
                email: email(n),
                name: format!("Person {n}"),
                password: password.clone(),
                is_admin: n == 0,
                made_at: 1_795_000_000_000,
                disabled_at: None,
            }));
            changes.push(member("everyone", n));
        }
        let mut population = Self { store, dir, cookies: Vec::new() };
        population.change(changes).await;
        for n in 0..people.min(PEOPLE) {
            population.sign_in(n).await;
        }
        population
    }

    async fn change(&self, changes: Vec<Change>) {
        for some in changes.chunks(AT_ONCE) {
            self.store.change_directory(some.to_vec()).await.expect("stored");
        }
    }

    async fn sign_in(&mut self, number: usize) {
        let (token, hash) = SessionHash::generate();
        let now = crate::figures::now_ms();
        let session = Session {
            hash,
            account: person(number),
            made_at: now,
            used_at: now,
            address: "127.0.0.1".to_owned(),
            agent: "Bench".to_owned(),
            issuer: None,
        };
        self.store.put_session(session, Vec::new()).await.expect("stored");
        self.cookies.push(format!("lockstep_session={token}"));
    }

    async fn start(self, set: &[(&str, &str)]) -> Process {
        self.store.close().await;
        Process::lockstep_on(self.dir, set).with_people(self.cookies)
    }
}

fn person(number: usize) -> UserId {
    UserId::new(format!("person-{number}")).expect("an id")
}

fn email(number: usize) -> String {
    format!("person-{number}@example.com")
}

fn team(name: &str) -> TeamId {
    TeamId(Id::new(name).expect("an id"))
}

fn member(name: &str, number: usize) -> Change {
    Change::SetMember { team: team(name), account: person(number), role: Some(Role::Editor) }
}

/// Edits, the most of them and joins, of people who signed in and on a server on which nobody does, in turns.
pub async fn edits() -> Result<()> {
    println!("\n{PEOPLE} people who signed in, and as many where nobody signs in, in {TURNS} turns each");
    let open = Process::lockstep();
    let accounts = Population::new(PEOPLE, None).await.start(&[]).await;
    let mut sides = Vec::new();
    for server in [&open, &accounts] {
        sides.push((server, scenes::dashboard(server, 100, false).await?));
    }
    let mut spread: [Option<Outcome>; 2] = [None, None];
    let mut most: [Option<Outcome>; 2] = [None, None];
    for _ in 0..TURNS {
        for (n, (server, target)) in sides.iter().enumerate() {
            let outcome = load::run(server, target, PEOPLE, 10, Pace::Rate(100), SECONDS).await?;
            add(&mut spread[n], outcome);
            let outcome = load::run(server, target, PEOPLE, 10, Pace::Window(WINDOW), SECONDS / 2.0).await?;
            add(&mut most[n], outcome);
        }
    }
    let [Some(spread_open), Some(spread)] = spread else { unreachable!("there were turns") };
    let [Some(most_open), Some(most)] = most else { unreachable!("there were turns") };
    at_most("100 edits/s: p50, ms, open", spread_open.quantile_ms(0.5), None);
    at_most("100 edits/s: p50, ms, accounts", spread.quantile_ms(0.5), None);
    let p50 = spread.quantile_ms(0.5) / spread_open.quantile_ms(0.5);
    at_most("100 edits/s: p50, accounts to open", p50, Some(1.03));
    if let (Some(own), Some(open)) = (spread.cpu_per_thousand(), spread_open.cpu_per_thousand()) {
        at_most("100 edits/s: CPU of a delivery, accounts to open", own / open, Some(1.03));
    }
    at_most("million deliveries/s, open", most_open.per_second() / 1e6, None);
    at_most("million deliveries/s, accounts", most.per_second() / 1e6, None);
    at_most("deliveries/s, open to accounts", most_open.per_second() / most.per_second(), Some(1.03));
    drop(sides);
    drop((open, accounts));

    let (mut ms, mut cpu) = ([0.0; 2], [0.0; 2]);
    for _ in 0..TURNS {
        let servers = [Process::lockstep(), Population::new(PEOPLE, None).await.start(&[]).await];
        for (n, server) in servers.iter().enumerate() {
            let joins = scenes::joins(server, 1_000, 200).await?;
            ms[n] += joins.ms / TURNS as f64;
            cpu[n] += joins.cpu_ms.unwrap_or(f64::NAN) / TURNS as f64;
        }
    }
    at_most("a fresh join of 200 widgets: p50, ms, open", ms[0], None);
    at_most("a fresh join: p50, accounts to open", ms[1] / ms[0], Some(1.03));
    at_most("a fresh join: CPU, accounts to open", cpu[1] / cpu[0], Some(1.03));
    Ok(())
}

fn add(sum: &mut Option<Outcome>, outcome: Outcome) {
    *sum = Some(match sum.take() {
        Some(sum) => sum.with(outcome),
        None => outcome,
    });
}

/// Sessions that an admin ends, each with many sockets into which edits come: how long until the last frame.
pub async fn revoke() -> Result<()> {
    const ENDED: usize = 4;
    const SOCKETS: usize = 50;
    /// The first of them: none of those who write.
    const FIRST: usize = 50;
    println!(
        "\n{ENDED} people with {SOCKETS} sockets each in a room of 100 edits/s, whose sessions an admin ends"
    );
    let server = Population::new(PEOPLE, None).await.start(&[]).await;
    let target = scenes::dashboard(&server, 100, false).await?;
    let Target::Dashboard { id, .. } = &target else { unreachable!("a dashboard was made") };
    let mut tasks = JoinSet::new();
    for n in 0..ENDED * SOCKETS {
        let headers = server.headers(FIRST + n % ENDED);
        let (mut reader, mut writer) = load::hello_as(&server.address, &headers).await?;
        writer.text(load::join_frame(id).as_bytes()).await?;
        reader.text_with("\"type\":\"joined\"").await?;
        tasks.spawn(async move {
            let mut last = Instant::now();
            loop {
                match reader.text().await {
                    Ok(_) => last = Instant::now(),
                    // The writer stays until then: its end would end the connection.
                    Err(error) => return (drop(writer), last, Instant::now(), error.to_string()),
                }
            }
        });
    }
    let writers = load::run(&server, &target, 10, 10, Pace::Rate(100), 3.0);
    let revoke = async {
        sleep(Duration::from_secs(2)).await;
        let begun = Instant::now();
        let ends = (FIRST..FIRST + ENDED).map(|n| {
            let path = format!("/api/v1/admin/people/{}/sessions", person(n).as_str());
            server.request(Method::DELETE, &path).send()
        });
        for answer in futures::future::join_all(ends).await {
            let status = answer.map_err(Error::other)?.status();
            assert!(status.is_success(), "{status}");
        }
        Ok::<_, Error>(begun)
    };
    let (written, begun) = tokio::join!(writers, revoke);
    let (_, begun) = (written?, begun?);
    let (mut last_frame, mut closed) = (begun, begun);
    while let Some(ended) = tasks.join_next().await {
        let ((), last, end, how) = ended.map_err(Error::other)?;
        assert_eq!(how, "closed with 4401");
        last_frame = last_frame.max(last);
        closed = closed.max(end);
    }
    at_most("asked to the last frame, ms", (last_frame - begun).as_secs_f64() * 1e3, Some(1_000.0));
    at_most("asked to the last socket closed, ms", (closed - begun).as_secs_f64() * 1e3, Some(1_000.0));
    Ok(())
}

/// What those who edit notice of wrong passwords from everywhere, tried on accounts that are there and on others.
pub async fn sign_in_flood() -> Result<()> {
    const PER_SECOND: u64 = 200;
    const FLOOD_S: f64 = 60.0;
    println!(
        "\n100 edits/s of {PEOPLE} people beside {PER_SECOND} wrong sign-ins a second, each from another address"
    );
    let hash = Hasher::default().hash(PASSWORD.to_owned()).await.expect("room for one");
    let server = Population::new(PEOPLE * 10, Some(hash)).await.start(&[BEHIND_PROXY]).await;
    let target = scenes::dashboard(&server, 100, false).await?;
    let without = load::run(&server, &target, PEOPLE, 10, Pace::Rate(100), FLOOD_S / 3.0).await?;
    let before = server.memory_kib();
    let http = reqwest::Client::builder().redirect(Policy::none()).build().expect("a client");
    let address = server.address.clone();
    let flood = spawn_local(async move {
        let mut ticks = interval(Duration::from_micros(1_000_000 / PER_SECOND));
        let mut tries = JoinSet::new();
        let mut answers = std::collections::BTreeMap::<u16, u64>::new();
        let begun = Instant::now();
        for n in 0.. {
            ticks.tick().await;
            if begun.elapsed().as_secs_f64() > FLOOD_S + 1.0 {
                break;
            }
            tries.spawn(try_password(http.clone(), address.clone(), n));
            while let Some(answer) = tries.try_join_next() {
                *answers.entry(answer.expect("a try does not panic")).or_default() += 1;
            }
        }
        answers
    });
    let beside = load::run(&server, &target, PEOPLE, 10, Pace::Rate(100), FLOOD_S).await?;
    let after = server.memory_kib();
    let answers = flood.await.expect("the flood does not panic");
    println!("  answers, by status: {answers:?}");
    at_most("p99 of edits without, ms", without.quantile_ms(0.99), None);
    at_most("p99 of edits beside, ms", beside.quantile_ms(0.99), Some(20.0));
    at_most("beside to without", beside.quantile_ms(0.99) / without.quantile_ms(0.99), Some(2.0));
    if let Some((before, after)) = before.zip(after) {
        at_most("memory above that before, MiB", after.saturating_sub(before) as f64 / 1_024.0, Some(60.0));
    }
    Ok(())
}

/// A wrong password from an address of its own; the status of the answer.
async fn try_password(http: reqwest::Client, address: String, number: u64) -> u16 {
    let email = email(number as usize % (PEOPLE * 20));
    let form = [("email", &*email), ("password", "not-the-password-of-anybody"), ("to", "/")];
    let from = format!("10.{}.{}.{}", number >> 16 & 255, number >> 8 & 255, number & 255);
    let request = http.post(format!("http://{address}/sign-in")).header("x-forwarded-for", from).form(&form);
    request.send().await.map_or(0, |answer| answer.status().as_u16())
}

/// How long a wrong password takes for an account that is there, and for one that is not.
pub async fn timing() -> Result<()> {
    const EACH: usize = 200;
    println!("\na wrong password for an account that is there and for one that is not, {EACH} in turns");
    let hash = Hasher::default().hash(PASSWORD.to_owned()).await.expect("room for one");
    let server = Population::new(EACH, Some(hash)).await.start(&[BEHIND_PROXY]).await;
    let http = reqwest::Client::builder().redirect(Policy::none()).build().expect("a client");
    let mut took = [Vec::new(), Vec::new()];
    for n in 0..EACH * 2 {
        // The odd ones are of nobody.
        let number = n / 2 + n % 2 * PEOPLE * 20;
        let form = [("email", &*email(number)), ("password", "not-the-password-of-anybody"), ("to", "/")];
        let from = format!("10.0.{}.{}", n >> 8, n & 255);
        let request = http.post(format!("http://{}/sign-in", server.address));
        let begun = Instant::now();
        let answer = request.header("x-forwarded-for", from).form(&form).send().await;
        let status = answer.map_err(Error::other)?.status();
        assert_eq!(status.as_u16(), 401);
        took[n % 2].push(begun.elapsed().as_secs_f64() * 1e3);
    }
    for took in &mut took {
        took.sort_by(f64::total_cmp);
    }
    let [known, unknown] = took.map(|took| took[took.len() / 2]);
    at_most("there: p50, ms", known, None);
    at_most("not there: p50, ms", unknown, None);
    at_most("the longer to the shorter", known.max(unknown) / known.min(unknown), Some(1.1));
    Ok(())
}

/// One person's list where there are many people, teams and dashboards.
pub async fn people(people: usize, teams: usize, dashboards: usize) -> Result<()> {
    const REQUESTS: usize = 200;
    println!("\n{people} people in {teams} teams with {dashboards} dashboards: the list of one person");
    let population = Population::new(people, None).await;
    list::fill(&population.store, dashboards).await;
    let name = |n: usize| format!("team-{}", n % teams);
    let put = |n: usize| Change::PutTeam(Team { id: team(&name(n)), name: format!("Team {n}") });
    let mut changes: Vec<Change> = (0..teams).map(put).collect();
    // Each is in three; the first, who asks, in ten.
    changes.extend((0..people * 3).map(|n| member(&name(n / 3 + n % 3 * 331), n / 3)));
    changes.extend((0..10).map(|n| member(&name(n * 97), 0)));
    changes.extend((0..dashboards).map(|n| {
        let dashboard = DashboardId::new(list::id(n)).expect("an id");
        Change::SetTeam { dashboard, team: Some(team(&name(n))) }
    }));
    population.change(changes).await;
    let server = population.start(&[]).await;
    // Not the admin.
    let headers = server.headers(1);
    let cookie = headers.lines().next().and_then(|line| line.strip_prefix("Cookie: ")).expect("a cookie");
    let http = reqwest::Client::new();
    let mut took = Vec::new();
    for n in 0..REQUESTS {
        let query = ["", "order=title", "search=gr%C3%B6sse", "tag=eu&order=title"][n % 4];
        let url = format!("http://{}/api/v1/dashboards/list?{query}", server.address);
        let begun = Instant::now();
        let answer = http.get(url).header("cookie", cookie).send().await.map_err(Error::other)?;
        let answer = answer.error_for_status().map_err(Error::other)?;
        let body = answer.bytes().await.map_err(Error::other)?;
        took.push(begun.elapsed().as_secs_f64() * 1e3);
        let shown: serde_json::Value = serde_json::from_slice(&body)?;
        let total = shown["total"].as_u64().unwrap_or_default();
        assert!(n > 0 || (1..dashboards as u64 / 10).contains(&total), "{total} are theirs");
    }
    took.sort_by(f64::total_cmp);
    at_most("p50, ms", took[REQUESTS / 2], None);
    at_most("p99, ms", took[REQUESTS * 99 / 100], Some(15.0));
    if let Some(kib) = server.memory_kib() {
        at_most("the server's memory then, MiB", kib as f64 / 1_024.0, None);
    }
    Ok(())
}
