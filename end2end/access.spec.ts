// Accounts, roles and sharing, in browsers of several people.
import { violations } from "./accessibility.ts";
import { expect, newDashboard, PASSWORD, signIn, test } from "./company.ts";

test("the first account is made by the address in the log, and others sign in", async ({ company }) => {
  const stranger = await company.visit("/d/abc?from=1", "Stranger");
  await expect(stranger.page.getByText("not set up yet")).toBeVisible();
  const admin = await company.setUp();
  await stranger.page.reload();
  await expect(stranger.page).toHaveURL(/\/sign-in\?to=%2Fd%2Fabc%3Ffrom%3D1$/);
  expect(await violations(stranger.page)).toEqual([]);
  await signIn(stranger.page, "ada@example.com", "wrong-window-47-lantern");
  await expect(stranger.page.getByTestId("sign-in-problem")).toHaveText("The mail address or the password is wrong.");
  await expect(stranger.page.getByTestId("sign-in-email")).toHaveValue("ada@example.com");
  // By keyboard alone: the password has the focus again.
  await expect(stranger.page.getByTestId("sign-in-password")).toBeFocused();
  await stranger.page.keyboard.type(PASSWORD);
  await stranger.page.keyboard.press("Enter");
  await expect(stranger.page).toHaveURL(/\/d\/abc\?from=1$/);
  await expect(stranger.page.getByText("There is no such dashboard.")).toBeVisible();
  for (const person of [admin, stranger]) await person.leave();
});

test("a role that is given and taken shows in the other window within a second", async ({ company }) => {
  const admin = await company.setUp();
  const grace = await company.join(admin, "Grace", "viewer");
  const id = await newDashboard(admin, "Orders");
  await admin.open(id);
  const widget = await admin.add("stat");
  await admin.saved();

  await grace.page.goto(`/d/${id}`);
  await expect(grace.sync).toHaveAttribute("data-state", "readonly");
  await expect(grace.widget(widget)).toBeVisible();
  await expect(grace.page.getByTestId("add-widget")).toBeHidden();
  await expect(grace.widget(widget).getByTestId("widget-drag")).toBeHidden();
  expect(await violations(grace.page)).toEqual([]);

  await admin.page.getByTestId("share-open").click();
  const dialog = admin.page.getByTestId("share-dialog");
  await dialog.getByTestId("share-add").fill("gra");
  await admin.page.keyboard.press("ArrowDown");
  await admin.page.keyboard.press("Enter");
  const grant = dialog.getByTestId("share-grant").filter({ hasText: "Grace" });
  await expect(grant).toBeVisible();
  expect(await violations(admin.page, '[data-testid="share-dialog"]')).toEqual([]);
  await grant.getByTestId("share-role").selectOption("editor");
  await expect(grace.page.getByTestId("add-widget")).toBeVisible({ timeout: 1_000 });
  await expect(grace.sync).toHaveAttribute("data-state", "saved");
  await grace.rename(widget, "By Grace");
  await grace.saved();
  await grant.getByTestId("share-remove").click();
  await expect(grace.page.getByTestId("add-widget")).toBeHidden({ timeout: 1_000 });
  await expect(grace.sync).toHaveAttribute("data-state", "readonly");
  admin.expectQuiet();
  // Her panel may be asking for the names of series just as the role goes.
  grace.expectQuiet(/status of 403/);
  for (const person of [admin, grace]) await person.leave();
});

test("who signs out leaves nothing, and the next person sees only theirs", async ({ company }) => {
  const admin = await company.setUp();
  const grace = await company.join(admin, "Grace", "editor");
  const id = await newDashboard(grace, "Of Grace");
  await grace.open(id);
  await grace.add("note");
  await grace.saved();
  const stores = async () => (await grace.page.evaluate(() => indexedDB.databases())).map((one) => one.name);
  await expect.poll(stores).toContainEqual(expect.stringMatching(/^lockstep-.+/));
  await grace.page.goto("/account");
  await grace.page.getByTestId("sign-out").click();
  await expect(grace.page).toHaveURL(/\/sign-in/);
  expect(await stores()).not.toContainEqual(expect.stringMatching(/^lockstep-.+/));
  await signIn(grace.page, "ada@example.com");
  await expect(grace.page.getByTestId("new-dashboard")).toBeVisible();
  await expect(grace.page.locator(`[data-dashboard="${id}"]`)).toBeVisible();
  for (const person of [admin, grace]) await person.leave();
});

