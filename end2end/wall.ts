// Dashboards that are filled through a socket of their own.
import type { Page } from "@playwright/test";

/** Adds widgets, more than any screen shows, from a page that may open sockets; `live` ones show this server's figures. */
export async function fill(feeder: Page, dashboard: string, count: number, live: boolean) {
  const kinds = ["stat", "stat", "stat", "timeseries", "note"];
  const queries = ["server.cpu", "server.memory", "server.sessions", "server.commits"];
  const ops = Array.from({ length: count }, (_, n) => {
    const kind = kinds[n % kinds.length];
    const options = live && kind !== "note" ? { query: queries[n % queries.length] } : {};
    const frame = { x: (n % 4) * 6, y: Math.floor(n / 4) * 4, w: 6, h: 4 };
    return { op: "add_widget", id: `w${n}`, widget: { kind, title: `Widget ${n}`, frame, options } };
  });
  await push(feeder, dashboard, ops);
}

/** Performs ops from a page that may open sockets, as a client of its own that stays. */
export async function push(feeder: Page, dashboard: string, ops: object[]) {
  await feeder.evaluate(
    async ({ dashboard, ops }) => {
      const { base = "" } = document.documentElement.dataset;
      const socket = new WebSocket(`ws://${location.host}${base}/api/v1/ws`);
      const say = (message: object) => socket.send(JSON.stringify(message));
      await new Promise<void>((done, failed) => {
        socket.onclose = (event) => failed(new Error(`closed with ${event.code}`));
        socket.onopen = () => say({ type: "hello", protocol: 1, client: crypto.randomUUID(), name: "Filler" });
        socket.onmessage = ({ data }) => {
          const message = JSON.parse(data);
          if (message.type === "welcome") say({ type: "join", dashboard });
          if (message.type === "joined") {
            say({ type: "push", dashboard, changes: [{ seq: 1, base: message.revision, ops }] });
          }
          if (message.type === "rejected") failed(new Error(message.reason));
          if (message.type === "commits") done();
        };
      });
      (window as any).edit = (seq: number, id: string, title: string) =>
        say({ type: "push", dashboard, changes: [{ seq, base: 1, ops: [{ op: "set", id, field: "title", value: title }] }] });
    },
    { dashboard, ops },
  );
}
