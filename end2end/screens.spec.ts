// Screens: a TV that is paired by a code from a phone, shows what it is told to, and is revoked.
import { type Page, type Request } from "@playwright/test";
import { violations } from "./accessibility.ts";
import { Company, expect, newDashboard, test } from "./company.ts";
import { type Person } from "./person.ts";
import { Place } from "./place.ts";
import { codeOf, TV, violationsOfCode } from "./tv.ts";

const PHONE = { viewport: { width: 390, height: 844 }, hasTouch: true };

/** A TV that shows its code. */
async function tvOf(company: Company): Promise<{ tv: Person; code: string }> {
  const tv = await company.visit("/screen", "TV", TV);
  return { tv, code: await codeOf(tv) };
}

/** The signed-in person's phone, with the cookies of their other browser. */
async function phoneOf(company: Company, person: Person, path: string): Promise<Person> {
  return company.visit(path, person.name, { ...PHONE, storageState: await person.context.storageState() });
}

/** Looks at the device of a code that is there already, fills in the form, and sends it. */
async function pair(page: Page, name: string, titles: string[], seconds?: number) {
  await page.getByTestId("pair-show").click();
  await expect(page.getByTestId("pair-device")).toContainText("asked for this code");
  await page.getByTestId("pair-name").fill(name);
  for (const title of titles) {
    await page.getByTestId("pair-dashboards-search").fill(title);
    const box = page.getByTestId("pair-dashboards").getByRole("checkbox", { name: title });
    // What was ticked goes to those that it shows, and is another box there.
    await box.click();
    await expect(box).toBeChecked();
  }
  if (seconds) await page.getByTestId("pair-rotate").fill(String(seconds));
  await page.getByTestId("pair-submit").click();
}

/** How many widgets do not show whole. */
async function cut(page: Page): Promise<number> {
  return page.getByTestId("widget").evaluateAll(
    (all) =>
      all.filter((one) => {
        const area = one.getBoundingClientRect();
        return area.left < 0 || area.top < 0 || area.right > innerWidth + 1 || area.bottom > innerHeight + 1;
      }).length,
  );
}

