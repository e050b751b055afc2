// A peer on JavaScript's Yjs: a client of the public protocol (docs/protocol.md) that edits notes. It does what it
// reads from its input, a JSON object a line, and answers each with one on its output. What no peer may meet ends it.
//
//   node yjs.mjs SERVER DASHBOARD CLIENT NAME
import readline from "node:readline";
import WebSocket from "ws";
import * as Y from "yjs";
import { copyOf, madeBy, sayAnew, textOf } from "./anew.mjs";

const [server, dashboard, client, name] = process.argv.slice(2);
const base64 = (bytes) => Buffer.from(bytes).toString("base64");
const bytes = (text) => Buffer.from(text, "base64");

/** What the log says of each note (`log`, of a `generation`), and that with this peer's pending edits on top (`view`). */
let notes = new Map();
/** Of what a reload forgot, the notes on which pending edits were made. */
const kept = new Map();
/**
 * Changes that the log does not have yet: `{seq, base, id, updates, sent, anew}`, each of one note. It is `sent` on this
 * connection. Said `anew` after that, it will be in the log under other ids than its updates have here.
 */
let pending = [];
/** The last number that was answered, as far as it is known. */
let answered = 0;
/** The log has this peer's changes up to this number; those of them that are pending still only wait for the answer. */
let logged = 0;
/** Where the log was last heard: `{epoch, revision, token}`; null while there is no copy of it. */
let position = null;
/** Compactions that it has followed. */
let followed = 0;
let me;
let socket;
let joined = false;
/** Waits of commands: `{until, answer}`, looked at whenever something came. */
let waits = [];

function fail(why) {
  process.stderr.write(`${name}: ${why}\n`);
  process.exit(1);
}

function applyTo(doc, updates, what) {
  for (const update of updates) Y.applyUpdate(doc, update);
  if (doc.store.pendingStructs || doc.store.pendingDs) fail(`${what} builds on text that is not here`);
}

/** What waits for the log and is not in the text yet. */
const waiting = (id) => pending.filter((change) => change.id === id && change.seq > logged);

/**
 * Puts what is pending on top of what the log says. The new document is another Yjs client, whose clocks begin anew.
 * Where that was made on an `older` text, whose ids the log has not, it is said anew.
 */
function rebase(id, older) {
  const note = notes.get(id);
  const changes = waiting(id);
  if (older && changes.length) {
    const said = sayAnew(older, changes.map(({ updates }) => updates), note.log);
    if (!said) fail(`what is pending of ${id} builds on text that is not here`);
    changes.forEach((change, n) => Object.assign(change, { updates: said[n], anew: change.anew || change.sent }));
  }
  note.view = copyOf(note.log);
  for (const { updates } of changes) applyTo(note.view, updates, `what is pending of ${id}`);
}

/** Takes a note as the log has it. */
function learn(id, text) {
  const log = new Y.Doc();
  if (text?.state) applyTo(log, [bytes(text.state)], `the state of ${id}`);
  if (textOf(log) !== (text?.plain ?? "")) fail(`the state of ${id} reads "${textOf(log)}", its text "${text.plain}"`);
  const known = notes.get(id) ?? kept.get(id);
  notes.set(id, { log, view: null, generation: text?.generation });
  kept.delete(id);
  // Of what was pushed and said anew since, the log has what the room made of it.
  const there = pending.filter((change) => change.id === id && change.seq <= logged);
  if (!known || (known.generation === text?.generation && !there.some(({ anew }) => anew))) return rebase(id);
  const older = copyOf(known.log);
  for (const { updates } of there) applyTo(older, updates, `what was pending of ${id}`);
  rebase(id, older);
}

/** Puts a new document in the place of a note's, with what a compaction inserts and nothing else. */
function follow(commit, { id, update, compacted }) {
  const note = notes.get(id);
  const older = note.log;
  const plain = textOf(older);
  const edited = copyOf(older);
  applyTo(edited, [bytes(update)], `the compaction ${commit.revision}`);
  if (textOf(edited) !== plain) fail(`the compaction ${commit.revision} of "${plain}" reads "${textOf(edited)}"`);
  const { structs } = Y.decodeUpdate(bytes(update));
  if (structs.some((block) => block.id.client !== compacted)) fail(`other clients' blocks in ${JSON.stringify(commit)}`);
  if (commit.client !== "compaction" || commit.by.id !== "compaction") fail(`compacted by ${JSON.stringify(commit)}`);
  note.log = new Y.Doc();
  note.log.clientID = compacted;
  note.log.getText("text").insert(0, structs.map((block) => block.content.str).join(""));
  if (textOf(note.log) !== plain) fail(`of "${plain}" the compaction ${commit.revision} keeps "${textOf(note.log)}"`);
  note.generation = compacted;
  followed += 1;
  rebase(id, older);
}

