// An outside client as a process of its own: on JavaScript's Yjs, or on pycrdt. It is told what to do, a line each.
import { type ChildProcess, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import path from "node:path";
import readline from "node:readline";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const HERE = path.join(ROOT, "end2end/peers");
// For what a peer waits for must come; the server was started again meanwhile at the most.
const PATIENCE_MS = 30_000;

/** What to do to a note: at a share of its length, in characters. */
export type Edit = { note: string; at: number; remove: number; insert: string };
/** Many small replacements at a share of its length, of which nothing stays but their history. */
export type Age = { note: string; at: number; letters: string };
/** A note: what the log says, and what its own person sees; of a peer also the Yjs state vector of the former. */
export type Texts = Record<string, { log: string; view: string; vector?: string }>;

type Answer = { id: number; joined?: boolean; removed?: string | null; texts?: Texts; followed?: number };

export class Peer {
  /** Compactions that it had followed when it last told its texts. */
  followed = 0;
  private readonly waits = new Map<number, { done: (answer: Answer) => void; lost: (error: Error) => void }>();
  private readonly complaints: string[] = [];
  private last = 0;

  private constructor(
    readonly name: string,
    private readonly child: ChildProcess,
  ) {
    readline.createInterface({ input: child.stdout! }).on("line", (line) => {
      const answer: Answer = JSON.parse(line);
      this.waits.get(answer.id)?.done(answer);
      this.waits.delete(answer.id);
    });
    readline.createInterface({ input: child.stderr! }).on("line", (line) => this.complaints.push(line));
    // Its last words have been read by then.
    child.once("close", (code) => this.end(new Error(`${name} ended with ${code}\n${this.complaints.join("\n")}`)));
    child.once("error", (error) => this.end(error));
    // Of a process that has ended, which "close" tells.
    child.stdin!.on("error", () => {});
  }

  /** Starts a peer that is not connected yet. */
  static start(kind: "yjs" | "pycrdt", server: string, dashboard: string): Peer {
    const python = path.join(ROOT, ".venv/bin/python");
    if (kind === "pycrdt" && !existsSync(python)) throw new Error(`${python} is not there: run scripts/setup.sh --test`);
    const [program, ...script] =
      kind === "yjs" ? [process.execPath, path.join(HERE, "yjs.mjs")] : [python, "-B", path.join(HERE, "pycrdt_peer.py")];
    const client = randomBytes(16).toString("hex");
    const child = spawn(program, [...script, server, dashboard, client, kind], { stdio: ["pipe", "pipe", "pipe"] });
    return new Peer(kind, child);
  }

  /** Connects anew; whether it joined. */
  async connect(): Promise<boolean> {
    return (await this.tell({ do: "connect" })).joined!;
  }

  /** Ends the connection as a cut line does. */
  async leave() {
    await this.tell({ do: "leave" });
  }

  /** Forgets what a tab forgets, also its copy where it stores none. It is not connected then. */
  async reload(stored: boolean) {
    await this.tell({ do: "reload", stored });
  }

  /** What the edit removed; null where the note is not here yet and nothing was done. */
  async edit(edit: Edit): Promise<string | null> {
    return (await this.tell({ do: "edit", ...edit })).removed!;
  }

  /** Writes letters in each other's place, each as another Yjs client; as `edit`, what that removed. */
  async age(age: Age): Promise<string | null> {
    return (await this.tell({ do: "age", ...age })).removed!;
  }

  /** The texts, once nothing is pending and a revision of the log is here. */
  async texts(revision: number): Promise<Texts> {
    const { texts, followed } = await this.tell({ do: "texts", revision });
    this.followed = followed!;
    return texts!;
  }

  async stop() {
    if (this.hasEnded) return;
    const ended = new Promise((done) => this.child.once("close", done));
    this.child.kill("SIGKILL");
    await ended;
  }

  private tell(command: object): Promise<Answer> {
    const id = ++this.last;
    return new Promise((done, lost) => {
      if (this.hasEnded) return lost(new Error(`${this.name} has ended\n${this.complaints.join("\n")}`));
      const late = setTimeout(() => {
        this.waits.delete(id);
        lost(new Error(`${this.name} has not answered ${JSON.stringify(command)} for ${PATIENCE_MS} ms`));
      }, PATIENCE_MS);
      const over = <T>(end: (of: T) => void) => (of: T) => (clearTimeout(late), end(of));
      this.waits.set(id, { done: over(done), lost: over(lost) });
      this.child.stdin!.write(`${JSON.stringify({ id, ...command })}\n`);
    });
  }

  private get hasEnded(): boolean {
    return this.child.exitCode !== null || this.child.signalCode !== null;
  }

  private end(error: Error) {
    for (const { lost } of this.waits.values()) lost(error);
    this.waits.clear();
  }
}
