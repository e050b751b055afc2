// The real program, on a port of its own with a data directory of its own.
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import readline from "node:readline";
import { fileURLToPath } from "node:url";
import { Front } from "./front.ts";

const ROOT = fileURLToPath(new URL("..", import.meta.url));

/** Where a server is to be found. */
type Where = { behind?: string; at?: string };

export class Server {
  private constructor(
    private readonly child: ChildProcess,
    readonly url: string,
    private readonly dataDir: string,
    private readonly log: string[],
    private readonly front?: Front,
  ) {}

  /**
   * Starts the program and waits until it says where it is. Behind `nginx` it is below a path; LOCKSTEP_BEHIND puts it
   * there in every test that names nothing. `at` is the address of one that ended.
   */
  static async start(settings: Record<string, string> = {}, place: Where = {}): Promise<Server> {
    const { behind = process.env.LOCKSTEP_BEHIND ?? "", at } = place;
    const front = behind === "nginx" ? await Front.choose(at) : undefined;
    const dataDir = mkdtempSync(path.join(tmpdir(), "lockstep-e2e-"));
    const child = spawn(binary(), [], {
      cwd: dataDir,
      env: {
        ...process.env,
        LOCKSTEP_ADDR: at && !front ? new URL(at).host : "127.0.0.1:0",
        LOCKSTEP_DATA_DIR: dataDir,
        // All tests come from one address.
        LOCKSTEP_LIMIT_DASHBOARD_REQUESTS_BURST: "1000000",
        LOCKSTEP_SITE_ROOT: process.env.LOCKSTEP_SITE_ROOT ?? site(),
        ...front?.settings,
        ...settings,
      },
      stdio: ["ignore", "pipe", "pipe"],
    });
    const log: string[] = [];
    readline.createInterface({ input: child.stderr! }).on("line", (line) => {
      log.push(line);
      if (log.length > 200) log.shift();
    });
    const url = await new Promise<string>((found, lost) => {
      readline.createInterface({ input: child.stdout! }).on("line", (line) => {
        const says = /^Lockstep is at (https?:\S+)/.exec(line);
        if (says) found(says[1].replace(/\/$/, ""));
      });
      child.once("error", lost);
      child.once("exit", (code) => lost(new Error(`the server ended with ${code}\n${log.join("\n")}`)));
    });
    await front?.start(url);
    return new Server(child, front?.url ?? url, dataDir, log, front);
  }

  /** What browsers send as `Origin`: the address without a path. */
  get origin(): string {
    return new URL(this.url).origin;
  }

  /** A new dashboard's id. */
  async dashboard(title: string): Promise<string> {
    const answer = await fetch(`${this.url}/api/v1/dashboards`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ title }),
    });
    if (answer.status !== 201) throw new Error(`POST dashboards: ${answer.status} ${await answer.text()}`);
    return (await answer.json()).id;
  }

  /** Moves a dashboard to the bin, as somebody without a name. */
  async remove(id: string) {
    const answer = await fetch(`${this.url}/api/v1/dashboards/${id}`, { method: "DELETE" });
    if (answer.status !== 204) throw new Error(`DELETE dashboard: ${answer.status} ${await answer.text()}`);
  }

  /** What the server holds of a dashboard. */
  async read(id: string): Promise<{ revision: number; dashboard: { title: string; widgets: Record<string, any> } }> {
    const answer = await fetch(`${this.url}/api/v1/dashboards/${id}`);
    if (!answer.ok) throw new Error(`GET dashboard: ${answer.status} ${await answer.text()}`);
    return answer.json();
  }

  /** The last lines that it logged. */
  get said(): string {
    return this.log.join("\n");
  }

  /** Ends it, in good order or, with SIGKILL, as a crash does. */
  async stop(signal: "SIGTERM" | "SIGKILL" = "SIGTERM") {
    await this.front?.stop();
    if (this.child.exitCode === null && this.child.signalCode === null) {
      const ended = new Promise((done) => this.child.once("exit", done));
      this.child.kill(signal);
      const late = setTimeout(() => this.child.kill("SIGKILL"), 12_000);
      await ended;
      clearTimeout(late);
    }
    rmSync(this.dataDir, { recursive: true, force: true });
  }
}

function binary(): string {
  const chosen = process.env.LOCKSTEP_BIN ?? path.join(targetDir(), "release", "lockstep");
  if (!existsSync(chosen)) throw new Error(`${chosen} is not there: run make build, or set LOCKSTEP_BIN`);
  return chosen;
}

export function site(): string {
  return execFileSync(path.join(ROOT, "scripts/site.sh"), { encoding: "utf8" }).trim();
}

function targetDir(): string {
  const metadata = execFileSync("cargo", ["metadata", "--format-version", "1", "--no-deps"], { cwd: ROOT });
  return JSON.parse(metadata.toString()).target_directory;
}
