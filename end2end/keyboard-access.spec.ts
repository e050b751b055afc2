// From an empty server to a team and a screen, without a pointer.
import { violations } from "./accessibility.ts";
import { expect, PASSWORD, test } from "./company.ts";
import { pressId, tabTo, tabToId, typeInto } from "./keys.ts";
import { codeOf, TV, violationsOfCode } from "./tv.ts";

test("a server is set up, shared and shown on a screen by keyboard alone", async ({ company }) => {
  // Many pages, and axe on each.
  test.slow();
  const admin = await company.visit(await company.setUpAddress(), "Ada Admin");
  const { page } = admin;
  const keys = page.keyboard;

  // The first account.
  await expect(page.getByTestId("setup-token")).not.toHaveValue("");
  expect(await violations(page)).toEqual([]);
  await typeInto(page, "sign-in-email", "ada@example.com");
  await typeInto(page, "sign-in-name", "Ada Admin");
  await typeInto(page, "sign-in-password", PASSWORD);
  await keys.press("Enter");
  await expect(page.getByTestId("new-dashboard")).toBeVisible();
  expect(await violations(page)).toEqual([]);

  // Out, and in again.
  await pressId(page, "me");
  await expect(page).toHaveURL(`${company.server.url}/account`);
  expect(await violations(page)).toEqual([]);
  await pressId(page, "sign-out");
  await expect(page.getByTestId("sign-in-email")).toBeFocused();
  expect(await violations(page)).toEqual([]);
  await keys.type("ada@example.com");
  await typeInto(page, "sign-in-password", PASSWORD);
  await keys.press("Enter");
  await expect(page.getByTestId("people-link")).toBeVisible();

  // An invitation, and who follows it.
  await pressId(page, "people-link");
  await expect(page.getByTestId("invite")).toBeEnabled();
  await pressId(page, "invite");
  const once = page.getByTestId("once-address");
  await expect(once).toBeFocused();
  expect(await violations(page)).toEqual([]);
  const grace = await company.visit(await once.inputValue(), "Grace");
  expect(await violations(grace.page)).toEqual([]);
  await typeInto(grace.page, "sign-in-email", "grace@example.com");
  await typeInto(grace.page, "sign-in-name", "Grace");
  await typeInto(grace.page, "sign-in-password", PASSWORD);
  await grace.page.keyboard.press("Enter");
  await expect(grace.page.getByTestId("new-dashboard")).toBeVisible();

  // A dashboard, shared with her by name.
  await tabTo(page, "a.logo");
  await keys.press("Enter");
  await expect(page.getByTestId("new-dashboard")).toBeEnabled();
  await pressId(page, "new-dashboard");
  await expect(page).toHaveURL(/\/d\//);
  await admin.saved();
  const dashboard = page.url();
  await pressId(page, "share-open");
  const dialog = page.getByTestId("share-dialog");
  await expect(dialog.getByTestId("share-add")).toBeFocused();
  await keys.type("gra");
  await expect(dialog.getByRole("listbox").getByRole("option")).toHaveCount(1);
  await keys.press("Enter");
  const grant = dialog.getByTestId("share-grant").filter({ hasText: "Grace" });
  const role = grant.getByTestId("share-role");
  await expect(role).toBeVisible();
  const before = await role.inputValue();
  await tabTo(page, `[data-to="${await grant.getAttribute("data-to")}"] [data-testid="share-role"]`);
  await keys.press(before === "owner" ? "ArrowUp" : "ArrowDown");
  await expect(role).not.toHaveValue(before);
  expect(await violations(page, '[data-testid="share-dialog"]')).toEqual([]);
  await keys.press("Escape");
  await expect(dialog).toHaveCount(0);
  await expect(page.getByTestId("share-open")).toBeFocused();
  await grace.page.goto(dashboard);
  await grace.saved();
  expect(await violations(grace.page)).toEqual([]);

  // A screen for it.
  const tv = await company.visit("/screen", "TV", TV);
  const code = await codeOf(tv);
  expect(await violationsOfCode(tv)).toEqual([]);
  await tabTo(page, "a.logo");
  await keys.press("Enter");
  await expect(page.getByTestId("new-dashboard")).toBeEnabled();
  await pressId(page, "screens-link");
  await expect(page.getByTestId("pair-submit")).toBeEnabled();
  await typeInto(page, "pair-code", code);
  await typeInto(page, "pair-name", "Hall");
  await tabToId(page, "pair-dashboards-search");
  await keys.type("Untitled");
  const id = dashboard.split("/").pop()!;
  const offered = page.getByTestId("pair-dashboards").locator(`[data-dashboard="${id}"] input`);
  await expect(offered).toBeVisible();
  await tabTo(page, `[data-testid="pair-dashboards"] .offered [data-dashboard="${id}"] input`);
  await keys.press("Space");
  await expect(offered).toBeChecked();
  await expect(page.getByTestId("pair-dashboards-search")).toBeFocused();
  expect(await violations(page)).toEqual([]);
  await pressId(page, "pair-submit");
  await expect(tv.page).toHaveURL(dashboard, { timeout: 15_000 });
  await expect(tv.page.getByTestId("kiosk")).toBeVisible();
  expect(await violations(tv.page)).toEqual([]);
  await expect(page.getByTestId("screen-row")).toHaveAttribute("data-on", "true");
  for (const person of [admin, grace, tv]) await person.leave();
});