test("a TV is paired by its code, pointed elsewhere, and revoked", async ({ company }) => {
  const admin = await company.setUp();
  const [orders, stock] = [await newDashboard(admin, "Orders"), await newDashboard(admin, "Stock")];
  await admin.open(orders);
  for (let n = 0; n < 3; n++) await admin.add("stat");
  await admin.saved();

  const { tv, code } = await tvOf(company);
  expect(await violationsOfCode(tv)).toEqual([]);
  await expect(tv.page.locator(".pairing-qr svg")).toBeVisible();
  await expect(tv.page.locator("a, button, input, [tabindex]")).toHaveCount(0);

  const phone = await phoneOf(company, admin, `/screens?code=${code}`);
  await expect(phone.page.getByTestId("pair-code")).toHaveValue(code);
  // The address alone has nobody ask for the device.
  await expect(phone.page.getByTestId("pair-show")).toBeEnabled();
  await expect(phone.page.getByTestId("pair-device")).toBeEmpty();
  await phone.page.getByTestId("pair-submit").click();
  await expect(phone.page.getByTestId("pair-name")).toHaveAttribute("aria-invalid", "true");
  await expect(phone.page.getByText("Choose at least one dashboard.")).toBeVisible();
  await expect(phone.page.getByTestId("pair-rotate")).toBeHidden();
  expect(await violations(phone.page)).toEqual([]);
  await pair(phone.page, "Hall 2", ["Orders"]);

  // The TV goes there by itself, and shows the dashboard with nothing around it.
  await expect(tv.page).toHaveURL(`${company.server.url}/d/${orders}`, { timeout: 15_000 });
  await expect(tv.page.getByTestId("kiosk")).toBeVisible();
  await expect(tv.widgets).toHaveCount(3);
  await expect(tv.page.locator("header.top")).toHaveCount(0);
  for (const hidden of ["widget-drag", "widget-menu", "widget-resize"]) {
    for (const one of await tv.page.getByTestId(hidden).all()) await expect(one).toBeHidden();
  }
  await expect(tv.page.getByTestId("kiosk-corner")).toBeHidden();
  expect(await cut(tv.page)).toBe(0);
  // Nobody sits at it: the others see no person.
  await expect(admin.page.getByTestId("collaborator")).toHaveCount(0);

  const row = phone.page.getByTestId("screen-row").filter({ hasText: "Hall 2" });
  await expect(row).toContainText("Orders");
  // By itself, as soon as the TV is there.
  await expect(row).toHaveAttribute("data-on", "true");
  await expect(row.locator(".badge")).toHaveText("On");
  expect(await violations(phone.page)).toEqual([]);
  const wide = await phone.page.evaluate(() => document.documentElement.scrollWidth);
  expect(wide, "a phone need not scroll to the side").toBeLessThanOrEqual(390);

  // From another dashboard, by the palette; and back.
  await admin.open(stock);
  await admin.page.keyboard.press("ControlOrMeta+k");
  await admin.page.keyboard.type("show on a screen");
  await admin.page.keyboard.press("Enter");
  const dialog = admin.page.getByTestId("screen-dialog");
  const choice = dialog.getByTestId("screen-choice").filter({ hasText: "Hall 2" });
  await expect(choice).toContainText("shows Orders");
  expect(await violations(admin.page, '[data-testid="screen-dialog"]')).toEqual([]);
  await choice.click();
  await expect(dialog).toBeHidden();
  await expect(tv.page).toHaveURL(`${company.server.url}/d/${stock}`);
  const toast = admin.page.getByTestId("toast").filter({ hasText: "Shown on Hall 2." });
  await toast.getByTestId("toast-action").click();
  await expect(tv.page).toHaveURL(`${company.server.url}/d/${orders}`);

  // Revoked, after it was asked whether that is meant: a new code, and never a page to sign in.
  await row.getByTestId("screen-revoke").click();
  await row.getByTestId("screen-revoke-sure").click();
  await expect(row).toHaveCount(0);
  await expect(tv.page).toHaveURL(`${company.server.url}/screen`);
  await expect(tv.page.getByTestId("screen-code")).not.toHaveText(code);
  for (const person of [admin, phone, tv]) await person.leave();
});

test("a TV that is cut off keeps what it shows and says since when", async ({ company }) => {
  const admin = await company.setUp();
  const [orders, stock] = [await newDashboard(admin, "Orders"), await newDashboard(admin, "Stock")];
  for (const id of [orders, stock]) {
    await admin.open(id);
    await admin.add("stat");
    await admin.saved();
  }
  const { tv, code } = await tvOf(company);
  const phone = await phoneOf(company, admin, `/screens?code=${code}`);
  // With several it is asked for how long each.
  await pair(phone.page, "Hall 3", ["Orders", "Stock"], 5);

  // Its turns go on by themselves.
  await expect(tv.page).toHaveURL(`${company.server.url}/d/${orders}`, { timeout: 15_000 });
  await expect(tv.page).toHaveURL(`${company.server.url}/d/${stock}`, { timeout: 20_000 });
  await expect(tv.page.getByTestId("kiosk")).toBeVisible();
  await expect(tv.widgets).toHaveCount(1);

  await tv.context.setOffline(true);
  // Chromium leaves an open socket as it is.
  await tv.page.evaluate(() => window.dispatchEvent(new Event("offline")));
  await company.server.stop("SIGKILL");
  const corner = tv.page.getByTestId("kiosk-corner");
  await expect(corner).toHaveText(/^No connection since \d\d:\d\d/, { timeout: 20_000 });
  // Its turn is over, and it stays with what it can show.
  const shown = tv.page.url();
  await expect(corner).toHaveAttribute("data-turn", "over");
  expect(tv.page.url()).toBe(shown);
  await expect(tv.widgets).toHaveCount(1);
  for (const person of [admin, phone, tv]) await person.leave();
});

