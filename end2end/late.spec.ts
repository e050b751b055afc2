// Code that comes late takes no key from anybody.
import { expect, test } from "./fixtures.ts";
import type { Person } from "./person.ts";

const PARTS = /split_parts\.wasm/;
const PAGES = /split_pages\.wasm/;
/** What wakes the page that the server rendered. */
const PAGE = /lockstep\.wasm/;

/** Keeps code of the page away from a person until it is let through. */
async function late(person: Person, code = PARTS): Promise<() => void> {
  let through = () => {};
  const open = new Promise<void>((done) => (through = done));
  await person.page.route(code, async (route) => {
    await open;
    await route.continue();
  });
  return through;
}

/** Opens a page whose code is kept away until it is let through. */
async function openWithout(person: Person, url: string, code = PAGE): Promise<() => void> {
  const through = await late(person, code);
  await person.page.goto(url, { waitUntil: "commit" });
  return through;
}

// What a service worker answers passes no route.
const alone = { context: { serviceWorkers: "block" } };

test("what is typed before the palette's code is there is for the palette, in order", async ({ server, arrive }) => {
  const id = await server.dashboard("Late palette");
  const ada = await arrive("Ada", alone);
  const through = await late(ada);
  const keys = ada.page.keyboard;
  await ada.open(id);
  await keys.press("ControlOrMeta+k");
  await keys.type("add numbre");
  await keys.press("Backspace");
  await keys.press("Backspace");
  await keys.type("er");
  await keys.press("Enter");
  await expect(ada.widgets).toHaveCount(0);
  through();
  await expect(ada.widgets).toHaveCount(1);
  await expect(ada.page.getByRole("dialog", { name: "Commands" })).toBeHidden();
});

test("keys are kept for a dialog and for a panel that are on their way", async ({ server, arrive }) => {
  const id = await server.dashboard("Late dialog");
  const ada = await arrive("Ada", alone);
  const through = await late(ada);
  const keys = ada.page.keyboard;
  await ada.open(id);
  await keys.press("m");
  await keys.type("Deployed 4.2");
  await keys.press("Enter");
  through();
  await expect.poll(async () => Object.values((await server.read(id)).dashboard.settings ?? {})).toContainEqual(
    expect.objectContaining({ text: "Deployed 4.2" }),
  );
});

test("Escape before the palette is there closes it, and keys after it are the page's own", async ({ server, arrive }) => {
  const id = await server.dashboard("Late escape");
  const ada = await arrive("Ada", alone);
  const through = await late(ada);
  await ada.open(id);
  await ada.page.keyboard.press("ControlOrMeta+k");
  await ada.page.keyboard.type("zebra");
  await ada.page.keyboard.press("Escape");
  through();
  await expect(ada.page.getByTestId("commands-open")).toBeEnabled();
  await expect(ada.page.getByRole("dialog", { name: "Commands" })).toBeHidden();
  await ada.page.keyboard.press("ControlOrMeta+k");
  await expect(ada.page.getByRole("combobox")).toHaveValue("");
});

test("a title takes what is typed right after F2", async ({ server, arrive }) => {
  const id = await server.dashboard("Quick title");
  const ada = await arrive("Ada");
  await ada.open(id);
  const stat = await ada.add("stat");
  await ada.title(stat).focus();
  await ada.page.keyboard.press("F2");
  await ada.page.keyboard.type("Orders");
  await ada.page.keyboard.press("Enter");
  await expect(ada.title(stat)).toHaveText("Orders");
});