test("an open page of a session that was ended goes to the sign-in page", async ({ company }) => {
  const admin = await company.setUp();
  const grace = await company.join(admin, "Grace", "editor");
  const id = await newDashboard(admin, "Orders");
  await grace.open(id);
  const people = await (await admin.context.request.get("/api/v1/admin/people")).json();
  const account = people.accounts.find((one: any) => one.person.name === "Grace").person.id;
  const ended = await admin.context.request.delete(`/api/v1/admin/people/${account}/sessions`, {
    headers: { origin: company.server.url },
  });
  expect(ended.status()).toBe(204);
  await expect(grace.page).toHaveURL(`${company.server.url}/sign-in?to=${encodeURIComponent(`/d/${id}`)}`);
  await signIn(grace.page, "grace@example.com");
  await grace.saved();
  for (const person of [admin, grace]) await person.leave();
});

test("edits of somebody who lost the role while offline stay with them", async ({ company }) => {
  const admin = await company.setUp();
  const grace = await company.join(admin, "Grace", "viewer");
  const id = await newDashboard(admin, "Orders");
  await admin.open(id);
  const widget = await admin.add("stat");
  await admin.saved();
  const origin = { origin: company.server.url };
  const people = await (await admin.context.request.get("/api/v1/admin/people")).json();
  const account = people.accounts.find((one: any) => one.person.name === "Grace").person.id;
  const grant = async (role: string | null) => {
    const data = { grants: [{ to: { account }, role }] };
    const shared = await admin.context.request.put(`/api/v1/dashboards/${id}/access`, { data, headers: origin });
    expect(shared.status()).toBe(200);
  };
  await grant("editor");
  await grace.open(id);
  await grace.context.setOffline(true);
  // Chromium leaves an open socket as it is.
  await grace.page.evaluate(() => window.dispatchEvent(new Event("offline")));
  await grace.rename(widget, "Written without a line");
  await grant(null);
  await grace.context.setOffline(false);
  await grace.page.evaluate(() => window.dispatchEvent(new Event("online")));
  await expect(grace.page.getByTestId("add-widget")).toBeHidden();
  await expect(admin.title(widget)).not.toHaveText("Written without a line");
  for (const person of [admin, grace]) await person.leave();
});

test("a share link opens one dashboard to somebody without an account, until it is revoked", async ({ company }) => {
  const admin = await company.setUp();
  const id = await newDashboard(admin, "Orders");
  await admin.open(id);
  const widget = await admin.add("timeseries");
  const set = async (field: string, value: string) => {
    await admin.page.getByTestId(`field-${field}`).fill(value);
    await admin.page.keyboard.press("Enter");
  };
  await set("query", "server.cpu");
  await admin.page.keyboard.press("Escape");
  await admin.saved();

  await admin.page.getByTestId("share-open").click();
  const dialog = admin.page.getByTestId("share-dialog");
  await dialog.getByTestId("link-new").click();
  await dialog.getByTestId("link-password").fill("only-for-the-hall-77");
  await dialog.getByTestId("link-make").click();
  const address = await dialog.getByTestId("once-address").inputValue();
  expect(address).toMatch(new RegExp(`^${company.server.url}/s/[\\w-]{24}$`));
  expect(await violations(admin.page, '[data-testid="share-dialog"]')).toEqual([]);

  const guest = await company.visit(address, "Guest");
  expect(await violations(guest.page)).toEqual([]);
  await guest.page.getByTestId("link-name").fill("Hall");
  await guest.page.getByTestId("sign-in-password").fill("only-for-the-hall-77");
  await guest.page.getByTestId("link-open").click();
  await expect(guest.page).toHaveURL(`${company.server.url}/d/${id}`);
  await expect(guest.sync).toHaveAttribute("data-state", "readonly");
  // A live chart at a time of their own, and nothing of what else is on the server.
  await expect(guest.widget(widget).locator("canvas")).toBeVisible();
  await expect(guest.page.getByTestId("share-open")).toHaveCount(0);
  const others = ["/api/v1/dashboards", "/api/v1/series", "/api/v1/sources", "/api/v1/status", "/metrics"];
  for (const path of others) {
    expect([401, 403]).toContain((await guest.context.request.get(path)).status());
  }
  // As somebody without an account they are marked, by the server.
  await expect(admin.page.locator('[data-testid="collaborator"][aria-label^="Hall (guest)"]')).toBeVisible();

  await dialog.getByTestId("link-revoke").click();
  await expect(guest.sync).toHaveAttribute("data-state", "error", { timeout: 2_000 });
  await guest.page.goto(`/d/${id}`);
  await expect(guest.page).toHaveURL(/\/sign-in\?to=/);
  await guest.page.goto(address);
  await expect(guest.page.getByText("This link is not valid")).toBeVisible();
  for (const person of [admin, guest]) await person.leave();
});