function apply(commit) {
  if (commit.refused?.length) fail(`refused: ${JSON.stringify(commit)}`);
  const answers = commit.client === me && pending.length > 0 && commit.seq === pending[0].seq;
  const [mine] = answers ? pending.splice(0, 1) : [];
  if (mine) answered = mine.seq;
  // A change that came again is answered with the commit that it has; what it did is here.
  if (commit.revision <= position.revision) return;
  if (commit.revision !== position.revision + 1) fail(`revision ${commit.revision} came after ${position.revision}`);
  position.revision = commit.revision;
  // What the log has of an edit may be other bytes than were made here: pending ones build on these.
  const same = mine && mine.updates.map(base64).join() === commit.ops.map(({ update }) => update).join();
  const older = mine && !same && copyOf(notes.get(mine.id).log);
  if (older) applyTo(older, mine.updates, `change ${mine.seq}`);
  for (const op of commit.ops) {
    if (op.op === "add_widget" && op.widget.kind === "note") learn(op.id, op.widget.text);
    if (op.op !== "edit_text") continue;
    if (op.compacted) {
      follow(commit, op);
      continue;
    }
    const { log, view } = notes.get(op.id);
    applyTo(log, [bytes(op.update)], `revision ${commit.revision}`);
    if (!mine) applyTo(view, [bytes(op.update)], `revision ${commit.revision}`);
  }
  if (older) rebase(mine.id, older);
}

/**
 * Pushes what is not on its way, but for what builds on changes that the log will have under other ids. What is no
 * edit any more, as others have removed the same, is left out.
 */
function push() {
  if (!joined || pending.some(({ sent, anew }) => sent && anew)) return;
  pending = pending.filter(({ sent, seq, updates }) => sent || seq <= logged || updates.length);
  let last = Math.max(answered, logged);
  for (const change of pending) {
    if (!change.sent && change.seq > logged) change.seq = last + 1;
    last = Math.max(last, change.seq);
  }
  const changes = pending.filter(({ sent }) => !sent);
  if (!changes.length) return;
  for (const change of changes) change.sent = true;
  const ops = ({ id, updates }) => updates.map((update) => ({ op: "edit_text", id, update: base64(update) }));
  send({ type: "push", dashboard, changes: changes.map((change) => ({ seq: change.seq, base: change.base, ops: ops(change) })) });
}

const on = {
  welcome(message) {
    me = message.client;
    const resume = position ?? undefined;
    send({ type: "join", dashboard, resume, compactions: true });
    const [from, every] = [socket, message.heartbeat_ms];
    const beat = setInterval(() => send({ type: "ping", id: 1 }), every);
    from.on("close", () => clearInterval(beat));
  },
  joined({ epoch, revision, token, last_seq, snapshot, commits }) {
    for (const change of pending) change.sent = false;
    if (snapshot) {
      logged = last_seq;
      position = { epoch, revision, token };
      const all = Object.entries(snapshot.widgets).filter(([, { kind }]) => kind === "note");
      for (const [id, { text }] of all) learn(id, text);
    } else {
      commits.forEach(apply);
      if (position.revision !== revision) fail(`the tail ends at ${position.revision}, not at ${revision}`);
      if (position.epoch !== epoch) fail(`a tail of another log`);
      position = { epoch, revision, token };
      if (pending.some(({ seq }) => seq > logged && seq <= last_seq)) fail(`the tail lacks what I pushed up to ${last_seq}`);
    }
    // The log does not have them: they are pushed as they are said now.
    for (const change of pending) if (change.seq > last_seq) change.anew = false;
    joined = true;
  },
  commits({ commits, token, forgotten }) {
    if (forgotten) fail(`${forgotten} is forgotten`);
    commits.forEach(apply);
    if (token) position.token = token;
  },
  rejected(message) {
    // A server that drains takes nothing more; what is pending is pushed again after the next join.
    if (!["internal", "out_of_order"].includes(message.code)) fail(JSON.stringify(message));
  },
  error(message) {
    if (!message.retry_after_ms) fail(JSON.stringify(message));
  },
};

