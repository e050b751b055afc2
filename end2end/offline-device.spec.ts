// What this device keeps: edits outlive the tab, the browser and the server, and land exactly once.
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { type BrowserContext, chromium, type Page } from "@playwright/test";
import { keptCopy, opensOffline } from "./device.ts";
import { expect, test } from "./fixtures.ts";
import { Person } from "./person.ts";

// What Chromium itself writes about a connection that a test has cut.
const CUT = /WebSocket connection|net::ERR_|Failed to load resource/;

/** Waits until the device has a copy of a dashboard at a revision of the log. */
async function kept(page: Page, dashboard: string, revision: number) {
  await expect.poll(async () => (await keptCopy(page, dashboard))?.revision).toBe(revision);
}

/** Kills the browser of a profile as a flat battery would: without a word to it. */
function kill(profile: string) {
  const all = execFileSync("ps", ["-eo", "pid,args"], { encoding: "utf8" }).split("\n");
  // The browser itself; its other processes, which have a type, end with it.
  const browser = all.find((line) => line.includes(`--user-data-dir=${profile}`) && !line.includes("--type="));
  if (!browser) throw new Error(`no browser runs with ${profile}`);
  process.kill(Number.parseInt(browser), "SIGKILL");
}

test("fifty edits made without a network outlive the browser and land once", async ({ server, line, arrive }, info) => {
  test.setTimeout(180_000);
  const id = await server.dashboard("On a long flight");
  const cable = await line();
  const profile = mkdtempSync(path.join(tmpdir(), "lockstep-profile-"));
  const launch = () =>
    chromium.launchPersistentContext(profile, {
      ...info.project.use.launchOptions,
      viewport: { width: 1280, height: 800 },
    });
  let context: BrowserContext | undefined;
  try {
    context = await launch();
    let ada = await Person.introduce(context, cable.url, "Ada");
    await ada.open(id);
    const first = await ada.add("stat");
    await ada.rename(first, "Before the flight");
    await ada.saved();
    await opensOffline(ada.page);
    const before = (await server.read(id)).revision;
    await kept(ada.page, id, before);

    await context.setOffline(true);
    cable.cut();
    await ada.page.reload();
    await expect(ada.title(first)).toHaveText("Before the flight");
    await expect(ada.sync).toHaveAttribute("data-state", "offline");

    const made: string[] = [];
    for (let n = 0; n < 25; n++) {
      const widget = await ada.add("stat");
      await ada.rename(widget, `Made in the air ${n}`);
      made.push(widget);
    }
    await expect(ada.sync).toHaveAttribute("data-pending", "50");
    await expect(ada.sync).toContainText("Offline: 50 edits kept on this device");
    await context.close();

    context = await launch();
    await context.setOffline(true);
    ada = Person.at(await context.newPage(), cable.url, "Ada");
    await ada.page.goto(`${cable.url}/`);
    await expect(ada.page.getByTestId("dashboard-card").filter({ hasText: "On a long flight" })).toBeVisible();
    const waiting = ada.page.getByTestId("waiting-edits");
    await expect(waiting).toContainText("50 edits of yours wait");
    await waiting.getByRole("link").click();
    await expect(ada.sync).toHaveAttribute("data-pending", "50");
    await expect(ada.title(made[24])).toHaveText("Made in the air 24");
    await expect(ada.sync).toContainText("Offline: 50 edits kept on this device");
    expect((await server.read(id)).revision).toBe(before);

    cable.mend();
    await context.setOffline(false);
    await ada.saved();
    const after = await server.read(id);
    expect(after.revision).toBe(before + 50);
    expect(made.map((widget) => after.dashboard.widgets[widget].title)).toEqual(
      made.map((_, n) => `Made in the air ${n}`),
    );
    const grace = await arrive("Grace");
    await grace.open(id);
    await expect(grace.widgets).toHaveCount(26);
    await expect(grace.title(made[24])).toHaveText("Made in the air 24");

    // Once more: nothing is left that could land again.
    await ada.page.reload();
    await ada.saved();
    expect((await server.read(id)).revision).toBe(before + 50);
    ada.expectQuiet(CUT);
  } finally {
    await context?.close();
    rmSync(profile, { recursive: true, force: true });
  }
});

