// The bin: what is moved there is gone for everybody at once, and comes back with all that was in it.
import { violations } from "./accessibility.ts";
import { expect, test } from "./fixtures.ts";
import type { Person } from "./person.ts";

const cardOf = (person: Person, id: string) =>
  person.page.locator(`[data-testid="dashboard-card"][data-dashboard="${id}"]`);
const entryOf = (person: Person, id: string) =>
  person.page.locator(`[data-testid="bin-entry"][data-dashboard="${id}"]`);

// What Chromium itself writes about an address that answers 404, and about a line that a test has cut.
const GONE = /status of 404|WebSocket connection|net::ERR_/;

test("a dashboard is moved to the bin without a question, and undo brings it back for both", async ({ server, arrive }) => {
  const id = await server.dashboard("By mistake");
  const [ada, grace] = [await arrive("Ada"), await arrive("Grace")];
  await ada.page.goto(server.url);
  await grace.page.goto(server.url);
  const before = await ada.page.getByTestId("dashboard-card").evaluateAll((all) => all.map((one) => one.getAttribute("data-dashboard")));
  await cardOf(ada, id).hover();
  await cardOf(ada, id).getByRole("button", { name: "Move to bin" }).click();
  await expect(cardOf(ada, id)).toHaveCount(0);
  await expect(cardOf(grace, id)).toHaveCount(0);
  const toast = ada.page.getByTestId("toast");
  await expect(toast).toContainText("Moved to the bin: “By mistake”");
  await toast.getByRole("button", { name: "Undo" }).click();
  await expect(cardOf(ada, id)).toBeVisible();
  await expect(cardOf(grace, id)).toBeVisible();
  const after = await ada.page.getByTestId("dashboard-card").evaluateAll((all) => all.map((one) => one.getAttribute("data-dashboard")));
  expect(after).toEqual(before);
});

test("who has it open is told by whom it was moved, and is back with a press", async ({ server, arrive }) => {
  const { id, ada, grace, stat } = await open(server, arrive, "Open on two screens");
  const katherine = await arrive("Katherine");
  await katherine.page.goto(server.url);
  await cardOf(katherine, id).hover();
  await cardOf(katherine, id).getByTestId("move-to-bin").click();
  for (const person of [ada, grace]) {
    await expect(person.page.getByRole("alert").filter({ hasText: "Katherine moved this dashboard to the bin" })).toBeVisible();
    await expect(person.page.getByTestId("bin-restore")).toHaveText("Restore");
  }
  // Beside it the faces of those who left are pale.
  expect(await violations(ada.page, "main")).toEqual([]);
  await ada.page.getByTestId("bin-restore").click();
  await ada.saved();
  // Somebody else's restoring is found by the other page, too.
  await grace.page.getByTestId("try-again").click();
  await grace.saved();
  await ada.rename(stat, "Still the same");
  await expect(grace.title(stat)).toHaveText("Still the same");
});

test("edits made offline find their dashboard in the bin: restored and saved, nothing lost", async ({ server, arrive, line }) => {
  const id = await server.dashboard("Deleted meanwhile");
  const cable = await line();
  const ada = await arrive("Ada", { line: cable, complains: GONE });
  await ada.open(id);
  const stat = await ada.add("stat");
  await ada.rename(stat, "Before");
  await ada.saved();
  const before = await server.read(id);
  cable.cut();
  await ada.rename(stat, "Written offline");
  const second = await ada.add("gauge");
  await expect(ada.sync).toHaveAttribute("data-pending", "2");
  await server.remove(id);
  cable.mend();
  await expect(ada.sync).toHaveAttribute("data-state", "error", { timeout: 30_000 });
  await expect(ada.page.getByTestId("kept-edits")).toContainText("2 edits not sent");

  // The page says so after a reload, too, with the edits in it.
  await ada.page.reload();
  await expect(ada.title(stat)).toHaveText("Written offline");
  await expect(ada.page.getByTestId("kept-edits")).toContainText("2 edits not sent");
  const restore = ada.page.getByTestId("bin-restore");
  await expect(restore).toHaveText("Restore the dashboard and save");
  await restore.click();
  await ada.saved();
  const after = await server.read(id);
  expect(after.revision).toBe(before.revision + 2);
  expect(after.dashboard.widgets[stat].title).toBe("Written offline");
  expect(Object.keys(after.dashboard.widgets).sort()).toEqual([stat, second].sort());
  await ada.page.reload();
  await ada.saved();
  expect((await server.read(id)).revision).toBe(before.revision + 2);
});

