// A program at work on a dashboard: it speaks to the socket from Node, without a page.
import { randomUUID } from "node:crypto";
import WebSocket from "ws";
import type { Server } from "./server.ts";

export class Script {
  private seq = 0;
  private revision = 0;
  private readonly waiting: { is: (message: any) => boolean; done: (message: any) => void }[] = [];

  private constructor(
    private readonly socket: WebSocket,
    private readonly dashboard: string,
  ) {
    socket.on("message", (data) => {
      const message = JSON.parse(data.toString());
      if (message.type === "joined") this.revision = message.revision;
      if (message.type === "commits") this.revision = message.commits.at(-1).revision;
      for (const one of this.waiting.filter((one) => one.is(message))) {
        this.waiting.splice(this.waiting.indexOf(one), 1);
        one.done(message);
      }
    });
  }

  /** Joins a dashboard under a name, or by an API token under that of the token. */
  static async join(server: Server, dashboard: string, name: string, token?: string): Promise<Script> {
    const headers = token ? { authorization: `Bearer ${token}` } : {};
    const socket = new WebSocket(`${server.url.replace("http", "ws")}/api/v1/ws`, { headers });
    await new Promise((open, failed) => socket.once("open", open).once("error", failed));
    const script = new Script(socket, dashboard);
    const welcome = script.next((message) => message.type === "welcome");
    script.say({ type: "hello", protocol: 1, client: randomUUID(), name });
    await welcome;
    const joined = script.next((message) => message.type === "joined");
    script.say({ type: "join", dashboard });
    await joined;
    return script;
  }

  /** Makes a change, and waits until it is in the log. */
  async edit(...ops: object[]) {
    await this.change(this.revision, ops);
  }

  /** The same without having seen what the log has since a revision. */
  async change(base: number, ops: object[]) {
    const seq = ++this.seq;
    const judged = this.next(
      (message) =>
        message.type === "rejected" ||
        (message.type === "commits" && message.commits.some((commit: any) => commit.seq === seq && commit.ops.length > 0)),
    );
    this.say({ type: "push", dashboard: this.dashboard, changes: [{ seq, base, ops }] });
    const message = await judged;
    if (message.type === "rejected") throw new Error(`rejected: ${message.reason}`);
  }

  leave() {
    this.socket.close();
  }

  private say(message: object) {
    this.socket.send(JSON.stringify(message));
  }

  private next(is: (message: any) => boolean): Promise<any> {
    return new Promise((done) => this.waiting.push({ is, done }));
  }
}
