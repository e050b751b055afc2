// Servers one after the other at one address, with data that outlives each of them.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { Server } from "./server.ts";

/** Servers one after the other at one address, with files and data that a test keeps. */
export class Place {
  private constructor(
    readonly root: string,
    private server: Server,
  ) {}

  static async open(settings: (root: string) => Record<string, string> = () => ({})): Promise<Place> {
    const root = mkdtempSync(path.join(tmpdir(), "lockstep-place-"));
    const server = await Server.start({ ...settings(root), LOCKSTEP_DATA_DIR: path.join(root, "data") });
    return new Place(root, server);
  }

  get url(): string {
    return this.server.url;
  }

  get now(): Server {
    return this.server;
  }

  async stop(signal: "SIGTERM" | "SIGKILL" = "SIGTERM") {
    await this.server.stop(signal);
  }

  /** Comes back at the same address. */
  async start(settings: Record<string, string> = {}) {
    const data = { LOCKSTEP_DATA_DIR: path.join(this.root, "data") };
    this.server = await Server.start({ ...data, ...settings }, { at: this.server.url });
  }

  async close() {
    await this.server.stop();
    rmSync(this.root, { recursive: true, force: true });
  }
}
