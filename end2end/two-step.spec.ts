// Two-step sign-in in a browser: setting an app up, the step that asks for a code, and recovery codes.
import { readFileSync } from "node:fs";
import type { Page } from "@playwright/test";
import { violations } from "./accessibility.ts";
import { Authenticator } from "./authenticator.ts";
import { Company, expect, PASSWORD, signIn, test } from "./company.ts";
import { Server } from "./server.ts";

/** Sets an app up on the page that asks for that; the app, and the recovery codes that are shown. */
async function setUp(page: Page): Promise<{ app: Authenticator; recovery: string[] }> {
  const app = new Authenticator(await page.getByTestId("second-factor-secret").innerText());
  await page.getByTestId("code").fill(app.next());
  await page.getByTestId("sign-in-password").fill(PASSWORD);
  await page.getByTestId("second-factor-on").click();
  const shown = page.getByTestId("recovery-codes");
  await expect(shown).toBeVisible();
  const recovery = (await shown.innerText()).trim().split("\n");
  expect(recovery).toHaveLength(10);
  return { app, recovery };
}

test("an app is set up, and signing in asks for its code or for a recovery code", async ({ company }) => {
  const admin = await company.setUp();
  const page = admin.page;
  await page.goto("/account");
  await expect(page.getByTestId("second-factor-state")).toContainText("Off.");
  await page.getByTestId("second-factor").click();
  await expect(page.getByRole("heading", { level: 1 })).toHaveText("Set up two-step sign-in");
  await expect(page.locator("img.qr")).toBeVisible();
  await expect(page.getByTestId("code")).toBeFocused();
  expect(await violations(page)).toEqual([]);

  // Mistyped: the form again, with another go.
  const mistyped = new Authenticator(await page.getByTestId("second-factor-secret").innerText()).wrong();
  await page.getByTestId("code").fill(mistyped);
  await page.getByTestId("sign-in-password").fill(PASSWORD);
  await page.getByTestId("second-factor-on").click();
  await expect(page.getByTestId("sign-in-problem")).toBeVisible();
  expect(await violations(page)).toEqual([]);

  const { app, recovery } = await setUp(page);
  expect(await violations(page)).toEqual([]);
  const download = page.waitForEvent("download");
  await page.getByRole("link", { name: "Download" }).click();
  const file = readFileSync(await (await download).path(), "utf8");
  for (const code of recovery) expect(file).toContain(code);
  await page.getByTestId("recovery-codes-kept").click();
  await expect(page.getByTestId("second-factor-state")).toHaveText("It is on, and 10 recovery codes are left.");
  expect(await violations(page)).toEqual([]);

  // Elsewhere: the password alone opens nothing.
  const phone = await company.visit("/account", "Ada Admin", { viewport: { width: 390, height: 844 } });
  await signIn(phone.page, "ada@example.com");
  await expect(phone.page).toHaveURL(/\/sign-in\/code\?to=%2Faccount$/);
  await expect(phone.page.getByTestId("code")).toBeFocused();
  expect(await violations(phone.page)).toEqual([]);
  await phone.page.goto("/");
  await expect(phone.page).toHaveURL(/\/sign-in\?to=%2F$/);
  await phone.page.goBack();
  await phone.page.getByTestId("code").fill(app.wrong());
  await phone.page.getByTestId("code-send").click();
  await expect(phone.page.getByTestId("sign-in-problem")).toBeVisible();
  await expect(phone.page.getByTestId("code")).toBeFocused();
  await phone.page.getByTestId("code").fill(app.next());
  await phone.page.keyboard.press("Enter");
  await expect(phone.page).toHaveURL(`${company.server.url}/account`);
  await expect(phone.page.getByTestId("second-factor-state")).toContainText("On:");

  // Without the phone: each recovery code takes its place once, however it is written.
  const borrowed = await company.visit("/account", "Ada Admin");
  await signIn(borrowed.page, "ada@example.com");
  await borrowed.page.getByTestId("code").fill(` ${recovery[0].toUpperCase()} `);
  await borrowed.page.getByTestId("code-send").click();
  await expect(borrowed.page.getByTestId("second-factor-state")).toContainText("9 recovery codes are left.");
  const again = await company.visit("/account", "Ada Admin");
  await signIn(again.page, "ada@example.com");
  await again.page.getByTestId("code").fill(recovery[0]);
  await again.page.getByTestId("code-send").click();
  await expect(again.page.getByTestId("sign-in-problem")).toBeVisible();
  await again.page.getByTestId("code").fill(recovery[1]);
  await again.page.getByTestId("code-send").click();
  await expect(again.page).toHaveURL(`${company.server.url}/account`);
  for (const person of [admin, phone, borrowed, again]) await person.leave();
});

test("where it is required, there is nothing before an app is set up but signing out", async ({ browser }) => {
  const server = await Server.start({ LOCKSTEP_ACCESS: "accounts", LOCKSTEP_SECOND_FACTOR: "required" });
  const company = new Company(server, browser);
  try {
    const admin = await company.visit(await company.setUpAddress(), "Ada Admin");
    await company.makeFirst(admin);
    await expect(admin.page.getByText("This server asks everybody for a second step.")).toBeVisible();
    await expect(admin.page.getByTestId("sign-out")).toBeVisible();
    expect(await violations(admin.page)).toEqual([]);
    await admin.page.goto("/status");
    await expect(admin.page.getByTestId("second-factor-secret")).toBeVisible();
    await setUp(admin.page);
    await admin.page.getByTestId("recovery-codes-kept").click();
    await expect(admin.page.getByTestId("new-dashboard")).toBeVisible();
    await admin.page.goto("/account/second-factor");
    await expect(admin.page.getByTestId("second-factor-state")).toBeVisible();
    await expect(admin.page.getByTestId("second-factor-off")).toHaveCount(0);
    await admin.leave();
  } finally {
    await server.stop();
  }
});
