// Two people who meet: both sides are kept, both screens show the same, and a choice settles it for both.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import type { Locator } from "@playwright/test";
import { expect, test } from "./fixtures.ts";
import { Person } from "./person.ts";
import type { Line } from "./proxy.ts";
import { Server } from "./server.ts";

const CUT = /WebSocket connection|net::ERR_|Failed to load resource/;

/** The line is there again, and the browser says so. */
async function comeBack(person: Person, cable: Line) {
  cable.mend();
  await person.page.evaluate(() => window.dispatchEvent(new Event("online")));
}

const toast = (person: Person, text: string | RegExp): Locator =>
  person.page.getByTestId("toast").filter({ hasText: text });

const conflict = (person: Person, text: string | RegExp): Locator =>
  person.page.getByTestId("conflict").filter({ hasText: text });

async function openInbox(person: Person) {
  await person.page.getByTestId("conflicts-open").click();
  await expect(person.page.getByTestId("conflict-inbox")).toBeVisible();
}

const openConflicts = async (server: Server) => {
  const text = await (await fetch(`${server.url}/metrics`)).text();
  return Number(/^lockstep_open_conflicts (\d+)$/m.exec(text)?.[1]);
};

for (const first of ["Ada", "Grace"]) {
  test(`two come back from offline, ${first} first: nothing is lost, and a choice settles it on both screens`, async ({
    server,
    arrive,
    line,
  }) => {
    test.slow();
    const id = await server.dashboard("Two trains");
    const cables = { Ada: await line(), Grace: await line() };
    const ada = await arrive("Ada", { line: cables.Ada, complains: CUT });
    const grace = await arrive("Grace", { line: cables.Grace, complains: CUT });
    await ada.open(id);
    const [orders, refunds, third] = [await ada.add("stat"), await ada.add("stat"), await ada.add("stat")];
    await ada.page.keyboard.press("Escape");
    await ada.rename(orders, "Orders");
    await ada.rename(refunds, "Refunds");
    await ada.saved();
    await grace.open(id);

    for (const cable of Object.values(cables)) cable.cut();
    await ada.rename(orders, "Orders per hour");
    await ada.remove(refunds);
    await ada.rename(third, "Written by Ada alone");
    await grace.rename(orders, "Orders per day");
    await grace.rename(refunds, "Refunds in euro");
    const writtenBy = Date.now();
    for (const person of [ada, grace]) {
      await expect(person.sync).toHaveAttribute("data-state", /reconnecting|offline/, { timeout: 15_000 });
    }
    await expect.poll(() => Date.now() - writtenBy).toBeGreaterThan(2_000);

    const [one, two] = first === "Ada" ? [ada, grace] : [grace, ada];
    await comeBack(one, one === ada ? cables.Ada : cables.Grace);
    await expect(toast(one, one === ada ? "Your 3 edits are saved." : "Your 2 edits are saved.")).toBeVisible();
    await one.saved();
    await comeBack(two, two === ada ? cables.Ada : cables.Grace);
    const returned = two === ada ? "1 of your edits is saved, 2 meet edits of others." : "2 edits of yours meet edits of others.";
    await expect(toast(two, returned)).toBeVisible();
    await expect(toast(one, /of others meets? yours|at the same time|while you/).first()).toBeVisible();

    // What came last shows; a widget that was removed before it was edited stays removed.
    const showing = two === ada ? "Orders per hour" : "Orders per day";
    await toast(two, returned).getByRole("button", { name: "Review" }).click();
    await openInbox(one);
    await expect(two.page.getByTestId("review")).toContainText(returned);
    for (const person of [ada, grace]) {
      await expect(person.sync).toHaveAttribute("data-state", "conflict");
      await expect(person.title(orders)).toHaveText(showing);
      await expect(person.title(third)).toHaveText("Written by Ada alone");
      await expect(person.widget(refunds)).toHaveCount(0);
      await expect(person.page.getByTestId("conflict")).toHaveCount(2);
      const title = conflict(person, "It was “Orders” when both began.");
      for (const said of ["Orders per hour", "Orders per day", "Ada", "Grace", "shows now"]) {
        await expect(title).toContainText(said);
      }
      await expect(title.getByText(/arrived .+, written \d+ s earlier/)).toHaveCount(2);
      const removal = conflict(person, "removed by one, edited by the other");
      for (const said of ["Removed it", "Title", "Refunds in euro", "Ada", "Grace"]) {
        await expect(removal).toContainText(said);
      }
    }
    expect(await ada.ids()).toEqual(await grace.ids());
    expect(await openConflicts(server)).toBe(2);

    // The one chooses, the other sees it; and sees it taken back.
    const other = two === ada ? "Orders per day" : "Orders per hour";
    await conflict(one, "It was “Orders”").getByTestId("conflict-other").click();
    for (const person of [ada, grace]) {
      await expect(person.page.getByTestId("conflict")).toHaveCount(1);
      await expect(person.title(orders)).toHaveText(other);
    }
    await expect(toast(two, `${one.name} chose “${other}” for the title of`)).toBeVisible();
    await expect.poll(() => openConflicts(server)).toBe(1);
    await toast(one, `You chose “${other}”`).getByRole("button", { name: "Undo" }).click();
    for (const person of [ada, grace]) {
      await expect(person.page.getByTestId("conflict")).toHaveCount(2);
      await expect(person.title(orders)).toHaveText(showing);
    }
    await expect.poll(() => openConflicts(server)).toBe(2);

    // The widget comes back with what was edited, and goes with the undo of that.
    await conflict(two, "removed by one").getByRole("button", { name: "Keep it with the edits" }).click();
    for (const person of [ada, grace]) {
      await expect(person.title(refunds)).toHaveText("Refunds in euro");
      await expect(person.page.getByTestId("conflict")).toHaveCount(1);
    }
    await two.page.getByTestId("undo").click();
    for (const person of [ada, grace]) {
      await expect(person.widget(refunds)).toHaveCount(0);
      await expect(person.page.getByTestId("conflict")).toHaveCount(2);
    }
    await conflict(two, "removed by one").getByRole("button", { name: "Let it go" }).click();
    await conflict(two, "It was “Orders”").getByTestId("conflict-keep").click();
    for (const person of [ada, grace]) {
      await person.saved();
      await expect(person.widget(refunds)).toHaveCount(0);
      await expect(person.title(orders)).toHaveText(showing);
    }
    await expect(two.page.getByTestId("review")).toHaveCount(0);
  });
}

