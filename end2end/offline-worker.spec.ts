// The service worker: the page opens without a network, one build at a time.
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import type { BrowserContext, Page } from "@playwright/test";
import { keptCopy, opensOffline } from "./device.ts";
import { expect, test } from "./fixtures.ts";
import { Server, site } from "./server.ts";
import { fill } from "./wall.ts";

// What Chromium itself writes about a network that a test has taken away.
const CUT = /WebSocket connection|net::ERR_|Failed to load resource/;

/** Waits until the worker of a build has taken over: all later pages come by it. */
async function worker(page: Page): Promise<string> {
  await opensOffline(page);
  const builds = await page.evaluate(() => caches.keys());
  return builds.filter((name) => name.startsWith("lockstep-build-")).at(-1)!;
}

/** Addresses of what a build keeps. */
async function kept(page: Page, build: string): Promise<string[]> {
  return page.evaluate(async (name) => {
    const requests = await (await caches.open(name)).keys();
    const { base = "" } = document.documentElement.dataset;
    const paths = requests.map((request) => new URL(request.url).pathname.slice(base.length));
    // The folder of the code has its build's name.
    return paths.map((path) => path.replace(/^\/pkg\/[\w-]+\/(?=[^/]+$)/, "/pkg/"));
  }, build);
}

test("a page without a network is a page, and a missing file is no page", async ({ arrive }) => {
  const ada = await arrive("Ada", { complains: CUT });
  await ada.page.goto("/status");
  const build = await worker(ada.page);
  expect(await kept(ada.page, build)).toEqual(
    expect.arrayContaining(["/offline", "/pkg/lockstep.js", "/pkg/lockstep.wasm", "/pkg/lockstep.css", "/favicon.svg"]),
  );
  await expect(ada.page.locator('[data-service="service worker"]')).toHaveAttribute("data-state", "ok");
  const theme = ada.page.getByTestId("theme");
  while ((await theme.getAttribute("aria-label")) !== "Theme: dark") await theme.click();

  await ada.context.setOffline(true);
  await ada.page.goto("/status");
  await expect(ada.page.locator('[data-service="socket"]')).toHaveAttribute("data-state", "down");
  await expect(ada.page.getByText(/^build/)).toHaveCount(0);
  await ada.page.goto("/d/never-seen");
  await expect(ada.page.getByRole("heading", { name: "The server cannot be reached" })).toBeVisible();
  // In the colours of this browser, and naming nobody: the page that is kept is everybody's.
  await expect(ada.page.getByTestId("theme")).toHaveAccessibleName("Theme: dark");
  await expect(ada.page.locator("html")).toHaveAttribute("data-theme", "dark");
  await expect(ada.page.getByText("You are")).toHaveCount(0);
  const missing = await ada.page.evaluate(async () => {
    const answers = [];
    const { base = "" } = document.documentElement.dataset;
    for (const address of ["/pkg/old-build.js", "/vendor/none.js", "/api/v1/dashboards"]) {
      answers.push(await fetch(base + address).then((answer) => answer.headers.get("content-type"), () => "none"));
    }
    return answers;
  });
  expect(missing).toEqual(["none", "none", "none"]);

  await ada.context.setOffline(false);
  await ada.page.getByTestId("retry").click();
  await expect(ada.page.getByRole("heading", { name: "There is nothing here" })).toBeVisible();
});

test("files that cannot be kept are told, with the reason", async ({ browser }) => {
  const root = mkdtempSync(path.join(tmpdir(), "lockstep-site-"));
  cpSync(process.env.LOCKSTEP_SITE_ROOT ?? site(), root, { recursive: true });
  const server = await Server.start({ LOCKSTEP_SITE_ROOT: root });
  const context = await browser.newContext({ baseURL: server.url });
  try {
    // Not what the server read at its start, as in the middle of an update.
    writeFileSync(path.join(root, "favicon.svg"), "<svg xmlns='http://www.w3.org/2000/svg'/>");
    // Where the build compressed it beforehand, that is what would be sent.
    for (const packed of ["br", "gz"]) rmSync(path.join(root, `favicon.svg.${packed}`), { force: true });
    const page = await context.newPage();
    await page.goto("/status");
    const row = page.locator('[data-service="service worker"]');
    await expect(row).toHaveAttribute("data-state", "down");
    await expect(row).toContainText("could not be kept");
    await expect(row).toContainText("/favicon.svg");
  } finally {
    await context.close();
    await server.stop();
    rmSync(root, { recursive: true, force: true });
  }
});