test("a TV is a kiosk from the first paint of a large dashboard on", async ({ company }) => {
  const admin = await company.setUp();
  const table = (n: number) => ({
    kind: "table",
    title: `Table ${n}`,
    frame: { x: 0, y: 8 * n, w: 12, h: 8 },
    options: { data: "x".repeat(50_000) },
  });
  const made = await admin.context.request.post("/api/v1/dashboards/import", {
    data: { lockstep: 1, title: "Large", settings: {}, widgets: Array.from({ length: 12 }, (_, n) => table(n)) },
    headers: { origin: company.server.origin },
  });
  expect(made.status()).toBe(201);
  const { id } = await made.json();
  const { tv, code } = await tvOf(company);
  // Its data stays on its way until this test has looked.
  let arrive = () => {};
  const looked = new Promise<void>((done) => (arrive = done));
  await tv.page.route(`**/api/v1/dashboards/${id}`, async (route) => {
    await looked;
    await route.continue();
  });
  const asked = tv.page.waitForRequest((request: Request) => request.url().endsWith(`/api/v1/dashboards/${id}`));
  const phone = await phoneOf(company, admin, `/screens?code=${code}`);
  await pair(phone.page, "Hall 4", ["Large"]);
  await asked;
  await expect(tv.page.getByTestId("kiosk")).toContainText("It is on its way.");
  await expect(tv.page.locator("header, a, button")).toHaveCount(0);
  expect(await violations(tv.page)).toEqual([]);
  arrive();
  await expect(tv.widgets).toHaveCount(12);
  await expect(tv.page.locator("header.top")).toHaveCount(0);
  for (const person of [admin, phone, tv]) await person.leave();
});

test("a TV goes on by itself when the server was started again", async ({ browser }) => {
  // Two restarts, and each time a screen that asks again within 30 s.
  test.slow();
  const accounts = { LOCKSTEP_ACCESS: "accounts" };
  const place = await Place.open(() => accounts);
  try {
    const company = new Company(place.now, browser);
    const admin = await company.setUp();
    const orders = await newDashboard(admin, "Orders");
    await admin.open(orders);
    const stat = await admin.add("stat");
    await admin.saved();
    const { tv, code } = await tvOf(company);
    const phone = await phoneOf(company, admin, `/screens?code=${code}`);
    await pair(phone.page, "Hall 5", ["Orders"]);
    await expect(tv.page).toHaveURL(`${place.url}/d/${orders}`, { timeout: 15_000 });
    await expect(tv.widgets).toHaveCount(1);
    const visited: string[] = [];
    tv.page.on("framenavigated", (frame) => visited.push(new URL(frame.url()).pathname));

    for (const signal of ["SIGTERM", "SIGKILL"] as const) {
      await place.stop(signal);
      const corner = tv.page.getByTestId("kiosk-corner");
      await expect(corner).toHaveText(/^No connection since/, { timeout: 20_000 });
      await expect(tv.widgets).toHaveCount(1);
      await place.start(accounts);
      await expect(corner).toBeHidden({ timeout: 45_000 });
      // It is live again, and shows what is done from now on.
      await admin.open(orders);
      await admin.rename(stat, `After ${signal}`);
      await expect(tv.title(stat)).toHaveText(`After ${signal}`);
    }
    // It was never asked to sign in, nor paired again.
    expect(visited.filter((path) => path !== new URL(`${place.url}/d/${orders}`).pathname)).toEqual([]);
    // Neither is one that was off meanwhile.
    await tv.page.goto("/screen");
    await expect(tv.page).toHaveURL(`${place.url}/d/${orders}`);
    await expect(tv.page.getByTestId("kiosk")).toBeVisible();
    const row = phone.page.getByTestId("screen-row").filter({ hasText: "Hall 5" });
    await expect(row).toHaveAttribute("data-on", "true", { timeout: 15_000 });
    for (const person of [admin, phone, tv]) await person.leave();
  } finally {
    await place.close();
  }
});