function send(message) {
  if (socket?.readyState === WebSocket.OPEN) socket.send(JSON.stringify(message));
}

function leave() {
  joined = false;
  socket?.terminate();
  socket = undefined;
}

function connect() {
  leave();
  const mine = new WebSocket(`${server.replace("http", "ws")}/api/v1/ws`);
  socket = mine;
  const gone = () => {
    if (socket === mine) [socket, joined] = [undefined, false];
    look();
  };
  mine.on("open", () => mine.send(JSON.stringify({ type: "hello", protocol: 1, client, name })));
  mine.on("error", gone);
  mine.on("close", gone);
  mine.on("message", (data) => {
    if (socket !== mine) return;
    const message = JSON.parse(data.toString());
    on[message.type]?.(message);
    push();
    look();
  });
}

/** What was made in the view of a note is pending, and pushed. */
function made(id, updates) {
  const seq = (pending.at(-1)?.seq ?? Math.max(answered, logged)) + 1;
  pending.push({ seq, base: position.revision, id, updates, sent: false, anew: false });
  push();
}

/** Edits a note in one transaction; what it removed, null where the note is not here. */
function edit({ note: id, at, remove, insert }) {
  if (!notes.has(id)) return { removed: null };
  const { view } = notes.get(id);
  const characters = [...textOf(view)];
  const from = Math.floor(at * (characters.length + 1));
  const removed = characters.slice(from, from + remove).join("");
  const index = characters.slice(0, from).join("").length;
  if (!removed && !insert) return { removed };
  const update = madeBy(view, (text) => {
    text.delete(index, removed.length);
    text.insert(index, insert);
  });
  made(id, [update]);
  return { removed };
}

/** Writes letters in each other's place, each as another Yjs client, and removes the last; null where the note is not here. */
function age({ note: id, at, letters }) {
  if (!notes.has(id)) return { removed: null };
  const note = notes.get(id);
  const all = [...letters];
  const characters = [...textOf(note.view)];
  const index = characters.slice(0, Math.floor(at * (characters.length + 1))).join("").length;
  const updates = ["", ...all].map((letter, n) => {
    note.view = copyOf(note.view);
    return madeBy(note.view, (text) => {
      text.insert(index, all[n] ?? "");
      text.delete(index + (all[n] ?? "").length, letter.length);
    });
  });
  made(id, updates);
  return { removed: letters };
}

function texts() {
  const of = ({ log, view }) => ({ log: textOf(log), view: textOf(view), vector: base64(Y.encodeStateVector(log)) });
  return Object.fromEntries([...notes].map(([id, note]) => [id, of(note)]));
}

const commands = {
  edit: (command, answer) => answer(edit(command)),
  age: (command, answer) => answer(age(command)),
  /** Answers once it has joined, or once that failed. */
  connect(_, answer) {
    connect();
    waits.push({ until: () => joined || !socket, answer: () => answer({ joined }) });
  },
  leave(_, answer) {
    leave();
    answer({});
  },
  /**
   * Forgets what a tab forgets: all but its client, what is pending, and its copy where one is stored. Where none is,
   * it keeps the texts on which the pending edits were made.
   */
  reload({ stored }, answer) {
    leave();
    if (stored) {
      for (const [id, note] of notes) {
        note.log = copyOf(note.log);
        rebase(id);
      }
    } else {
      position = null;
      for (const [id, note] of notes) if (pending.some((change) => change.id === id)) kept.set(id, note);
      notes = new Map();
    }
    answer({});
  },
  /** Answers with the texts once nothing is pending and a revision of the log is here. */
  texts({ revision }, answer) {
    const until = () => joined && pending.length === 0 && position.revision >= revision;
    waits.push({ until, answer: () => answer({ texts: texts(), followed }) });
  },
};

function look() {
  const ready = waits.filter(({ until }) => until());
  waits = waits.filter((wait) => !ready.includes(wait));
  for (const { answer } of ready) answer();
}

readline.createInterface({ input: process.stdin }).on("line", (line) => {
  const { id, ...command } = JSON.parse(line);
  commands[command.do](command, (answer) => process.stdout.write(`${JSON.stringify({ id, ...answer })}\n`));
  look();
}).on("close", () => process.exit(0));