test("a third value settles a conflict, and anybody may open it again", async ({ pair }) => {
  const { ada, grace, stats: [stat, mark] } = await pair("A third", 2);
  await ada.titleOver(grace, stat, { mine: "Per hour", theirs: "Per day" }, mark);

  await grace.widget(stat).getByTestId("widget-conflict").click();
  await expect(grace.widget(mark).getByTestId("widget-conflict")).toHaveCount(0);
  await grace.page.getByTestId("conflict-third").click();
  const value = grace.page.getByTestId("conflict-value");
  await expect(value).toBeFocused();
  await value.fill("x".repeat(300));
  await value.press("Enter");
  await expect(grace.page.locator(".third .problem")).toBeVisible();
  await value.press("ControlOrMeta+a");
  await grace.page.keyboard.type("Per minute");
  await expect(value).toHaveValue("Per minute");
  await grace.page.getByTestId("conflict-use").click();
  for (const person of [ada, grace]) {
    await person.saved();
    await expect(person.title(stat)).toHaveText("Per minute");
  }
  await expect(toast(ada, "Grace chose “Per minute”")).toBeVisible();

  await ada.page.keyboard.press("ControlOrMeta+k");
  await ada.page.keyboard.type("show conflicts");
  await ada.page.keyboard.press("Enter");
  await ada.page.getByText("Chosen lately").click();
  await expect(ada.page.getByTestId("settled-conflict")).toContainText("Grace chose “Per minute” for the title of");
  await ada.page.getByTestId("conflict-reopen").click();
  for (const person of [ada, grace]) {
    await expect(person.page.getByTestId("conflict")).toHaveCount(1);
    await expect(person.title(stat)).toHaveText("Per hour");
  }
});

