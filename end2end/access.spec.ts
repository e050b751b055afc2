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
    headers: { origin: company.server.origin },
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
  const origin = { origin: company.server.origin };
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

test("who loses a dashboard keeps their own edits of it, and nothing of what others wrote", async ({ company }) => {
  const admin = await company.setUp();
  const grace = await company.join(admin, "Grace", "viewer");
  const id = await newDashboard(admin, "Orders");
  await admin.open(id);
  const [stat, note] = [await admin.add("stat"), await admin.add("note")];
  await admin.rename(stat, "Secret figure");
  await (await admin.note(note)).pressSequentially("The secret is under the mat.");
  await admin.saved();
  const people = await (await admin.context.request.get("/api/v1/admin/people")).json();
  const account = people.accounts.find((one: any) => one.person.name === "Grace").person.id;
  const share = async (role: string | null) => {
    const data = { team: "nobody", grants: [{ to: { account }, role }] };
    const headers = { origin: company.server.origin };
    const shared = await admin.context.request.put(`/api/v1/dashboards/${id}/access`, { data, headers });
    expect(shared.status()).toBe(200);
  };
  await share("editor");
  /** All that her browser keeps of dashboards, as text. */
  const kept = () =>
    grace.page.evaluate(async () => {
      const name = (await indexedDB.databases()).find((one) => one.name!.startsWith("lockstep-"))!.name!;
      const database = await new Promise<IDBDatabase>((done) => {
        const asked = indexedDB.open(name);
        asked.onsuccess = () => done(asked.result);
      });
      const read = (store: string) =>
        new Promise<string[]>((done) => {
          const asked = database.transaction(store).objectStore(store).getAll();
          asked.onsuccess = () => done(asked.result);
        });
      const all = [...(await read("dashboards")), ...(await read("queues"))].join("\n");
      database.close();
      return all;
    });
  await grace.open(id);
  await expect.poll(kept).toContain("under the mat");
  await grace.context.setOffline(true);
  // Chromium leaves an open socket as it is.
  await grace.page.evaluate(() => window.dispatchEvent(new Event("offline")));
  await grace.rename(stat, "By Grace");
  await (await grace.note(note)).press("Home");
  await grace.page.keyboard.type("Hers: ");
  await expect.poll(kept).toContain("By Grace");

  await share(null);
  await grace.context.setOffline(false);
  await grace.page.evaluate(() => window.dispatchEvent(new Event("online")));
  const left = grace.page.getByTestId("unsaved-edit");
  const expectHersAlone = async () => {
    await expect(left).toHaveCount(2);
    await expect(left.nth(0)).toContainText("By Grace");
    await expect(left.nth(1)).toContainText("Hers: ");
    await expect(grace.widgets).toHaveCount(0);
    // Tiles and people that go take a moment.
    await expect(grace.page.getByTestId("collaborator")).toHaveCount(0);
    await expect.poll(() => grace.page.locator("body").innerText()).not.toMatch(/Secret figure|Orders|under the mat/);
    await expect.poll(kept).not.toMatch(/Secret figure|Orders|under the mat/);
    expect(await kept()).toContain("By Grace");
  };
  await expectHersAlone();
  await expect(grace.sync).toHaveAttribute("data-state", "error");
  await expect(grace.page.getByTestId("kept-copy")).toHaveCount(0);
  await expect(grace.page.getByTestId("add-widget")).toBeHidden();
  expect(await violations(grace.page)).toEqual([]);
  // Also when the page is opened again, which the server answers as any address without anything.
  await grace.page.reload();
  await expectHersAlone();
  const download = grace.page.waitForEvent("download");
  await grace.page.getByTestId("kept-export").click();
  const file = Buffer.concat(await (await (await download).createReadStream()).toArray()).toString();
  expect(file).toContain("By Grace");
  expect(file).not.toMatch(/Secret figure|Orders|under the mat/);
  // Nobody else saw them.
  await expect(admin.title(stat)).toHaveText("Secret figure");
  await grace.page.getByTestId("kept-discard").click();
  await grace.page.getByTestId("kept-discard").click();
  await expect(grace.page).toHaveURL(`${company.server.url}/`);
  expect(await kept()).not.toContain("By Grace");
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

test("admins find sessions, tokens and links in sections, also on a phone", async ({ company }) => {
  const admin = await company.setUp();
  const grace = await company.join(admin, "Grace", "editor");
  const id = await newDashboard(grace, "Orders");
  const origin = { origin: company.server.origin };
  const link = await grace.context.request.post(`/api/v1/dashboards/${id}/links`, {
    data: { role: "viewer", label: "Hall" },
    headers: origin,
  });
  expect(link.status()).toBe(201);
  const token = await grace.context.request.post("/api/v1/me/tokens", {
    data: { name: "Robot", scopes: ["push"] },
    headers: origin,
  });
  expect(token.status()).toBe(201);
  await grace.page.goto("/account");

  const page = admin.page;
  await page.setViewportSize({ width: 390, height: 800 });
  await page.goto("/admin");
  await expect(page.getByTestId("person")).toHaveCount(2);
  const widest = () => page.evaluate(() => document.documentElement.scrollWidth);
  expect(await widest()).toBeLessThanOrEqual(390);
  await page.getByTestId("admin-section-tokens").click();
  await expect(page.getByTestId("admin-token")).toContainText("Robot");
  await expect(page.getByTestId("person").first()).toBeHidden();
  expect(await violations(page)).toEqual([]);
  expect(await widest()).toBeLessThanOrEqual(390);
  await page.getByTestId("admin-token-revoke").click();
  await page.getByTestId("admin-token-revoke-sure").click();
  await expect(page.getByTestId("admin-token")).toHaveCount(0);
  await expect(page.getByText("No token matches.")).toBeVisible();

  await page.goto("/admin#links");
  await expect(page.getByTestId("admin-link")).toContainText("Orders");
  await page.getByTestId("admin-links-search").fill("nowhere");
  await expect(page.getByTestId("admin-link")).toHaveCount(0);
  await page.getByTestId("admin-links-search").fill("hall");
  await page.getByTestId("admin-link-revoke").click();
  await page.getByTestId("admin-link-revoke-sure").click();
  await expect(page.getByTestId("admin-link")).toHaveCount(0);

  await page.getByTestId("admin-section-sessions").click();
  await expect(page.getByTestId("admin-sessions-total")).toHaveText("2");
  await page.getByTestId("admin-sessions-search").fill("grace");
  await expect(page.getByTestId("admin-session")).toHaveCount(1);
  expect(await violations(page)).toEqual([]);
  await page.getByTestId("admin-session-end").click();
  await expect(page.getByTestId("admin-session")).toHaveCount(0);
  await grace.page.reload();
  await expect(grace.page).toHaveURL(/\/sign-in\?to=/);
  admin.expectQuiet();
  for (const person of [admin, grace]) await person.leave();
});

test("an owner reads in the share dialog's audit log what was done to the dashboard", async ({ company }) => {
  const admin = await company.setUp();
  const id = await newDashboard(admin, "Orders");
  await admin.open(id);
  await admin.page.getByTestId("share-open").click();
  await admin.page.getByTestId("share-audit").click();
  await expect(admin.page).toHaveURL(`${company.server.url}/d/${id}/audit`);
  await expect(admin.page.getByRole("heading", { level: 1 })).toHaveText("Audit log of “Orders”");
  await expect(admin.page.getByTestId("audit-entry").filter({ hasText: "made Orders" })).toHaveCount(1);
  await expect(admin.page.locator('[data-testid="audit-entry"][data-what="sign_in"]')).toHaveCount(0);
  expect(await violations(admin.page)).toEqual([]);
  await admin.page.getByTestId("audit-what").selectOption("dashboard_exported");
  await admin.page.getByTestId("audit-show").click();
  await expect(admin.page.getByTestId("audit-entry")).toHaveCount(0);
  await admin.page.getByTestId("audit-back").click();
  await expect(admin.page).toHaveURL(`${company.server.url}/d/${id}`);
  await admin.leave();
});

/** Leaves an edit on the device that no tab sends: the page goes while nothing of what it sends arrives. */
async function leaveAnEdit(person: Person, id: string): Promise<string> {
  let arrives = true;
  await person.page.routeWebSocket(/\/api\/v1\/ws/, (socket) => {
    const server = socket.connectToServer();
    socket.onMessage((message) => {
      if (arrives) server.send(message);
    });
  });
  await person.open(id);
  const widget = await person.add("stat");
  await person.saved();
  arrives = false;
  await person.rename(widget, "Written without a line");
  await expect(person.sync).toHaveAttribute("data-pending", "1");
  const kept = () =>
    person.page.evaluate(async () => {
      const name = (await indexedDB.databases()).find((one) => one.name!.startsWith("lockstep-"))!.name!;
      const database = await new Promise<IDBDatabase>((done) => {
        const asked = indexedDB.open(name);
        asked.onsuccess = () => done(asked.result);
      });
      const all = await new Promise<string[]>((done) => {
        const asked = database.transaction("queues").objectStore("queues").getAll();
        asked.onsuccess = () => done(asked.result);
      });
      database.close();
      return all.join("");
    });
  await expect.poll(kept).toContain("Written without a line");
  await person.page.goto("about:blank");
  arrives = true;
  return widget;
}

test("who signs out with edits that are not saved waits until they are", async ({ company }) => {
  const admin = await company.setUp();
  const id = await newDashboard(admin, "Orders");
  const widget = await leaveAnEdit(admin, id);
  await admin.page.goto(`${company.server.url}/account`);
  const dialog = admin.page.getByTestId("sign-out-dialog");
  await admin.page.getByTestId("sign-out").click();
  await expect(dialog).toContainText("1 edit is not saved");
  await expect(dialog.getByTestId("sign-out-edits")).toContainText("Orders");
  await expect(dialog.getByTestId("sign-out-wait")).toBeFocused();
  expect(await violations(admin.page, '[data-testid="sign-out-dialog"]')).toEqual([]);
  // Escape changes nothing, and the keyboard is where it was.
  await admin.page.keyboard.press("Escape");
  await expect(dialog).toHaveCount(0);
  await expect(admin.page.getByTestId("sign-out")).toBeFocused();
  await admin.page.keyboard.press("Enter");
  await dialog.getByTestId("sign-out-wait").click();
  await expect(admin.page).toHaveURL(/\/sign-in/);
  const names = await admin.page.evaluate(async () => (await indexedDB.databases()).map((one) => one.name));
  expect(names).not.toContainEqual(expect.stringMatching(/^lockstep-.+/));
  await signIn(admin.page, "ada@example.com");
  // To the list, or to where they were when their session ended.
  await expect(admin.page).not.toHaveURL(/\/sign-in/);
  await admin.open(id);
  await expect(admin.title(widget)).toHaveText("Written without a line");
  await admin.leave();
});

test("who signs out takes edits along as a file, or throws them away", async ({ company }) => {
  const admin = await company.setUp();
  const id = await newDashboard(admin, "Orders");
  await leaveAnEdit(admin, id);
  await admin.page.goto(`${company.server.url}/account`);
  await admin.page.getByTestId("sign-out").click();
  const download = admin.page.waitForEvent("download");
  await admin.page.getByTestId("sign-out-export").click();
  const file = await (await (await download).createReadStream()).toArray();
  const [exported] = JSON.parse(Buffer.concat(file).toString());
  expect(exported).toMatchObject({ dashboard: id, title: "Orders" });
  expect(JSON.stringify(exported.waiting)).toContain("Written without a line");
  await expect(admin.page).toHaveURL(/\/sign-in/);

  await signIn(admin.page, "ada@example.com");
  await expect(admin.page).not.toHaveURL(/\/sign-in/);
  const widget = await leaveAnEdit(admin, id);
  await admin.page.goto(`${company.server.url}/account`);
  await admin.page.getByTestId("sign-out").click();
  await admin.page.getByTestId("sign-out-discard").click();
  await expect(admin.page).toHaveURL(/\/sign-in/);
  await signIn(admin.page, "ada@example.com");
  await expect(admin.page).not.toHaveURL(/\/sign-in/);
  await admin.open(id);
  await expect(admin.title(widget)).not.toHaveText("Written without a line");
  await admin.leave();
});
