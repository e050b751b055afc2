// Two people, one dashboard: each sees what the other does while it is done.
import { expect, test } from "./fixtures.ts";

test("each sees the other's widgets appear, move, grow, change and go", async ({ server, arrive }) => {
  const id = await server.dashboard("Checkout");
  const [ada, grace] = [await arrive("Ada"), await arrive("Grace")];
  await ada.open(id);
  await grace.open(id);

  const stat = await ada.add("stat");
  await expect(grace.widget(stat)).toHaveAttribute("data-kind", "stat");
  const chart = await grace.add("timeseries");
  await expect(ada.widget(chart)).toHaveAttribute("data-kind", "timeseries");

  await ada.page.keyboard.press("Escape");
  await ada.rename(stat, "Orders per minute");
  await expect(grace.title(stat)).toHaveText("Orders per minute");

  await grace.page.keyboard.press("Escape");
  await grace.pull(chart, "widget-resize", 4, 2);
  const grown = await grace.frame(chart);
  expect(grown.w).toBeGreaterThan(12);
  await expect.poll(() => ada.frame(chart)).toEqual(grown);

  const before = await ada.frame(stat);
  await ada.pull(stat, "widget-drag", 8, 0);
  await expect.poll(async () => (await ada.frame(stat)).x).not.toBe(before.x);
  const moved = await ada.frame(stat);
  await expect.poll(() => grace.frame(stat)).toEqual(moved);
  await expect.poll(async () => grace.frame(chart)).toEqual(await ada.frame(chart));

  await grace.remove(stat);
  await expect(ada.widget(stat)).toHaveCount(0);
  await grace.page.getByTestId("undo").click();
  await expect(grace.title(stat)).toHaveText("Orders per minute");
  await expect(ada.title(stat)).toHaveText("Orders per minute");

  await ada.saved();
  await grace.saved();
  const held = await server.read(id);
  expect(Object.keys(held.dashboard.widgets).sort()).toEqual([stat, chart].sort());
  expect(held.dashboard.widgets[stat].title).toBe("Orders per minute");
  expect(held.dashboard.widgets[chart].frame).toEqual(await ada.frame(chart));
});

test("each sees the other's name, cursor and what they edit", async ({ server, arrive }) => {
  const id = await server.dashboard("Who is here");
  const [ada, grace] = [await arrive("Ada"), await arrive("Grace")];
  await ada.open(id);
  const stat = await ada.add("stat");
  await ada.page.keyboard.press("Escape");
  await grace.open(id);

  await expect(ada.collaborator(grace)).toBeVisible();
  await expect(grace.collaborator(ada)).toBeVisible();

  await ada.point(stat, 0.5, 0.5);
  await expect(grace.cursorOf(ada)).toBeVisible();
  // The cursor lands at the same place of the same widget.
  await expect
    .poll(async () => {
      const tile = (await grace.widget(stat).boundingBox())!;
      const cursor = (await grace.cursorOf(ada).boundingBox())!;
      const [x, y] = [(cursor.x - tile.x) / tile.width, (cursor.y - tile.y) / tile.height];
      return Math.abs(x - 0.5) < 0.2 && Math.abs(y - 0.5) < 0.3;
    })
    .toBe(true);

  await ada.beginTitle(stat, "Half a ti");
  const outline = grace.widget(stat).getByTestId("widget-editing");
  await expect(outline).toBeVisible();
  await expect(outline).toContainText("Ada");
  await ada.page.keyboard.press("Escape");
  await expect(outline).toHaveCount(0);
  await expect(grace.title(stat)).not.toHaveText("Half a ti");

  // While it is dragged it shows on the other side, and the drop is one edit.
  const revision = (await server.read(id)).revision;
  await ada.grab(stat, "widget-drag", 6, 0);
  await ada.page.mouse.up();
  await ada.saved();
  expect((await server.read(id)).revision).toBe(revision + 1);

  await ada.leave();
  await expect(grace.collaborator(ada)).toHaveCount(0, { timeout: 15_000 });
  await expect(grace.cursorOf(ada)).toHaveCount(0);
});

test("two people type in one note at once and both texts stay", async ({ server, arrive }) => {
  const id = await server.dashboard("Runbook");
  const [ada, grace] = [await arrive("Ada"), await arrive("Grace")];
  await ada.open(id);
  const note = await ada.add("note");
  await grace.open(id);

  const hers = await ada.note(note);
  await ada.page.keyboard.type("first line");
  const his = await grace.note(note);
  await expect(his).toHaveValue("first line");

  await ada.page.keyboard.press("ControlOrMeta+Home");
  await grace.page.keyboard.press("ControlOrMeta+End");
  await Promise.all([
    ada.page.keyboard.type("Ada was here. ", { delay: 15 }),
    grace.page.keyboard.type(" and Grace too", { delay: 15 }),
  ]);
  const both = "Ada was here. first line and Grace too";
  await expect(hers).toHaveValue(both);
  await expect(his).toHaveValue(both);
  // The caret stayed where its owner put it.
  expect(await hers.evaluate((text: HTMLTextAreaElement) => text.selectionStart)).toBe("Ada was here. ".length);
  expect(await his.evaluate((text: HTMLTextAreaElement) => text.selectionStart)).toBe(both.length);

  await ada.saved();
  await grace.saved();
  expect((await server.read(id)).dashboard.widgets[note].text.plain).toBe(both);
});

