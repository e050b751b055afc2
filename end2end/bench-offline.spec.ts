// What it takes to open without a network, and to come back with much to catch up. Run by `make bench` only.
import type { Page } from "@playwright/test";
import { expect, test } from "./fixtures.ts";
import { Person } from "./person.ts";
import { Line } from "./proxy.ts";
import { Server } from "./server.ts";

const WIDGETS = 200;
const EDITS = 1_000;
const LOADS = 7;
const FREELY = { LOCKSTEP_LIMIT_CHANGES_PER_S: "100000", LOCKSTEP_LIMIT_CHANGES_BURST: "100000" };

/** Pushes changes from a page that only holds a socket, fifty in a frame, and waits for their commits. */
async function push(feeder: Page, dashboard: string, changes: object[][]) {
  await feeder.evaluate(
    async ({ dashboard, changes }) => {
      const { base = "" } = document.documentElement.dataset;
      const socket = new WebSocket(`ws://${location.host}${base}/api/v1/ws`);
      const say = (message: object) => socket.send(JSON.stringify(message));
      await new Promise<void>((done, failed) => {
        let missing = changes.length;
        socket.onclose = (event) => failed(new Error(`closed with ${event.code}`));
        socket.onopen = () => say({ type: "hello", protocol: 1, client: crypto.randomUUID(), name: "Feeder" });
        socket.onmessage = ({ data }) => {
          const message = JSON.parse(data);
          if (message.type === "welcome") say({ type: "join", dashboard });
          if (message.type === "rejected" || message.type === "error") failed(new Error(message.reason));
          if (message.type === "joined") {
            const all = changes.map((ops, n) => ({ seq: n + 1, base: message.revision, ops }));
            for (let n = 0; n < all.length; n += 50) {
              say({ type: "push", dashboard, changes: all.slice(n, n + 50) });
            }
          }
          if (message.type === "commits" && (missing -= message.commits.length) <= 0) done();
        };
      });
      socket.close();
    },
    { dashboard, changes },
  );
}

function widgets(count: number): object[] {
  const kinds = ["stat", "stat", "stat", "timeseries", "note"];
  return Array.from({ length: count }, (_, n) => {
    const frame = { x: (n % 4) * 6, y: Math.floor(n / 4) * 4, w: 6, h: 4 };
    return { op: "add_widget", id: `w${n}`, widget: { kind: kinds[n % 5], title: `Widget ${n}`, frame, options: {} } };
  });
}

const middle = (all: number[]) => [...all].sort((a, b) => a - b)[Math.floor(all.length / 2)];

test(`a dashboard with ${WIDGETS} widgets opens without a network`, async ({ browser }) => {
  test.setTimeout(120_000);
  const server = await Server.start(FREELY);
  const line = await Line.to(server.url);
  try {
    const id = await server.dashboard("Wall");
    const ada = await Person.arrive(browser, line.url, "Ada");
    await ada.page.goto(`${line.url}/status`);
    await push(ada.page, id, [widgets(WIDGETS)]);
    await ada.open(id);
    await expect(ada.widgets).toHaveCount(WIDGETS);
    await ada.page.evaluate(async () => {
      await navigator.serviceWorker.ready;
      while (!navigator.serviceWorker.controller) {
        await new Promise((done) => navigator.serviceWorker.addEventListener("controllerchange", done, { once: true }));
      }
    });
    // A copy is on the device, and then the page leaves, which writes it once more where it has to.
    await expect(ada.page.locator("html")).toBeVisible();
    await ada.page.goto(`${line.url}/status`);
    // From the beginning of the load to the frame that shows the last widget, and the first free moment after it.
    await ada.page.addInitScript((wanted) => {
      const seen = new MutationObserver(() => {
        if (document.querySelectorAll('[data-testid="widget"]').length < wanted) return;
        seen.disconnect();
        requestAnimationFrame(() => setTimeout(() => ((window as any).interactive = performance.now())));
        const whole = () => {
          if (document.querySelector(".widget[aria-busy]")) requestAnimationFrame(whole);
          else (window as any).whole = performance.now();
        };
        whole();
      });
      seen.observe(document, { subtree: true, childList: true });
    }, WIDGETS);
    await ada.context.setOffline(true);
    line.cut();
    const took: number[] = [];
    const whole: number[] = [];
    for (let n = 0; n < LOADS; n++) {
      // From the list, as a person does it. To leave a large page takes a while too, which is not measured.
      await ada.page.goto(line.url);
      await expect(ada.page.getByRole("link", { name: "Wall" })).toBeVisible();
      await ada.page.goto(`${line.url}/d/${id}`);
      await expect(ada.widgets).toHaveCount(WIDGETS);
      await expect(ada.sync).toHaveAttribute("data-state", "offline");
      await expect(ada.page.locator(".widget[aria-busy]")).toHaveCount(0);
      took.push(await ada.page.evaluate(() => (window as any).interactive));
      whole.push(await ada.page.evaluate(() => (window as any).whole));
    }
    console.log(
      `\n${WIDGETS} widgets opened without a network, from this device: ${middle(took).toFixed(0)} ms to interactive ` +
        `(wanted < 300), of ${LOADS} loads ${Math.min(...took).toFixed(0)} to ${Math.max(...took).toFixed(0)}; ` +
        `all that is below the screen is whole after ${middle(whole).toFixed(0)} ms`,
    );
    await ada.leave();
  } finally {
    await line.close();
    await server.stop();
  }
});

