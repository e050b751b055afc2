//! What a key in a note costs the server: in a new note, and in one that was written in for years.

use std::io::{Error, Result};

use lockstep::dashboard::{Dashboard, NoteText, Op, WidgetId};
use lockstep::sync::protocol::{Commit, ServerMessage};
use serde_json::json;

use crate::at_most;
use crate::client::{Reader, Writer};
use crate::load::{Target, hello};
use crate::process::Process;
use crate::scenes::dashboard;

/// Keys of one measurement.
const KEYS: u64 = 2_000;
/// Words that were replaced in the old note, and the pages in which that was done.
const REPLACED: u64 = 10_000;
const PAGES: u64 = 300;
/// Single characters typed into one note, by one page, and how many of them are on their way at once.
const TYPED: u64 = 10_000;
const AHEAD: u64 = 64;

/// Somebody who types, one key after the other.
struct Typist {
    reader: Reader,
    writer: Writer,
    dashboard: String,
    seq: u64,
    copy: Dashboard,
    revision: u64,
}

impl Typist {
    async fn join(server: &Process) -> Result<Self> {
        let Target::Dashboard { id, .. } = dashboard(server, 1, false).await? else {
            unreachable!("a dashboard was made")
        };
        let (mut reader, mut writer) = hello(server).await?;
        let join = json!({ "type": "join", "dashboard": id, "compactions": true });
        writer.text(join.to_string().as_bytes()).await?;
        let joined = reader.text_with("\"type\":\"joined\"").await?;
        let ServerMessage::Joined(joined) = read(joined)? else { return Err(Error::other("no joined")) };
        let copy = joined.snapshot.unwrap_or_default();
        Ok(Self { reader, writer, dashboard: id, seq: 0, copy, revision: joined.revision })
    }

    /// Pushes an op and waits until it is durable.
    async fn push(&mut self, op: &Op) -> Result<()> {
        self.send(op).await?;
        self.wait_for(self.seq).await
    }

    async fn send(&mut self, op: &Op) -> Result<()> {
        self.seq += 1;
        let change = json!({ "seq": self.seq, "base": self.revision, "ops": [op] });
        let push = json!({ "type": "push", "dashboard": self.dashboard, "changes": [change] });
        self.writer.text(push.to_string().as_bytes()).await
    }

    /// Waits until a change is durable.
    async fn wait_for(&mut self, seq: u64) -> Result<()> {
        let mut landed = false;
        while !landed {
            let frame = self.reader.text_with("\"type\":\"commits\"").await?;
            let ServerMessage::Commits { commits, .. } = read(frame)? else { continue };
            for commit in commits {
                assert!(commit.refused.is_empty(), "{:?}", commit.refused);
                landed |= commit.seq == seq && commit.ops.iter().all(|op| !is_compaction(op));
                self.follow(&commit);
            }
        }
        Ok(())
    }

    fn follow(&mut self, commit: &Commit) {
        for op in &commit.ops {
            self.copy.apply(op, &commit.stamp());
        }
        self.revision = commit.revision;
    }

    fn text(&self, id: &WidgetId) -> &NoteText {
        self.copy.text(id).expect("a note")
    }

    /// Replaces characters, as the page with this Yjs client id.
    async fn replace(&mut self, id: &WidgetId, page: u64, at: u32, remove: u32, insert: &str) -> Result<()> {
        let (update, _) = self.text(id).splice(page, at, remove, insert);
        self.push(&Op::edit_text(id, update)).await
    }

    /// Types so many characters at the end without waiting for each.
    async fn append(&mut self, id: &WidgetId, page: u64, characters: u64) -> Result<()> {
        let mut ahead = self.text(id).clone();
        for n in 0..characters {
            let (update, _) = ahead.splice(page, ahead.len_utf16(), 0, "x");
            ahead = ahead.apply(&update).map_err(Error::other)?;
            self.send(&Op::edit_text(id, update)).await?;
            if n % AHEAD == AHEAD - 1 {
                self.wait_for(self.seq).await?;
            }
        }
        self.wait_for(self.seq).await
    }