test("a new build takes over whole, and pages of the build before it stay whole", async ({ browser }) => {
  const root = mkdtempSync(path.join(tmpdir(), "lockstep-site-"));
  const build = (name: string) => {
    const copy = path.join(root, name);
    cpSync(process.env.LOCKSTEP_SITE_ROOT ?? site(), copy, { recursive: true });
    const style = path.join(copy, "pkg/lockstep.css");
    writeFileSync(style, `${readFileSync(style, "utf8")}\n.build-${name} { color: red }\n`);
    for (const packed of [".br", ".gz"]) rmSync(style + packed, { force: true });
    return copy;
  };
  const dataDir = path.join(root, "data");
  let context: BrowserContext | undefined;
  let server = await Server.start({ LOCKSTEP_SITE_ROOT: build("a"), LOCKSTEP_DATA_DIR: dataDir });
  try {
    context = await browser.newContext({ baseURL: server.url });
    const [old, page] = [await context.newPage(), await context.newPage()];
    await old.goto("/status");
    const first = await worker(old);
    const style = await old.locator('link[href*="/pkg/lockstep.css"]').getAttribute("href");

    await server.stop();
    server = await Server.start({ LOCKSTEP_SITE_ROOT: build("b"), LOCKSTEP_DATA_DIR: dataDir }, { at: server.url });
    const taken = old.evaluate(
      () => new Promise((done) => navigator.serviceWorker.addEventListener("controllerchange", done, { once: true })),
    );
    await page.goto("/status");
    await taken;
    const second = await worker(page);
    expect(second).not.toBe(first);
    await expect(page.locator('[data-service="service worker"]')).toHaveAttribute("data-state", "ok");

    // Without a network, the new page is of the new build, and the old one still finds its own files.
    await server.stop();
    await page.goto("/status");
    const now = await page.locator('link[href*="/pkg/lockstep.css"]').getAttribute("href");
    expect(now).not.toBe(style);
    const text = (address: string) => fetch(address).then((answer) => answer.text());
    expect(await page.evaluate(text, now!)).toContain(".build-b");
    expect(await old.evaluate(text, style!)).toContain(".build-a");
    expect((await page.evaluate(() => caches.keys())).filter((name) => name.startsWith("lockstep-build-"))).toEqual([
      first,
      second,
    ]);
  } finally {
    await context?.close();
    await server.stop();
    rmSync(root, { recursive: true, force: true });
  }
});

test("a large dashboard opens from this device with what is on the screen, and the rest follows in its place", async ({
  arrive,
  server,
}) => {
  const WIDGETS = 60;
  const id = await server.dashboard("Wall");
  const ada = await arrive("Ada", { complains: CUT });
  await ada.open(id);
  await fill(ada.page, id, WIDGETS, false);
  await expect(ada.widgets).toHaveCount(WIDGETS);
  await worker(ada.page);
  await expect.poll(async () => Object.keys((await keptCopy(ada.page, id))?.dashboard.widgets ?? {})).toHaveLength(WIDGETS);
  await ada.page.goto("/status");
  // How it is in the moment in which all have their place.
  await ada.page.addInitScript((wanted) => {
    const places = () => {
      const all = document.querySelectorAll('[data-testid="widget"]');
      return [...all].map((it) => ({ id: it.id, busy: it.ariaBusy === "true", ...it.getBoundingClientRect().toJSON() }));
    };
    const seen = new MutationObserver(() => {
      if (places().length < wanted) return;
      seen.disconnect();
      Object.assign(window, { places, began: places() });
    });
    seen.observe(document, { subtree: true, childList: true });
  }, WIDGETS);
  await ada.context.setOffline(true);
  await ada.page.goto(`/d/${id}`);
  await expect(ada.widgets).toHaveCount(WIDGETS);
  await expect(ada.page.locator("[aria-busy]")).toHaveCount(0);
  await expect(ada.page.getByText("Write here.")).toHaveCount(WIDGETS / 5);
  const { began, ended, height } = await ada.page.evaluate(() => {
    const { began, places } = window as any;
    return { began, ended: places(), height: innerHeight };
  });
  expect(began.filter((it: any) => it.busy).length).toBeGreaterThan(WIDGETS / 2);
  expect(began.filter((it: any) => it.busy && it.top < height)).toEqual([]);
  expect(ended).toEqual(began.map((it: any) => ({ ...it, busy: false })));
});

test("what a page shows in the moment in which it is left is on the device", async ({ arrive, server }) => {
  const ada = await arrive("Ada", { complains: CUT });
  await ada.page.goto("/status");
  await worker(ada.page);
  for (const widgets of [60, 200]) {
    const id = await server.dashboard("Left at once");
    await ada.open(id);
    await fill(ada.page, id, widgets, false);
    await expect(ada.widgets).toHaveCount(widgets);
    await ada.page.goto("/status");
    expect(Object.keys((await keptCopy(ada.page, id))?.dashboard.widgets ?? {})).toHaveLength(widgets);
  }
});