test("a note that is written in for long is compacted, and nobody who types there notices", async ({ server, arrive }) => {
  const id = await server.dashboard("Runbook");
  const [ada, grace] = [await arrive("Ada"), await arrive("Grace")];
  await ada.open(id);
  const note = await ada.add("note");
  await grace.open(id);
  const hers = await ada.note(note);
  await ada.page.keyboard.type("call the person on duty");
  const his = await grace.note(note);
  await grace.page.keyboard.press("ControlOrMeta+End");
  const state = async () => (await server.read(id)).dashboard.widgets[note].text;

  // Words that are replaced leave their traces in the note, until it has had enough of them.
  await hers.evaluate(async (field: HTMLTextAreaElement) => {
    for (let n = 0; n < 400; n++) {
      const [at, word] = n % 2 ? [0, n % 4 === 1 ? "page" : "call"] : [5, n % 4 ? "any" : "the"];
      field.setRangeText(word, at, at + word.length, "end");
      field.dispatchEvent(new InputEvent("input", { bubbles: true }));
      await new Promise((drawn) => requestAnimationFrame(drawn));
    }
  });
  await expect.poll(async () => (await state()).generation, { message: "a compaction" }).toBeTruthy();
  await ada.saved();
  expect((await state()).state.length).toBeLessThan(4_000);

  // His caret is where it was, and both go on.
  await grace.page.keyboard.type(", now");
  await expect(hers).toHaveValue("call any person on duty, now");
  await ada.page.keyboard.press("ControlOrMeta+Home");
  await ada.page.keyboard.type("Please ");
  const both = "Please call any person on duty, now";
  await expect(his).toHaveValue(both);
  await expect(hers).toHaveValue(both);
  // What he typed before and after it can be taken back.
  await grace.page.keyboard.press("ControlOrMeta+z");
  await expect(hers).toHaveValue("Please call any person on duty");
  await ada.saved();
  await grace.saved();
  expect((await state()).plain).toBe("Please call any person on duty");
});

test("somebody who joins late sees the same", async ({ server, arrive }) => {
  const id = await server.dashboard("Late");
  const [ada, grace] = [await arrive("Ada"), await arrive("Grace")];
  await ada.open(id);
  await grace.open(id);
  const stat = await ada.add("stat");
  await ada.page.keyboard.press("Escape");
  await ada.rename(stat, "Latency");
  const note = await grace.add("note");
  await grace.note(note);
  await grace.page.keyboard.type("Call the person on duty");
  await ada.saved();
  await grace.saved();

  const late = await arrive("Linus");
  await late.open(id);
  await expect(late.title(stat)).toHaveText("Latency");
  await expect(late.widget(note)).toContainText("Call the person on duty");
  expect(await late.ids()).toEqual(await ada.ids());
  for (const widget of await ada.ids()) expect(await late.frame(widget)).toEqual(await ada.frame(widget));
  await expect(late.collaborator(ada)).toBeVisible();
  await expect(late.collaborator(grace)).toBeVisible();
  await expect(ada.collaborator(late)).toBeVisible();
});

test("undo takes back my own step and leaves the other's", async ({ server, arrive }) => {
  const id = await server.dashboard("Undo");
  const [ada, grace] = [await arrive("Ada"), await arrive("Grace")];
  await ada.open(id);
  const [one, two] = [await ada.add("stat"), await ada.add("stat")];
  await ada.page.keyboard.press("Escape");
  await ada.rename(one, "Mine");
  await grace.open(id);
  await grace.rename(two, "Yours");
  await expect(ada.title(two)).toHaveText("Yours");

  await ada.page.getByTestId("undo").click();
  await expect(grace.title(one)).not.toHaveText("Mine");
  await expect(ada.title(two)).toHaveText("Yours");
  await ada.page.getByTestId("redo").click();
  await expect(grace.title(one)).toHaveText("Mine");
});

test("one person on two devices is one avatar", async ({ server, arrive }) => {
  const id = await server.dashboard("Devices");
  const [ada, grace] = [await arrive("Ada"), await arrive("Grace")];
  await ada.open(id);
  await grace.open(id);
  const second = await ada.context.newPage();
  await second.goto(`${server.url}/d/${id}`);
  await expect(second.getByTestId("sync-status")).toHaveAttribute("data-state", "saved");
  await expect(grace.collaborator(ada)).toHaveCount(1);
  await expect(grace.collaborator(ada)).toHaveAttribute("data-devices", "2");
});
