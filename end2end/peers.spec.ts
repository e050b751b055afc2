// Two pages, a client on JavaScript's Yjs and one on pycrdt edit the same notes at random, with reloads, offline spells
// and restarts of the server. In the end all have the same texts: what anybody removed is gone, all else is there once.
//
// LOCKSTEP_PEERS_SEED=7 plays the plan of a run again; how its edits meet is for the machine to say.
import { randomInt } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import type { Browser } from "@playwright/test";
import * as Y from "yjs";
import { keptCopy, opensOffline } from "./device.ts";
import { expect, test } from "./fixtures.ts";
import { type Edit, Peer, type Texts } from "./peers/peer.ts";
import { Person } from "./person.ts";
import { Line } from "./proxy.ts";
import { Server } from "./server.ts";

// What Chromium itself writes about a connection that a test has cut.
const CUT = /WebSocket connection|net::ERR_|Failed to load resource/;
const ROUNDS = 7;
const EDITS = { fewest: 3, most: 6 };
// Of one letter, each as another Yjs client: what they leave is more than the 2 KiB from which on a note is compacted.
const REPLACEMENTS = 100;

/** The same numbers for the same seed (mulberry32). */
class Random {
  constructor(private state: number) {}

  share(): number {
    this.state = (this.state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(this.state ^ (this.state >>> 15), 1 | this.state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  }

  whole(fewest: number, most: number): number {
    return fewest + Math.floor(this.share() * (most - fewest + 1));
  }

  one<T>(of: T[]): T {
    return of[this.whole(0, of.length - 1)];
  }

  shuffled<T>(all: T[]): T[] {
    const rest = [...all];
    return all.map(() => rest.splice(this.whole(0, rest.length - 1), 1)[0]);
  }
}

/** What was written and what was removed. No character is ever written twice. */
class Ledger {
  readonly written: { note: string; run: string; by: string }[] = [];
  readonly removed = new Set<string>();

  /** Fails where a text of a note is not what it must be once all is said. */
  expectWhole(note: string, text: string) {
    const characters = [...text];
    expect(new Set(characters).size, `nothing twice in ${text}`).toBe(characters.length);
    const runs = this.written.filter((written) => written.note === note);
    const left = runs.flatMap(({ run }) => [...run].filter((character) => !this.removed.has(character)));
    expect([...characters].sort(), "what nobody removed, and nothing else").toEqual(left.sort());
    for (const { run, by } of runs) {
      const kept = [...run].filter((character) => !this.removed.has(character));
      expect(characters.filter((character) => kept.includes(character)), `in the order in which ${by} wrote it`).toEqual(kept);
    }
  }
}

/** Characters of one writer, each once: mostly of one UTF-16 unit, some of two. */
function* alphabet(from: number, fromOfTwo: number): Generator<string, never> {
  for (let n = 0; ; n++) yield String.fromCodePoint((n % 7 === 6 ? fromOfTwo : from) + n);
}

/** Whoever takes part. */
abstract class Writer {
  abstract readonly name: string;
  protected away = false;

  constructor(
    protected readonly random: Random,
    protected readonly letters: Generator<string, never>,
  ) {}

  /** What the edit removed; null where nothing could be done. */
  protected abstract perform(edit: Edit): Promise<string | null>;
  protected abstract cut(): Promise<void>;
  /** Whether it is connected again, as far as that can be told at once. */
  protected abstract mend(): Promise<boolean>;
  /** Opens anew what it had, with or without a connection. */
  abstract reload(): Promise<void>;
  /** The texts, once all of its own is saved and a revision of the log is here. */
  abstract texts(revision: number): Promise<Texts>;
  abstract end(): Promise<void>;

  async edit(notes: string[], ledger: Ledger) {
    const kind = this.random.one(["insert", "insert", "replace", "remove"]);
    const length = kind === "remove" ? 0 : this.random.whole(1, 6);
    const edit = {
      note: this.random.one(notes),
      // Often at an end, where people write.
      at: this.random.one([0, this.random.share(), this.random.share(), 0.9999]),
      remove: kind === "insert" ? 0 : this.random.whole(1, 4),
      insert: Array.from({ length }, () => this.letters.next().value).join(""),
    };
    const removed = await this.perform(edit);
    if (removed === null) return;
    if (edit.insert) ledger.written.push({ note: edit.note, run: edit.insert, by: this.name });
    for (const character of removed) ledger.removed.add(character);
  }

  /** Gives one of the notes a history, where this writer can: a page is one Yjs client. */
  async age(_notes: string[], _ledger: Ledger) {}

  async leave() {
    this.away = true;
    await this.cut();
  }

  async comeBack() {
    this.away = false;
    await this.mend();
  }

  /** Connects anew where it is not away: the server was started again. */
  async reconnect() {
    if (!this.away) expect(await this.mend(), `${this.name} is back`).toBe(true);
  }
}

class Client extends Writer {
  constructor(
    readonly name: "yjs" | "pycrdt",
    private readonly peer: Peer,
    ...rest: [Random, Generator<string, never>]
  ) {
    super(...rest);
  }

  protected async perform(edit: Edit) {
    return this.peer.edit(edit);
  }

  async age(notes: string[], ledger: Ledger) {
    const note = this.random.one(notes);
    const letters = Array.from({ length: REPLACEMENTS }, () => this.letters.next().value).join("");
    const removed = await this.peer.age({ note, at: this.random.share(), letters });
    if (removed === null) return;
    ledger.written.push({ note, run: letters, by: this.name });
    for (const character of removed) ledger.removed.add(character);
  }

  /** Compactions that it has followed. */
  get followed() {
    return this.peer.followed;
  }

  protected async cut() {
    await this.peer.leave();
  }

  protected async mend() {
    return this.peer.connect();
  }

  async reload() {
    await this.peer.reload(this.random.one([true, false]));
    // Where the server is being started again, it connects after that.
    if (!this.away) await this.peer.connect();
  }

  async texts(revision: number) {
    return this.peer.texts(revision);
  }

  async end() {
    await this.peer.stop();
  }
}

class Page extends Writer {
  readonly name: string;

  constructor(
    readonly person: Person,
    private readonly line: Line,
    private readonly notes: string[],
    ...rest: [Random, Generator<string, never>]
  ) {
    super(...rest);
    this.name = person.name;
  }

  static async open(browser: Browser, name: string, server: Server, dashboard: string): Promise<[Person, Line]> {
    const line = await Line.to(server.url);
    const person = await Person.arrive(browser, line.url, name);
    await person.open(dashboard);
    return [person, line];
  }

  protected async perform(edit: Edit) {
    // By keys, one after the other, or at once as from the clipboard.
    const typed = edit.insert !== "" && this.random.one([true, false]);
    const area = this.person.widget(edit.note).locator("textarea");
    const removed = await area.evaluate(
      (area: HTMLTextAreaElement, { at, remove, insert, typed }) => {
        const characters = [...area.value];
        const from = Math.floor(at * (characters.length + 1));
        const removed = characters.slice(from, from + remove).join("");
        const start = characters.slice(0, from).join("").length;
        area.focus();
        area.setSelectionRange(start, start + removed.length);
        if (insert && !typed) document.execCommand("insertText", false, insert);
        else if (removed) document.execCommand("delete");
        return removed;
      },
      { ...edit, typed },
    );
    if (typed) await this.person.page.keyboard.type(edit.insert);
    return removed;
  }

  protected async cut() {
    this.line.cut();
  }

  protected async mend() {
    this.line.mend();
    // What a browser says when its network is back: the page asks at once instead of waiting.
    await this.person.page.evaluate(() => window.dispatchEvent(new Event("online")));
    return true;
  }

  async reload() {
    await expect
      .poll(() => this.person.page.evaluate(() => window.dispatchEvent(new Event("beforeunload", { cancelable: true }))), {
        message: "all edits are on the device or saved",
      })
      .toBe(true);
    await this.person.page.reload();
    for (const note of this.notes) await expect(this.person.widget(note).locator("textarea")).toBeAttached();
  }

  /** Waits until its next pages open without a network, and show these notes. */
  async settled(dashboard: string) {
    await opensOffline(this.person.page);
    await expect
      .poll(async () => (await keptCopy(this.person.page, dashboard))?.dashboard.widgets ?? {})
      .toHaveProperty(this.notes[1]);
  }

  async texts() {
    await this.person.saved();
    const read = async (note: string) => {
      const text = await this.person.widget(note).locator("textarea").inputValue();
      return [note, { log: text, view: text }];
    };
    return Object.fromEntries(await Promise.all(this.notes.map(read)));
  }

  async end() {
    await this.person.leave();
    await this.line.close();
  }
}

/** What the server stores of a note, as a fresh document on Yjs reads it. */
function readState(state: string): Y.Doc {
  const doc = new Y.Doc();
  if (state) Y.applyUpdate(doc, Buffer.from(state, "base64"));
  expect(doc.store.pendingStructs, "the state is whole").toBeNull();
  return doc;
}

/** The clocks of each Yjs client in a state vector. */
function clocks(vector: Uint8Array): [number, number][] {
  return [...Y.decodeStateVector(vector)].sort(([one], [other]) => one - other);
}

/** How far the pages are in a round: outside clients are much faster, and edit along with them. */
class Pace {
  private waits: { steps: number; go: () => void }[] = [];
  private done = 0;

  constructor(private underWay: number) {}

  step() {
    this.done += 1;
    this.look();
  }

  /** A page has done all of its steps. */
  end() {
    this.underWay -= 1;
    this.look();
  }

  /** Waits until the pages have done so many steps, or all of theirs. */
  reached(steps: number): Promise<void> {
    return new Promise((go) => {
      this.waits.push({ steps, go });
      this.look();
    });
  }

  private look() {
    const ready = this.waits.filter(({ steps }) => this.underWay === 0 || steps <= this.done);
    this.waits = this.waits.filter((wait) => !ready.includes(wait));
    for (const { go } of ready) go();
  }
}

type Step = "edit" | "age" | "reload" | "leave" | "comeBack";
type Round = { steps: Step[][]; restart?: "SIGTERM" | "SIGKILL" };

/** Who does what in which round: edits, and among them each of the mishaps in some round, which others share. */
function plan(random: Random, writers: number): Round[] {
  const rounds = Array.from({ length: ROUNDS }, (): Round => {
    const edits = () => Array<Step>(random.whole(EDITS.fewest, EDITS.most)).fill("edit");
    return { steps: Array.from({ length: writers }, edits) };
  });
  const insert = (round: number, writer: number, ...steps: Step[]) => {
    const all = rounds[round].steps[writer];
    all.splice(random.whole(0, all.length), 0, ...steps);
  };
  const [stop, kill] = random.shuffled(rounds.map((_, round) => round));
  rounds[stop].restart = "SIGTERM";
  rounds[kill].restart = "SIGKILL";
  for (let writer = 0; writer < writers; writer++) {
    const from = random.whole(0, ROUNDS - 2);
    insert(from, writer, "leave");
    insert(random.whole(from + 1, ROUNDS - 1), writer, "comeBack");
    // One of them while it is away.
    insert(from + 1, writer, "reload");
    insert(random.whole(0, ROUNDS - 1), writer, "reload");
    for (let times = 0; times < 2; times++) insert(random.whole(0, ROUNDS - 1), writer, "age");
  }
  return rounds;
}

let end = async () => {};
test.afterEach(() => end());

test("pages and outside clients edit the same notes at random, and all texts agree", async ({ browser }, info) => {
  test.setTimeout(150_000);
  const seed = Number(process.env.LOCKSTEP_PEERS_SEED ?? randomInt(1_000_000));
  console.log(`LOCKSTEP_PEERS_SEED=${seed}`);
  info.annotations.push({ type: "seed", description: `LOCKSTEP_PEERS_SEED=${seed}` });
  const random = new Random(seed);
  const ledger = new Ledger();

  const data = mkdtempSync(path.join(tmpdir(), "lockstep-peers-"));
  let server = await Server.start({ LOCKSTEP_DATA_DIR: data });
  const writers: Writer[] = [];
  end = async () => {
    for (const writer of writers) await writer.end();
    await server.stop();
    rmSync(data, { recursive: true, force: true });
  };
  const { url } = server;
  const restart = async (signal: "SIGTERM" | "SIGKILL") => {
    await server.stop(signal);
    server = await Server.start({ LOCKSTEP_DATA_DIR: data, LOCKSTEP_ADDR: new URL(url).host });
  };
  const dashboard = await server.dashboard("Runbook");
  const [ada, adas] = await Page.open(browser, "Ada", server, dashboard);
  const notes = [await ada.add("note"), await ada.add("note")];
  await ada.saved();
  const [grace, graces] = await Page.open(browser, "Grace", server, dashboard);
  const own = () => new Random(random.whole(0, 0x7fff_ffff));
  const pages = [
    new Page(ada, adas, notes, own(), alphabet(0x4e00, 0x20000)),
    new Page(grace, graces, notes, own(), alphabet(0x6000, 0x21000)),
  ];
  const clients = (["yjs", "pycrdt"] as const).map(
    (kind, n) =>
      new Client(kind, Peer.start(kind, url, dashboard), own(), alphabet(0x7000 + n * 0x1000, 0x22000 + n * 0x1000)),
  );
  writers.push(...pages, ...clients);
  for (const page of pages) await page.settled(dashboard);
  for (const client of clients) await client.reconnect();

  /** What the server has, once it has what everybody wrote and everybody has that. */
  const settle = async () => {
    for (const writer of writers) await writer.texts(0);
    const { revision, dashboard: held } = await server.read(dashboard);
    for (const client of clients) await client.texts(revision);
    return { revision, texts: notes.map((note) => [note, held.widgets[note].text] as const) };
  };
  const agree = async () => {
    const { revision, texts } = await settle();
    for (const [note, { plain, state }] of texts) {
      ledger.expectWhole(note, plain);
      const doc = readState(state);
      expect(doc.getText("text").toString()).toBe(plain);
      for (const writer of writers) {
        const read = async () => {
          const { log, view } = (await writer.texts(revision))[note];
          return { log, view };
        };
        await expect.poll(read, { message: `what ${writer.name} has` }).toEqual({ log: plain, view: plain });
      }
      for (const client of clients) {
        const vector = Buffer.from((await client.texts(revision))[note].vector!, "base64");
        expect(clocks(vector), `the clocks that ${client.name} has`).toEqual(clocks(Y.encodeStateVector(doc)));
      }
    }
  };

  // Both notes have a history to begin with, and are compacted.
  for (const client of clients) for (const note of notes) await client.age([note], ledger);
  for (const [note, { generation }] of (await settle()).texts) expect(generation, `a compaction of ${note}`).toBeTruthy();
  for (const client of clients) expect(client.followed, `compactions that ${client.name} followed`).toBeGreaterThan(0);

  for (const round of plan(random, writers.length)) {
    const pace = new Pace(pages.length);
    const work = writers.map(async (writer, n) => {
      for (const [done, step] of round.steps[n].entries()) {
        if (writer instanceof Client) await pace.reached(done * pages.length);
        if (step === "edit" || step === "age") await writer[step](notes, ledger);
        else await writer[step]();
        if (writer instanceof Page) pace.step();
      }
      if (writer instanceof Page) pace.end();
    });
    await Promise.all([...work, round.restart && restart(round.restart)]);
    if (round.restart) for (const writer of writers) await writer.reconnect();
  }
  for (const writer of writers) await writer.comeBack();

  await agree();
  await restart("SIGTERM");
  for (const writer of writers) {
    await writer.reload();
    await writer.reconnect();
  }
  await agree();
  expect(ledger.removed.size, "something was removed").toBeGreaterThan(0);
  for (const { person } of pages) person.expectQuiet(CUT);
  info.annotations.push({ type: "compactions", description: clients.map(({ name, followed }) => `${name} ${followed}`).join() });
});
