// Screens: a TV that is paired by a code from a phone, shows what it is told to, and is revoked.
import { type Page } from "@playwright/test";
import { violations } from "./accessibility.ts";
import { Company, expect, newDashboard, test } from "./company.ts";
import { type Person } from "./person.ts";

const TV = { viewport: { width: 1920, height: 1080 } };
const PHONE = { viewport: { width: 390, height: 844 }, hasTouch: true };

/** A TV that shows its code. */
async function tvOf(company: Company): Promise<{ tv: Person; code: string }> {
  const tv = await company.visit("/screen", "TV", TV);
  const code = (await tv.page.getByTestId("screen-code").innerText()).replace(/\s/g, "");
  expect(code).toMatch(/^[A-Z0-9]{6}$/);
  return { tv, code };
}

/** The signed-in person's phone, with the cookies of their other browser. */
async function phoneOf(company: Company, person: Person, path: string): Promise<Person> {
  return company.visit(path, person.name, { ...PHONE, storageState: await person.context.storageState() });
}

/** Fills in the form of a page whose code is there already, and sends it. */
async function pair(page: Page, name: string, titles: string[], seconds?: number) {
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

/** What axe says of the page with the code, which otherwise loads itself anew meanwhile. */
async function violationsOfCode(tv: Person): Promise<string[]> {
  const page = await tv.context.newPage();
  await page.route("**/screen", async (route) => {
    const response = await route.fetch();
    const body = (await response.text()).replace(/<meta http-equiv="refresh"[^>]*>/, "");
    await route.fulfill({ response, body });
  });
  await page.goto("/screen");
  await expect(page.getByTestId("screen-code")).toBeVisible();
  const found = await violations(page);
  await page.close();
  return found;
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
  await expect(row).toHaveAttribute("data-on", "true", { timeout: 15_000 });
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
