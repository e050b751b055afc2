// A bad network between one of two people and the server: late, torn, silent, slow. Both go on working;
// in the end both screens and the server have the same, everything once.
import type { Page } from "@playwright/test";
import { expect, test } from "./fixtures.ts";
import type { Person } from "./person.ts";
import type { Line } from "./proxy.ts";
import type { Server } from "./server.ts";

// What Chromium itself writes about a connection that was lost.
const LOST = /WebSocket connection|net::ERR_|Failed to load resource/;

/** Ada over a line, Grace without one, at a dashboard with a number for each of them and a note for both. */
type Scene = {
  server: Server;
  line: Line;
  dashboard: string;
  ada: Person;
  grace: Person;
  note: string;
  numbers: [string, string];
};

type Given = {
  server: Server;
  arrive: (name: string, options?: { line?: Line; complains?: RegExp }) => Promise<Person>;
  line: () => Promise<Line>;
};

const MIDDLE = "| in the middle |";

async function begin(given: Given, title: string): Promise<Scene> {
  const { server } = given;
  const dashboard = await server.dashboard(title);
  const line = await given.line();
  const ada = await given.arrive("Ada", { line, complains: LOST });
  const grace = await given.arrive("Grace");
  await grace.open(dashboard);
  const numbers: [string, string] = [await grace.add("stat"), await grace.add("stat")];
  const note = await grace.add("note");
  await grace.note(note);
  await grace.page.keyboard.type(MIDDLE);
  await grace.saved();
  await ada.open(dashboard);
  await expect(await ada.note(note)).toHaveValue(MIDDLE);
  await ada.page.keyboard.press("ControlOrMeta+Home");
  await grace.page.keyboard.press("ControlOrMeta+End");
  return { server, line, dashboard, ada, grace, note, numbers };
}

/** Both type into the note at once, each on their side of its middle. */
async function type({ ada, grace }: Scene, hers: string, his: string) {
  await Promise.all([ada.page.keyboard.type(hers, { delay: 10 }), grace.page.keyboard.type(his, { delay: 10 })]);
}

/** Each renames their number and adds one more widget: Ada a number, Grace a time series. */
async function renameAndAdd({ ada, grace, numbers }: Scene) {
  const work = async (person: Person, number: string, kind: string) => {
    await person.rename(number, `By ${person.name}`);
    const those = person.page.locator(`[data-testid="widget"][data-kind="${kind}"]`);
    const before = await those.count();
    await person.page.getByTestId("add-widget").click();
    await person.page.getByTestId(`add-widget-${kind}`).click();
    await expect(those).toHaveCount(before + 1);
  };
  await Promise.all([work(ada, numbers[0], "stat"), work(grace, numbers[1], "timeseries")]);
}

/** All is saved, both see the same, and it is what both did, once. */
async function expectEqual({ server, dashboard, ada, grace, note, numbers }: Scene, text: string) {
  await ada.saved();
  await grace.saved();
  for (const person of [ada, grace]) {
    await expect(person.widgets).toHaveCount(5);
    await expect(person.widget(note).locator("textarea")).toHaveValue(text);
    await expect(person.title(numbers[0])).toHaveText("By Ada");
    await expect(person.title(numbers[1])).toHaveText("By Grace");
  }
  await expect.poll(async () => screen(ada.page)).toEqual(await screen(grace.page));
  const shown = await screen(grace.page);
  expect(shown.map(({ kind }) => kind).sort()).toEqual(["note", "stat", "stat", "stat", "timeseries"]);

  const held = (await server.read(dashboard)).dashboard.widgets;
  expect(Object.keys(held).sort()).toEqual(shown.map(({ id }) => id));
  for (const { id, kind, frame } of shown) expect(held[id]).toMatchObject({ kind, frame });
  expect(held[note].text.plain).toBe(text);
  expect(numbers.map((id) => held[id].title)).toEqual(["By Ada", "By Grace"]);
}