test(`${EDITS} edits that wait meet ${EDITS} of others`, async ({ browser }) => {
  test.setTimeout(180_000);
  const server = await Server.start(FREELY);
  const line = await Line.to(server.url);
  const feeding = await browser.newContext();
  try {
    const id = await server.dashboard("Back from a journey");
    const feeder = await feeding.newPage();
    await feeder.goto(`${server.url}/status`);
    await push(feeder, id, [widgets(50)]);
    const ada = await Person.arrive(browser, line.url, "Ada");
    // How long the page works on the frame that tells all that it missed: reading, catching up, rebasing, showing.
    await ada.page.addInitScript(() => {
      const set = Object.getOwnPropertyDescriptor(WebSocket.prototype, "onmessage")!;
      Object.defineProperty(WebSocket.prototype, "onmessage", {
        ...set,
        set(take: ((event: MessageEvent) => void) | null) {
          const timed = (event: MessageEvent) => {
            const begun = performance.now();
            take!.call(this, event);
            if (String(event.data).startsWith('{"type":"joined"')) {
              (window as any).joined = { took: performance.now() - begun, bytes: event.data.length };
            }
          };
          set.set!.call(this, take && timed);
        },
      });
    });
    await ada.open(id);
    await expect(ada.widgets).toHaveCount(50);
    await ada.rename("w0", "Renamed");
    await ada.saved();
    const from = (await server.read(id)).revision;

    line.cut();
    await expect(ada.sync).not.toHaveAttribute("data-state", "saved");
    // Each step back and forth is an edit of its own.
    await ada.page.evaluate(async (edits) => {
      for (let n = 0; n < edits; n++) {
        const button = document.querySelector<HTMLButtonElement>(`button[aria-label^="${n % 2 ? "Redo" : "Undo"}"]`)!;
        button.click();
        await new Promise((done) => setTimeout(done));
      }
    }, EDITS);
    await expect(ada.sync).toHaveAttribute("data-pending", String(EDITS));
    const ops = (n: number) => [{ op: "set", id: `w${1 + (n % 49)}`, field: "title", value: `Title ${n}` }];
    await push(feeder, id, Array.from({ length: EDITS }, (_, n) => ops(n)));

    line.mend();
    const begun = Date.now();
    await expect(ada.sync).toHaveAttribute("data-pending", "0", { timeout: 120_000 });
    const settled = Date.now() - begun;
    const { took, bytes } = await ada.page.evaluate(() => (window as any).joined);
    expect((await server.read(id)).revision).toBe(from + 2 * EDITS);
    console.log(
      `\n${EDITS} edits that waited, rebased over ${EDITS} of others: ${took.toFixed(0)} ms for the frame of ` +
        `${(bytes / 1000).toFixed(0)} KB (wanted < 100), all saved ${(settled / 1000).toFixed(1)} s after the line was whole`,
    );
    await ada.leave();
  } finally {
    await feeding.close();
    await line.close();
    await server.stop();
  }
});
