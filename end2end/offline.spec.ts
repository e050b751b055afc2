// A cut line: edits made meanwhile are kept, and land when it is mended.
import { expect, test } from "./fixtures.ts";
import { push } from "./wall.ts";

// What Chromium itself writes about a connection that a test has cut.
const CUT = /WebSocket connection|net::ERR_|Failed to load resource/;

test("edits made while cut off for five seconds land, and so do the other's", async ({ server, arrive, line }) => {
  const id = await server.dashboard("On a train");
  const cable = await line();
  const ada = await arrive("Ada", { line: cable, complains: CUT });
  const grace = await arrive("Grace");
  await ada.open(id);
  const [one, two] = [await ada.add("stat"), await ada.add("stat")];
  await ada.page.keyboard.press("Escape");
  await ada.saved();
  await grace.open(id);

  const cutAt = Date.now();
  cable.cut();
  await ada.rename(one, "Written in a tunnel");
  await expect(ada.sync).not.toHaveAttribute("data-state", "saved");
  await expect(ada.sync).not.toHaveAttribute("data-pending", "0");
  const three = await ada.add("note");
  await ada.note(three);
  await ada.page.keyboard.type("still here");
  await expect(ada.sync).toHaveAttribute("data-state", /reconnecting|offline/);

  await grace.rename(two, "Written meanwhile");
  await grace.saved();
  await expect(grace.title(one)).not.toHaveText("Written in a tunnel");
  await expect(ada.title(two)).not.toHaveText("Written meanwhile");

  await expect.poll(() => Date.now() - cutAt, { timeout: 10_000 }).toBeGreaterThan(5_000);
  cable.mend();
  await ada.saved();
  await expect(grace.title(one)).toHaveText("Written in a tunnel");
  await expect(grace.widget(three)).toContainText("still here");
  await expect(ada.title(two)).toHaveText("Written meanwhile");

  const held = (await server.read(id)).dashboard.widgets;
  expect(held[one].title).toBe("Written in a tunnel");
  expect(held[two].title).toBe("Written meanwhile");
  expect(held[three].text.plain).toBe("still here");
  expect(Object.keys(held)).toHaveLength(3);
});

test("the browser's offline mode is told, and being online again mends at once", async ({ server, arrive, line }) => {
  const id = await server.dashboard("Flight mode");
  const cable = await line();
  const ada = await arrive("Ada", { line: cable, complains: CUT });
  await ada.open(id);
  const stat = await ada.add("stat");
  await ada.page.keyboard.press("Escape");
  await ada.saved();

  // Chromium's offline mode leaves an open socket alone; a real flight mode does not.
  await ada.context.setOffline(true);
  cable.cut();
  await expect(ada.sync).toHaveAttribute("data-state", "offline");
  await ada.rename(stat, "In the air");
  await expect(ada.sync).toHaveAttribute("data-pending", "1");
  cable.mend();
  await ada.context.setOffline(false);
  await ada.saved();
  expect((await server.read(id)).dashboard.widgets[stat].title).toBe("In the air");
});

test("many short cuts lose nothing and double nothing", async ({ server, arrive, line }) => {
  const id = await server.dashboard("Bad cable");
  const cable = await line();
  const ada = await arrive("Ada", { line: cable, complains: CUT });
  await ada.open(id);
  const note = await ada.add("note");
  await ada.note(note);
  let written = "";
  for (let round = 0; round < 5; round++) {
    await ada.page.keyboard.type(`line ${round} `);
    written += `line ${round} `;
    cable.cut();
    await ada.page.keyboard.type("cut ");
    written += "cut ";
    cable.mend();
  }
  await ada.saved();
  expect((await server.read(id)).dashboard.widgets[note].text.plain).toBe(written);
});

/** The Yjs state of a text of at most 127 bytes, in base64: one insertion by one client, and nothing deleted. */
function stateOf(text: string): string {
  const string = (of: string) => [Buffer.byteLength(of), ...Buffer.from(of)];
  const [clients, structs, client, clock, inserted, root, deletions] = [1, 1, 7, 0, 4, 1, 0];
  const state = [clients, structs, client, clock, inserted, root, ...string("text"), ...string(text), deletions];
  return Buffer.from(state).toString("base64");
}

test("one key in a note with CR LF is one insertion, and the other's is where they wrote it", async ({ server, arrive, line }) => {
  const id = await server.dashboard("From elsewhere");
  const cable = await line();
  const ada = await arrive("Ada", { line: cable, complains: CUT });
  const grace = await arrive("Grace");
  await ada.open(id);
  await grace.open(id);
  const text = "first\r\nsecond\r\nthird";
  const note = { kind: "note", title: "Runbook", frame: { x: 0, y: 0, w: 8, h: 8 }, options: {} };
  const widget = { ...note, text: { state: stateOf(text), plain: text } };
  await push(grace.page, id, [{ op: "add_widget", id: "n1", widget }]);
  const plain = async () => (await server.read(id)).dashboard.widgets.n1.text.plain;
  expect(await plain()).toBe(text);

  const hers = await ada.note("n1");
  await expect(hers).toHaveValue("first\nsecond\nthird");
  cable.cut();
  await ada.page.keyboard.press("ControlOrMeta+End");
  await ada.page.keyboard.type("!");
  await expect(hers).toHaveValue("first\nsecond\nthird!");
  await expect(ada.sync).not.toHaveAttribute("data-pending", "0");

  const his = await grace.note("n1");
  const behind = "first\nsecond".length;
  await his.evaluate((area: HTMLTextAreaElement, at) => area.setSelectionRange(at, at), behind);
  await grace.page.keyboard.type(" one");
  await grace.saved();
  expect(await plain()).toBe("first\r\nsecond one\r\nthird");

  cable.mend();
  await ada.saved();
  for (const field of [hers, his]) await expect(field).toHaveValue("first\nsecond one\nthird!");
  expect(await plain()).toBe("first\r\nsecond one\r\nthird!");
  // Carets stayed where their owners put them.
  const caret = (of: typeof hers) => of.evaluate((area: HTMLTextAreaElement) => area.selectionStart);
  expect(await caret(hers)).toBe("first\nsecond one\nthird!".length);
  expect(await caret(his)).toBe("first\nsecond one".length);
});