test("keys that wait for the palette are no keys of the dashboard", async ({ server, arrive }) => {
  const id = await server.dashboard("No shortcuts");
  const [ada, grace] = [await arrive("Ada", alone), await arrive("Grace")];
  const through = await late(ada);
  await grace.open(id);
  const stat = await grace.add("stat");
  await grace.saved();
  await ada.open(id);
  await ada.title(stat).focus();
  await ada.page.keyboard.press("F2");
  await ada.page.keyboard.type("Orders");
  await ada.page.keyboard.press("Enter");
  await expect(ada.title(stat)).toHaveText("Orders");
  await ada.widget(stat).getByTestId("widget-drag").click();
  await ada.page.keyboard.press("ControlOrMeta+k");
  for (const key of ["m", "t", "Delete", "Backspace", "Backspace", "ControlOrMeta+z", "ControlOrMeta+a"]) {
    await ada.page.keyboard.press(key);
  }
  await ada.page.keyboard.type("zebra");
  through();
  await expect(ada.page.getByRole("combobox")).toHaveValue("zebra");
  await ada.saved();
  await expect(grace.title(stat)).toHaveText("Orders");
});

test("a paste and a composed text wait for the palette, and the note that had the keyboard gets none of them", async ({
  server,
  arrive,
}) => {
  const id = await server.dashboard("Late texts");
  const [ada, grace] = [
    await arrive("Ada", { context: { ...alone.context, permissions: ["clipboard-read", "clipboard-write"] } }),
    await arrive("Grace"),
  ];
  const through = await late(ada);
  await grace.open(id);
  const note = await grace.add("note");
  await grace.widget(note).locator("textarea").fill("Agenda");
  await grace.saved();
  await ada.open(id);
  await ada.page.evaluate(() => navigator.clipboard.writeText("ze"));
  await ada.widget(note).locator("textarea").focus();
  await ada.page.keyboard.press("ControlOrMeta+k");
  await ada.page.keyboard.press("ControlOrMeta+v");
  const keyboard = await ada.context.newCDPSession(ada.page);
  await keyboard.send("Input.imeSetComposition", { text: "b", selectionStart: 1, selectionEnd: 1 });
  await keyboard.send("Input.imeSetComposition", { text: "br", selectionStart: 2, selectionEnd: 2 });
  await keyboard.send("Input.insertText", { text: "bré" });
  await ada.page.keyboard.type("s");
  through();
  await expect(ada.page.getByRole("combobox")).toHaveValue("zebrés");
  await expect(ada.widget(note).locator("textarea")).toHaveValue("Agenda");
  await ada.saved();
  await expect(grace.widget(note).locator("textarea")).toHaveValue("Agenda");
});

test("a panel that is entered by keyboard takes the keys that came before its code", async ({ server, arrive }) => {
  const id = await server.dashboard("Late panel");
  const [ada, grace] = [await arrive("Ada", alone), await arrive("Grace")];
  const through = await late(ada);
  await grace.open(id);
  const [contested, mark] = [await grace.add("stat"), await grace.add("stat")];
  await grace.saved();
  await ada.open(id);
  await ada.titleOver(grace, contested, { mine: "Mine", theirs: "Theirs" }, mark);
  const badge = ada.widget(contested).getByTestId("widget-conflict");
  await badge.focus();
  await ada.page.keyboard.press("Enter");
  await ada.page.keyboard.press("Escape");
  through();
  await expect(ada.page.getByTestId("conflict-inbox")).toBeHidden();
  await badge.focus();
  await ada.page.keyboard.press("Enter");
  await expect(ada.page.getByTestId("conflict-inbox")).toBeVisible();
});

test("code that cannot be fetched says so, and gives the keys up", async ({ server, arrive }) => {
  const id = await server.dashboard("No code");
  const ada = await arrive("Ada", { ...alone, complains: /split_parts|Failed to (load|fetch)|TypeError/ });
  await ada.page.route(PARTS, (route) => route.abort());
  await ada.open(id);
  await ada.page.keyboard.press("ControlOrMeta+k");
  await ada.page.keyboard.type("zebra");
  const notice = ada.page.getByTestId("not-fetched");
  await expect(notice).toContainText("could not be fetched");
  await ada.page.keyboard.press("Escape");
  await expect(notice).toBeHidden();
  await ada.page.keyboard.press("ControlOrMeta+k");
  await expect(notice).toBeVisible();
  await ada.page.unroute(PARTS);
  await notice.getByRole("button", { name: "Try again" }).press("Enter");
  await ada.page.keyboard.type("add");
  await expect(ada.page.getByRole("combobox")).toHaveValue("add");
});