test("edits go by themselves once somebody else has restored their dashboard", async ({ server, arrive, line }) => {
  const id = await server.dashboard("Restored by another");
  const cable = await line();
  const ada = await arrive("Ada", { line: cable, complains: GONE });
  await ada.open(id);
  const stat = await ada.add("stat");
  await ada.saved();
  cable.cut();
  await ada.rename(stat, "Sent by itself");
  await server.remove(id);
  cable.mend();
  await expect(ada.page.getByTestId("kept-edits")).toContainText("1 edit not sent", { timeout: 30_000 });
  const restored = await fetch(`${server.url}/api/v1/bin/${id}/restore`, { method: "POST" });
  expect(restored.status).toBe(200);
  // Nobody presses anything.
  await expect(ada.sync).toHaveAttribute("data-state", "saved", { timeout: 40_000 });
  await expect.poll(async () => (await server.read(id)).dashboard.widgets[stat].title).toBe("Sent by itself");
});

test("the address of a dashboard in the bin says so before any code has loaded, and leads back", async ({ server, arrive, browser }) => {
  const id = await server.dashboard("Looked for");
  const ada = await arrive("Ada", { complains: GONE });
  await ada.page.goto(server.url);
  await cardOf(ada, id).hover();
  await cardOf(ada, id).getByTestId("move-to-bin").click();
  await expect(ada.page.getByTestId("toast")).toBeVisible();
  const plain = await browser.newContext({ javaScriptEnabled: false });
  const reader = await plain.newPage();
  const answer = await reader.goto(`${server.url}/d/${id}`);
  expect(answer!.status()).toBe(404);
  await expect(reader.getByRole("heading", { name: "“Looked for” is in the bin" })).toBeVisible();
  await expect(reader.getByTestId("in-bin")).toContainText("Ada moved this dashboard to the bin");
  await plain.close();
  await ada.page.goto(`${server.url}/d/${id}`);
  await ada.page.getByTestId("bin-restore").click();
  await ada.saved();
  await expect(ada.page.getByTestId("dashboard-title")).toContainText("Looked for");
});

test("the bin says what is in it, gives it back at its address, and lets it go only when sure", async ({ server, arrive }) => {
  const ada = await arrive("Ada", { complains: GONE });
  await ada.page.goto(`${server.url}/bin`);
  const ids = [await server.dashboard("Comes back"), await server.dashboard("Goes for good")];
  for (const id of ids) await server.remove(id);
  // It comes in by itself.
  const [back, gone] = ids.map((id) => entryOf(ada, id));
  await expect(back).toContainText("Somebody moved it here");
  await expect(back).toContainText("gone for good in 30 days");
  expect(await violations(ada.page)).toEqual([]);

  await back.getByTestId("bin-restore").focus();
  await ada.page.keyboard.press("Enter");
  await expect(back).toContainText("It is back");
  await expect(back.getByTestId("bin-open")).toBeFocused();
  expect((await server.read(ids[0])).dashboard.title).toBe("Comes back");

  await gone.getByTestId("bin-purge").click();
  await ada.page.getByRole("button", { name: "Keep it" }).locator("visible=true").click();
  await expect(gone.getByTestId("bin-purge")).toBeFocused();
  await gone.getByTestId("bin-purge").click();
  await gone.getByTestId("bin-purge-sure").click();
  await expect(gone).toHaveCount(0);
  const restored = await fetch(`${server.url}/api/v1/bin/${ids[1]}/restore`, { method: "POST" });
  expect(restored.status).toBe(404);
  await back.getByTestId("bin-open").click();
  await ada.saved();
  await expect(ada.page.getByTestId("dashboard-title")).toContainText("Comes back");
});

async function open(server: any, arrive: any, title: string) {
  const id = await server.dashboard(title);
  const [ada, grace]: Person[] = [await arrive("Ada"), await arrive("Grace")];
  await ada.open(id);
  const stat = await ada.add("stat");
  await ada.page.keyboard.press("Escape");
  await ada.saved();
  await grace.open(id);
  return { id, ada, grace, stat };
}