test("a browser that is killed has what it called kept", async ({ server, line }, info) => {
  const id = await server.dashboard("Flat battery");
  const cable = await line();
  const profile = mkdtempSync(path.join(tmpdir(), "lockstep-profile-"));
  const launch = () => chromium.launchPersistentContext(profile, info.project.use.launchOptions);
  let context = await launch();
  try {
    await Person.introduce(context, cable.url, "Ada");
    // Chromium writes a new cookie half a minute later, or when it closes: without it, nobody knows her again.
    await context.close();
    context = await launch();
    let ada = Person.at(await context.newPage(), cable.url, "Ada");
    await ada.open(id);
    const stat = await ada.add("stat");
    await ada.saved();
    await opensOffline(ada.page);
    await context.setOffline(true);
    cable.cut();
    await ada.rename(stat, "At one per cent");
    await expect(ada.sync).toContainText("Offline: 1 edit kept on this device");
    const gone = new Promise((done) => context.once("close", done));
    kill(profile);
    await gone;

    context = await launch();
    await context.setOffline(true);
    ada = Person.at(await context.newPage(), cable.url, "Ada");
    await ada.page.goto(`${cable.url}/d/${id}`);
    await expect(ada.title(stat)).toHaveText("At one per cent");
    await expect(ada.sync).toHaveAttribute("data-pending", "1");
    cable.mend();
    await context.setOffline(false);
    await ada.saved();
    expect((await server.read(id)).dashboard.widgets[stat].title).toBe("At one per cent");
  } finally {
    await context.close();
    rmSync(profile, { recursive: true, force: true });
  }
});

test("each tab has its own queue, and exactly one takes over from a tab that ended", async ({ server, arrive, line }) => {
  const id = await server.dashboard("Three tabs");
  const cable = await line();
  const ada = await arrive("Ada", { line: cable, complains: CUT });
  await ada.open(id);
  const [one, two] = [await ada.add("stat"), await ada.add("stat")];
  await ada.saved();
  const tabs = [ada];
  for (let n = 0; n < 2; n++) {
    const tab = Person.at(await ada.context.newPage(), cable.url, "Ada");
    await tab.open(id);
    tabs.push(tab);
  }
  const [left, right, ending] = tabs;
  const before = (await server.read(id)).revision;

  cable.cut();
  await left.rename(one, "By the left tab");
  await expect(left.sync).toHaveAttribute("data-pending", "1");
  await ending.rename(two, "By the tab that ended");
  await expect(ending.sync).toHaveAttribute("data-pending", "1");
  await expect(right.sync).toHaveAttribute("data-pending", "0");
  await expect(left.title(two)).not.toHaveText("By the tab that ended");
  // What is not on the device yet is asked about; what is asked about is not lost by the test's own haste.
  await expect
    .poll(() => ending.page.evaluate(() => !window.dispatchEvent(new Event("beforeunload", { cancelable: true }))))
    .toBe(false);
  await ending.page.close();

  await expect(right.title(two)).toHaveText("By the tab that ended");
  await expect(right.sync).toHaveAttribute("data-pending", "1");
  await expect(left.sync).toHaveAttribute("data-pending", "1");
  await expect(left.title(two)).not.toHaveText("By the tab that ended");

  cable.mend();
  for (const tab of [left, right]) {
    await tab.saved();
    await expect(tab.title(one)).toHaveText("By the left tab");
    await expect(tab.title(two)).toHaveText("By the tab that ended");
  }
  expect((await server.read(id)).revision).toBe(before + 2);
  left.expectQuiet(CUT);
  right.expectQuiet(CUT);
});