test("what is typed and pressed before the page is awake is not lost", async ({ server, arrive }) => {
  const id = await server.dashboard("Early");
  const [ada, grace] = [await arrive("Ada", alone), await arrive("Grace")];
  await grace.open(id);
  const [note, list] = [await grace.add("note"), await grace.add("checklist")];
  await grace.widget(note).locator("textarea").fill("Agenda");
  await grace.saved();
  const through = await openWithout(ada, `${server.url}/d/${id}`);
  await ada.widget(note).locator("textarea").click();
  await ada.page.keyboard.type(", minutes");
  await ada.widget(list).getByTestId("checklist-add").click();
  await ada.page.keyboard.type("Milk");
  await ada.page.keyboard.press("Enter");
  await ada.page.keyboard.type("Eggs");
  await ada.page.keyboard.press("Enter");
  await ada.page.keyboard.press("ControlOrMeta+k");
  await ada.page.keyboard.type("add number");
  await ada.page.keyboard.press("Enter");
  through();
  await expect(ada.widgets).toHaveCount(3);
  await expect(ada.widget(list).getByTestId("checklist-item")).toHaveText(["Milk", "Eggs"]);
  await expect(grace.widget(note).locator("textarea")).toHaveValue("Agenda, minutes");
  await expect(grace.widgets).toHaveCount(3);
});

test("a line that is not over before the page is awake stays in the field, beside the one that is", async ({
  server,
  arrive,
}) => {
  const id = await server.dashboard("Early lines");
  const [ada, grace] = [await arrive("Ada", alone), await arrive("Grace")];
  await grace.open(id);
  const list = await grace.add("checklist");
  await grace.saved();
  const through = await openWithout(ada, `${server.url}/d/${id}`);
  const [add, items] = [ada.widget(list).getByTestId("checklist-add"), ada.widget(list).getByTestId("checklist-item")];
  await add.click();
  await ada.page.keyboard.type("Milk");
  await ada.page.keyboard.press("Enter");
  await ada.page.keyboard.type("Eggs");
  through();
  await expect(items).toHaveText(["Milk"]);
  await expect(add).toHaveValue("Eggs");
  await ada.page.keyboard.press("Enter");
  await expect(items).toHaveText(["Milk", "Eggs"]);
});

test("Enter before the page is awake is for the field in which it was pressed", async ({ server, arrive }) => {
  const id = await server.dashboard("Early Enter");
  const [ada, grace] = [await arrive("Ada", alone), await arrive("Grace")];
  await grace.open(id);
  const [note, list] = [await grace.add("note"), await grace.add("checklist")];
  await grace.widget(note).locator("textarea").fill("Agenda");
  await grace.saved();
  const through = await openWithout(ada, `${server.url}/d/${id}`);
  await ada.widget(list).getByTestId("checklist-add").click();
  await ada.page.keyboard.type("Milk");
  await ada.page.keyboard.press("Enter");
  await ada.widget(note).locator("textarea").click();
  await ada.page.keyboard.type(", minutes");
  expect(await ada.page.evaluate(() => "earlyInput" in window)).toBe(true);
  through();
  await expect(grace.widget(list).getByTestId("checklist-item")).toHaveText(["Milk"]);
  await expect(grace.widget(note).locator("textarea")).toHaveValue("Agenda, minutes");
  await expect(ada.widget(note).locator("textarea")).toHaveValue("Agenda, minutes");
  expect(await ada.page.evaluate(() => "earlyInput" in window)).toBe(false);
});

