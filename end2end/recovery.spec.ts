// A server that comes back other than it went: with a newer build, or with older data.
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import type { Browser } from "@playwright/test";
import { expect, test } from "./fixtures.ts";
import { Person } from "./person.ts";
import { Place } from "./place.ts";
import { site } from "./server.ts";

/** Somebody at a dashboard with a number in it; the number's widget. */
async function somebody(browser: Browser, place: Place): Promise<[Person, string]> {
  const person = await Person.arrive(browser, place.url, "Ada");
  await person.open(await place.now.dashboard("Orders"));
  return [person, await person.add("stat")];
}

test("a page that is older than its server offers to be loaded again, with its edits safe", async ({ browser }) => {
  const place = await Place.open();
  try {
    const [ada, widget] = await somebody(browser, place);
    await ada.rename(widget, "Before");
    await ada.saved();
    await expect(ada.page.getByTestId("outdated")).toHaveCount(0);
    await place.stop();
    await ada.rename(widget, "While it was away");

    const newer = path.join(place.root, "site");
    cpSync(process.env.LOCKSTEP_SITE_ROOT ?? site(), newer, { recursive: true });
    const style = path.join(newer, "pkg/lockstep.css");
    writeFileSync(style, `${readFileSync(style, "utf8")}\n.newer { color: red }\n`);
    for (const packed of [".br", ".gz"]) rmSync(style + packed, { force: true });
    await place.start({ LOCKSTEP_SITE_ROOT: newer });

    await expect(ada.page.getByTestId("outdated")).toContainText("newer version", { timeout: 30_000 });
    await ada.saved();
    await expect(ada.page.getByTestId("outdated")).toContainText("your edits are safe");
    await ada.page.getByTestId("reload").click();
    await ada.saved();
    await expect(ada.title(widget)).toHaveText("While it was away");
    await expect(ada.page.getByTestId("outdated")).toHaveCount(0);
    await ada.leave();
  } finally {
    await place.close();
  }
});

test("after an older backup was put back, each author is told and has what is missing", async ({ browser }) => {
  const place = await Place.open();
  const data = path.join(place.root, "data");
  const backup = path.join(place.root, "backup");
  try {
    const [ada, widget] = await somebody(browser, place);
    await ada.rename(widget, "In the backup");
    await ada.saved();
    await place.stop();
    cpSync(data, backup, { recursive: true });
    await place.start();
    await ada.saved();
    await ada.rename(widget, "After the backup");
    await ada.saved();

    await place.stop();
    await ada.rename(widget, "While it was away");
    rmSync(data, { recursive: true });
    cpSync(backup, data, { recursive: true });
    await place.start();

    const told = ada.page.getByTestId("toast").filter({ hasText: "restored" });
    await expect(told).toContainText("restored to an earlier state", { timeout: 30_000 });
    await expect(told).toContainText("1 saved edit");
    await expect(ada.page.getByTestId("unsaved-edit")).toContainText("After the backup");
    // What waited lands, on what the server has now.
    await ada.saved();
    await expect(ada.title(widget)).toHaveText("While it was away");
    const held = (await place.now.read(new URL(ada.page.url()).pathname.split("/").at(-1)!)).dashboard;
    expect(held.widgets[widget].title).toBe("While it was away");
    await ada.leave();
  } finally {
    await place.close();
  }
});