test("a dashboard deleted meanwhile keeps the edits in their author's hands, here and in a new one", async ({
  server,
  arrive,
  line,
}) => {
  const id = await server.dashboard("Soon gone");
  const cable = await line();
  const ada = await arrive("Ada", { line: cable, complains: CUT });
  await ada.open(id);
  const stat = await ada.add("stat");
  await ada.saved();
  cable.cut();
  await ada.rename(stat, "Worth keeping");
  await expect(ada.sync).toHaveAttribute("data-pending", "1");
  expect((await fetch(`${server.url}/api/v1/dashboards/${id}`, { method: "DELETE" })).ok).toBe(true);
  cable.mend();
  await expect(ada.sync).toHaveAttribute("data-state", "error", { timeout: 30_000 });
  await expect(ada.page.getByTestId("kept-edits")).toContainText("1 edit not sent");

  await ada.page.reload();
  await expect(ada.title(stat)).toHaveText("Worth keeping");
  const [file] = await Promise.all([
    ada.page.waitForEvent("download"),
    ada.page.getByTestId("kept-export").click(),
  ]);
  const exported = JSON.parse(await (await file.createReadStream()).toArray().then((parts) => Buffer.concat(parts).toString()));
  expect(exported.waiting.queue.changes[0].ops[0]).toMatchObject({ op: "set", field: "title", value: "Worth keeping" });
  expect(exported.shows.widgets[stat].title).toBe("Worth keeping");

  // All of it can be reached on a phone, too.
  await ada.page.setViewportSize({ width: 390, height: 800 });
  expect(await ada.page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(390);
  const discard = await ada.page.getByTestId("kept-discard").boundingBox();
  expect(discard!.x + discard!.width).toBeLessThanOrEqual(390);
  await ada.page.setViewportSize({ width: 1280, height: 800 });

  await ada.page.getByTestId("kept-copy").click();
  await ada.page.waitForURL((url) => url.pathname.includes("/d/") && !url.pathname.endsWith(id));
  await ada.saved();
  await expect(ada.title(stat)).toHaveText("Worth keeping");
  const copy = new URL(ada.page.url()).pathname.split("/").at(-1)!;
  expect((await server.read(copy)).dashboard).toMatchObject({
    title: "Soon gone",
    widgets: { [stat]: { title: "Worth keeping" } },
  });
  // Of the old one nothing waits any more.
  await ada.page.goto(`${cable.url}/d/${id}`);
  await expect(ada.page.getByRole("heading", { name: "“Soon gone” is in the bin" })).toBeVisible();
});

test("edits made as somebody else wait until the one who is here decides", async ({ server, arrive, line }) => {
  const id = await server.dashboard("Whose edits");
  const cable = await line();
  const ada = await arrive("Ada", { line: cable, complains: CUT });
  await ada.open(id);
  const stat = await ada.add("stat");
  await ada.saved();
  await opensOffline(ada.page);
  cable.cut();
  await ada.rename(stat, "Written as Ada");
  await ada.context.setOffline(true);
  await expect(ada.sync).toContainText("kept on this device");
  await ada.context.clearCookies();
  const before = (await server.read(id)).revision;
  cable.mend();
  await ada.context.setOffline(false);
  await ada.page.reload();
  await expect(ada.sync).toHaveAttribute("data-state", "error");
  await expect(ada.page.getByRole("alert").filter({ hasText: "made as Ada" })).toBeVisible();
  await expect(ada.title(stat)).toHaveText("Written as Ada");
  expect((await server.read(id)).revision).toBe(before);
  await ada.page.getByTestId("kept-send").click();
  await ada.saved();
  await expect(ada.title(stat)).toHaveText("Written as Ada");
  expect((await server.read(id)).revision).toBe(before + 1);
});

test("a full store is told, and nothing is lost for it", async ({ server, arrive, line }) => {
  const id = await server.dashboard("No place left");
  const cable = await line();
  const ada = await arrive("Ada", { line: cable, complains: CUT });
  await ada.open(id);
  const stat = await ada.add("stat");
  await ada.saved();
  await ada.page.evaluate(() => {
    const put = IDBObjectStore.prototype.put;
    (window as any).makePlace = () => (IDBObjectStore.prototype.put = put);
    IDBObjectStore.prototype.put = () => {
      throw new DOMException("no place", "QuotaExceededError");
    };
  });
  await ada.context.setOffline(true);
  cable.cut();
  await ada.rename(stat, "Held by the tab");
  await expect(ada.page.getByTestId("not-safe")).toContainText("is full");
  await expect(ada.sync).toContainText("Offline: 1 edit in this tab only");
  await ada.page.evaluate(() => (window as any).makePlace());
  await expect(ada.sync).toContainText("Offline: 1 edit kept on this device", { timeout: 15_000 });
  await expect(ada.page.getByTestId("not-safe")).toHaveCount(0);
  cable.mend();
  await ada.context.setOffline(false);
  await ada.saved();
  expect((await server.read(id)).dashboard.widgets[stat].title).toBe("Held by the tab");
});

test("where the browser keeps nothing, editing goes on and says so", async ({ server, arrive, line }) => {
  const id = await server.dashboard("No net under me");
  const cable = await line();
  const ada = await arrive("Ada", { line: cable, complains: CUT });
  await ada.context.addInitScript(() => {
    IDBFactory.prototype.open = () => {
      throw new DOMException("not here", "SecurityError");
    };
  });
  await ada.open(id);
  const stat = await ada.add("stat");
  await ada.saved();
  await ada.page.getByTestId("sync-status").getByRole("button").first().click();
  await expect(ada.page.locator('[data-service="offline store"]')).toHaveAttribute("data-state", "down");
  await ada.page.keyboard.press("Escape");
  await ada.context.setOffline(true);
  cable.cut();
  await ada.rename(stat, "Without a net");
  await expect(ada.sync).toContainText("Offline: 1 edit in this tab only");
  await expect(ada.page.getByTestId("not-safe")).toContainText("gone if it closes");
  expect(
    await ada.page.evaluate(() => !window.dispatchEvent(new Event("beforeunload", { cancelable: true }))),
  ).toBe(true);
  cable.mend();
  await ada.context.setOffline(false);
  await ada.saved();
  await expect(ada.page.getByTestId("not-safe")).toHaveCount(0);
  expect((await server.read(id)).dashboard.widgets[stat].title).toBe("Without a net");
});