test("a press elsewhere before the page is awake ends the waiting for the palette", async ({ server, arrive }) => {
  const id = await server.dashboard("Early change of mind");
  const [ada, grace] = [await arrive("Ada", alone), await arrive("Grace")];
  await grace.open(id);
  const note = await grace.add("note");
  await grace.widget(note).locator("textarea").fill("Agenda");
  await grace.saved();
  const through = await openWithout(ada, `${server.url}/d/${id}`);
  await expect(ada.widget(note).locator("textarea")).toBeVisible();
  await ada.page.keyboard.press("ControlOrMeta+k");
  await ada.page.keyboard.type("zeb");
  await ada.widget(note).locator("textarea").click();
  await ada.page.keyboard.type(", minutes");
  through();
  await expect(grace.widget(note).locator("textarea")).toHaveValue("Agenda, minutes");
  await expect(ada.page.getByRole("dialog", { name: "Commands" })).toBeHidden();
  await ada.page.keyboard.press("ControlOrMeta+k");
  await expect(ada.page.getByRole("combobox")).toHaveValue("");
});

test("a key that is pressed on a widget before the page is awake is for no other widget", async ({ server, arrive }) => {
  const id = await server.dashboard("Early Delete");
  const [ada, grace] = [await arrive("Ada", alone), await arrive("Grace")];
  await grace.open(id);
  const [left, reached] = [await grace.add("stat"), await grace.add("stat")];
  await grace.saved();
  const through = await openWithout(ada, `${server.url}/d/${id}`);
  await ada.title(left).focus();
  await expect(ada.title(left)).toBeFocused();
  await ada.page.keyboard.press("Delete");
  await ada.title(reached).focus();
  await expect(ada.title(reached)).toBeFocused();
  await ada.page.keyboard.press("ControlOrMeta+k");
  through();
  // Keys are given out in order, so that the one before this would have been there.
  await expect(ada.page.getByRole("dialog", { name: "Commands" })).toBeVisible();
  await ada.saved();
  expect(await ada.ids()).toEqual(expect.arrayContaining([left, reached]));
});

test("a button that is pressed before the page is awake does what it says, once", async ({ server, arrive }) => {
  const id = await server.dashboard("Early button");
  const ada = await arrive("Ada", alone);
  const through = await openWithout(ada, `${server.url}/d/${id}`);
  await ada.page.getByTestId("add-widget").click();
  await ada.page.getByTestId("add-widget").click();
  through();
  await ada.page.getByTestId("add-widget-stat").press("Enter");
  await expect(ada.widgets).toHaveCount(1);
});

test("the list's search takes what is typed before its code is there", async ({ server, arrive }) => {
  await server.dashboard("Early zebra");
  await server.dashboard("Early lion");
  const ada = await arrive("Ada", alone);
  const through = await openWithout(ada, server.url, PAGES);
  await expect(ada.page.getByTestId("list-search")).toBeVisible();
  await ada.page.keyboard.press("/");
  await ada.page.keyboard.type("early z");
  through();
  await expect(ada.page.getByTestId("list-search")).toHaveValue("early z");
  await expect(ada.page.getByTestId("dashboard-card")).toHaveCount(1);
});

test("a chart is drawn as soon as the library that comes after the page is there", async ({ server, arrive }) => {
  const id = await server.dashboard("Late chart");
  const [ada, grace] = [await arrive("Ada", alone), await arrive("Grace")];
  await grace.open(id);
  const chart = await grace.add("timeseries");
  const query = grace.page.getByTestId("field-query");
  await query.fill("server.cpu");
  await query.press("Enter");
  await expect(grace.widget(chart).locator(".uplot")).toBeAttached();
  const through = await openWithout(ada, `${server.url}/d/${id}`, /uPlot\.iife/);
  await ada.saved();
  await expect(ada.widget(chart).getByTestId("legend-series").first()).toBeAttached();
  await expect(ada.widget(chart).locator(".uplot")).toHaveCount(0);
  through();
  await expect(ada.widget(chart).locator(".uplot")).toBeAttached();
});