    /// Adds a note with this text.
    async fn note(&mut self, id: &WidgetId, text: &str) -> Result<()> {
        let mut widget =
            json!({ "kind": "note", "title": "Runbook", "frame": { "x": 0, "y": 0, "w": 6, "h": 4 } });
        widget["options"] = json!({});
        let op = serde_json::from_value(json!({ "op": "add_widget", "id": id, "widget": widget }))?;
        self.push(&op).await?;
        self.replace(id, 1, 0, 0, text).await
    }

    /// Milliseconds of the server's CPU for a key, typed here and there.
    async fn key_ms(&mut self, server: &Process, id: &WidgetId) -> Result<Option<f64>> {
        let before = server.cpu();
        for n in 0..KEYS {
            let at = (n * 37 % 2_000) as u32;
            let (remove, insert) = if n % 2 == 0 { (0, "x") } else { (1, "") };
            self.replace(id, 7, at, remove, insert).await?;
        }
        Ok(before.zip(server.cpu()).map(|(before, after)| (after - before) * 1_000.0 / KEYS as f64))
    }
}

fn read(frame: &[u8]) -> Result<ServerMessage> {
    serde_json::from_slice(frame).map_err(Error::other)
}

fn is_compaction(op: &Op) -> bool {
    matches!(op, Op::EditText { compacted: Some(_), .. })
}

pub async fn notes() -> Result<()> {
    let text = "word ".repeat(400);
    let id = |id: &str| WidgetId::new(id).expect("an id");
    println!(
        "\na key in a note of {} characters: new, and after {REPLACED} words were replaced in {PAGES} pages",
        text.len()
    );
    let server = Process::lockstep();
    let mut typist = Typist::join(&server).await?;
    typist.note(&id("new"), &text).await?;
    let new = typist.key_ms(&server, &id("new")).await?;
    drop(server);
    let server = Process::lockstep();
    let mut typist = Typist::join(&server).await?;
    typist.note(&id("old"), &text).await?;
    for n in 0..REPLACED {
        let at = (n * 73 % 400 * 5) as u32;
        typist
            .replace(&id("old"), 100 + n * PAGES / REPLACED, at, 4, if n % 2 == 0 { "past" } else { "word" })
            .await?;
    }
    let old = typist.key_ms(&server, &id("old")).await?;
    if let (Some(new), Some(old)) = (new, old) {
        at_most("server CPU for a key in the new one, ms", new, None);
        at_most("server CPU for a key in the old one, ms", old, None);
        at_most("old to new", old / new, Some(1.3));
    }
    let kept = serde_json::to_value(typist.text(&id("old")))?;
    let state = kept["state"].as_str().map_or(0, |state| state.len() / 4 * 3);
    at_most("bytes of its state to those of its text", state as f64 / text.len() as f64, Some(4.0));
    drop(server);

    println!("\n{TYPED} characters typed into one note, each an edit");
    let server = Process::lockstep();
    let mut typist = Typist::join(&server).await?;
    typist.note(&id("spread"), "#").await?;
    let before = server.cpu();
    for n in 0..TYPED {
        let at = (n * 7_919 % (n + 1)) as u32;
        typist.replace(&id("spread"), 7, at, 0, "x").await?;
    }
    if let Some((before, after)) = before.zip(server.cpu()) {
        at_most("server CPU, here and there, one after the other, s", after - before, None);
    }
    typist.note(&id("long"), "#").await?;
    let before = server.cpu();
    typist.append(&id("long"), 7, TYPED).await?;
    if let Some((before, after)) = before.zip(server.cpu()) {
        at_most("server CPU, at its end, many on their way at once, s", after - before, None);
    }
    Ok(())
}