test("typing in a note that somebody removes meanwhile is in the inbox as it was typed", async ({ server, arrive, line }) => {
  const id = await server.dashboard("A note that goes");
  const cable = await line();
  const ada = await arrive("Ada", { line: cable, complains: CUT });
  const grace = await arrive("Grace");
  await ada.open(id);
  const note = await ada.add("note");
  await ada.page.keyboard.press("Escape");
  await ada.saved();
  await grace.open(id);
  cable.cut();
  await ada.note(note);
  await ada.page.keyboard.type("call the person on duty");
  await grace.remove(note);
  await grace.saved();
  await comeBack(ada, cable);
  await expect(ada.sync).toHaveAttribute("data-state", "conflict", { timeout: 20_000 });
  for (const person of [ada, grace]) {
    await openInbox(person);
    await expect(person.page.getByTestId("conflict")).toHaveCount(1);
    await expect(conflict(person, "Removed it")).toContainText("call the person on duty");
  }
  await grace.page.getByTestId("conflict-other").click();
  await expect(ada.widget(note)).toContainText("call the person on duty");
});

test("open conflicts survive a restart and are counted", async ({ browser }) => {
  const dir = mkdtempSync(path.join(tmpdir(), "lockstep-e2e-kept-"));
  let server = await Server.start({ LOCKSTEP_DATA_DIR: dir });
  try {
    const id = await server.dashboard("Restarted");
    const [ada, grace] = [await Person.arrive(browser, server.url, "Ada"), await Person.arrive(browser, server.url, "Grace")];
    await ada.open(id);
    const [stat, mark] = [await ada.add("stat"), await ada.add("stat")];
    await ada.page.keyboard.press("Escape");
    await ada.saved();
    await grace.open(id);
    await ada.titleOver(grace, stat, { mine: "Per hour", theirs: "Per day" }, mark);
    await expect(ada.sync).toHaveAttribute("data-state", "conflict");
    expect(await openConflicts(server)).toBe(1);
    for (const person of [ada, grace]) await person.leave();
    await server.stop();

    server = await Server.start({ LOCKSTEP_DATA_DIR: dir });
    const again = await Person.arrive(browser, server.url, "Grace");
    await again.page.goto(`${server.url}/d/${id}`);
    await expect(again.sync).toHaveAttribute("data-state", "conflict");
    expect(await openConflicts(server)).toBe(1);
    await openInbox(again);
    await expect(conflict(again, "Per hour")).toContainText("Per day");
    await again.page.getByTestId("conflict-keep").click();
    await again.saved();
    expect(await openConflicts(server)).toBe(0);
    again.expectQuiet();
    await again.leave();
  } finally {
    await server.stop();
    rmSync(dir, { recursive: true, force: true });
  }
});

test("where the log does not reach back, the activity says that others changed something meanwhile", async ({ browser }) => {
  const server = await Server.start({ LOCKSTEP_LIMIT_TAIL_BYTES: "100", LOCKSTEP_LIMIT_TAIL_COMMITS: "1" });
  const { Line } = await import("./proxy.ts");
  const cable = await Line.to(server.url);
  try {
    const id = await server.dashboard("Long ago");
    const ada = await Person.arrive(browser, cable.url, "Ada");
    const grace = await Person.arrive(browser, server.url, "Grace");
    await ada.open(id);
    const [one, two] = [await ada.add("stat"), await ada.add("stat")];
    await ada.page.keyboard.press("Escape");
    await ada.saved();
    await grace.open(id);
    cable.cut();
    await grace.rename(one, "Orders");
    await grace.rename(two, "Refunds");
    await grace.saved();
    await comeBack(ada, cable);
    await expect(ada.title(two)).toHaveText("Refunds", { timeout: 20_000 });
    await ada.page.getByTestId("activity-open").click();
    await expect(ada.page.getByTestId("activity-item").first()).toContainText("Others changed 2 widgets");
    for (const person of [ada, grace]) {
      person.expectQuiet(CUT);
      await person.leave();
    }
  } finally {
    await cable.close();
    await server.stop();
  }
});