/** What a page shows of each widget, by id. */
async function screen(page: Page) {
  const all = await page.getByTestId("widget").evaluateAll((widgets) =>
    widgets.map((widget) => {
      const read = (name: string) => widget.getAttribute(`data-${name}`);
      return {
        id: read("widget")!,
        kind: read("kind"),
        title: widget.querySelector('[data-testid="widget-title"]')?.textContent,
        text: widget.querySelector("textarea")?.value,
        frame: { x: Number(read("x")), y: Number(read("y")), w: Number(read("w")), h: Number(read("h")) },
      };
    }),
  );
  return all.sort((a, b) => (a.id < b.id ? -1 : 1));
}

/** What a browser says when its network is back: the page asks at once instead of waiting. */
async function wake(person: Person) {
  await person.page.evaluate(() => window.dispatchEvent(new Event("online")));
}

test("300 ms each way, now more, now less: both go on, and all is there once", async ({ server, line, arrive }) => {
  const scene = await begin({ server, line, arrive }, "Far away");
  const { opened } = scene.line;
  scene.line.become({ delay: { ms: 200, jitter: 200 } });
  await type(scene, "Ada writes from far away. ", " Grace from beside the server.");
  await renameAndAdd(scene);
  await expectEqual(scene, `Ada writes from far away. ${MIDDLE} Grace from beside the server.`);
  expect(scene.line.opened, "a slow line is no reason to connect again").toBe(opened);
  scene.ada.expectQuiet();
});

test("a line that ends in the middle of a frame, six times over", async ({ server, line, arrive }) => {
  const scene = await begin({ server, line, arrive }, "Torn");
  const { ada } = scene;
  let [hers, his] = ["", ""];
  // Edits on their way, answers on their way (the server has what the page does not know of), and joins.
  for (const [round, [frame, at]] of (
    [["push", 0.5], ["commits", 0.5], ["joined", 0.9], ["push", 0.99], ["join", 0.1], ["commits", 0.01]] as const
  ).entries()) {
    const torn = scene.line.tear(frame, at);
    const { opened } = scene.line;
    await type(scene, `a${round} `, ` g${round}`);
    [hers, his] = [`${hers}a${round} `, `${his} g${round}`];
    // A join is torn on the way back from a cut.
    if (frame.startsWith("join")) {
      scene.line.cut();
      scene.line.mend();
    }
    await expect
      .poll(async () => {
        await wake(ada);
        return scene.line.opened;
      }, { message: `back after a torn ${frame}`, intervals: [100] })
      .toBeGreaterThan(opened);
    await torn;
  }
  await renameAndAdd(scene);
  await wake(ada);
  await expectEqual(scene, `${hers}${MIDDLE}${his}`);
});

test("a line that swallows everything and looks open is found, and left for another", async ({
  server,
  line,
  arrive,
}) => {
  test.setTimeout(45_000);
  const scene = await begin({ server, line, arrive }, "Half-open");
  const { ada, grace, numbers, note } = scene;
  const { opened } = scene.line;
  scene.line.become({ hole: true });
  // Asks at once whether the connection lives; the answer is given 15 s.
  await wake(ada);
  await type(scene, "Into the void. ", " Heard by nobody far away.");
  await renameAndAdd(scene);
  await grace.saved();
  await expect(ada.sync).not.toHaveAttribute("data-pending", "0");
  await expect(ada.title(numbers[1])).not.toHaveText("By Grace");
  await expect(grace.widget(note).locator("textarea")).not.toHaveValue(/void/);

  // The network is good again; the connection that it lost is not, and nobody has said so.
  scene.line.mend();
  await expect.poll(() => scene.line.opened, { timeout: 25_000, intervals: [100] }).toBeGreaterThan(opened);
  await expectEqual(scene, `Into the void. ${MIDDLE} Heard by nobody far away.`);
});

test("a line that drips a few bytes at a time: both go on, and all is there once", async ({
  server,
  line,
  arrive,
}) => {
  const scene = await begin({ server, line, arrive }, "Drip");
  const { opened } = scene.line;
  scene.line.become({ drip: { bytes: 24, ms: 4 } });
  await type(scene, "Drop by drop. ", " All at once.");
  await renameAndAdd(scene);
  await expectEqual(scene, `Drop by drop. ${MIDDLE} All at once.`);
  expect(scene.line.opened, "a slow line is no reason to connect again").toBe(opened);
  scene.ada.expectQuiet();
});
