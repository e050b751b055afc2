// One time for all, one's own time, the moment under a pointer, and moments that people mark.
import { expect, test } from "./fixtures.ts";
import { box, type Person } from "./person.ts";
import { push } from "./wall.ts";

/** Two charts of this server's figures, which Ada added; Grace looks on through a window of another width. */
async function charts(server: any, arrive: any, title: string): Promise<{ id: string; ada: Person; grace: Person }> {
  const id = await server.dashboard(title);
  const ada: Person = await arrive("Ada");
  await ada.page.goto(`${server.url}/status`);
  await push(ada.page, id, [
    chart("c1", { x: 0, y: 0, w: 12, h: 8 }, "server.cpu"),
    chart("c2", { x: 0, y: 8, w: 24, h: 8 }, "server.memory"),
  ]);
  const grace: Person = await arrive("Grace", { context: { viewport: { width: 1000, height: 800 } } });
  for (const person of [ada, grace]) {
    await person.open(id);
    await expect(area(person, "c2")).toBeVisible();
  }
  return { id, ada, grace };
}

function chart(id: string, frame: object, query: string) {
  return { op: "add_widget", id, widget: { kind: "timeseries", title: id, frame, options: { query } } };
}

const range = (person: Person) => person.page.getByTestId("time-range");
const area = (person: Person, id: string) => person.widget(id).locator(".u-over");
const setting = async (server: any, id: string, name: string) =>
  (await server.read(id)).dashboard.settings[name];

/** How far across a chart something stands, from 0 to 1; `NaN` while it or the chart is not there. */
async function across(person: Person, id: string, what: string): Promise<number> {
  return person.widget(id).evaluate((tile, what) => {
    const [chart, found] = [".u-over", what].map((one) => tile.querySelector(one)?.getBoundingClientRect());
    return chart && found ? (found.x - chart.x) / chart.width : NaN;
  }, what);
}

/** Answers what a person's page asks for a time of its own, and tells what that was. */
async function answers(person: Person): Promise<URL[]> {
  const asked: URL[] = [];
  await person.page.route(/\/api\/v1\/dashboards\/[^/]+\/data\?/, async (route) => {
    const url = new URL(route.request().url());
    asked.push(url);
    const to = Number(url.searchParams.get("to"));
    const series = [{ name: "answer", points: [[to - 60_000, 42], [to - 1_000, 43]] }];
    await route.fulfill({ json: { widget: url.searchParams.get("widget"), reset: true, series } });
  });
  return asked;
}

async function point(person: Person, id: string, share: number) {
  const chart = await box(area(person, id));
  await person.page.mouse.move(chart.x + chart.width * share, chart.y + chart.height / 2, { steps: 3 });
}

test("the time of the dashboard is the same for everybody, with a name and a way back", async ({ server, arrive }) => {
  const { id, ada, grace } = await charts(server, arrive, "Shared time");
  await expect(range(ada)).toContainText("Last 15 min");

  await range(ada).click();
  await ada.page.getByTestId("time-range-6h").click();
  await expect(range(ada)).toContainText("Last 6 h");
  await expect(range(grace)).toContainText("Last 6 h");
  await expect(grace.page.getByTestId("toast").first()).toContainText("Ada set the time to the last 6 h");
  await ada.saved();
  expect(await setting(server, id, "range")).toBe("6h");

  await range(grace).click();
  await grace.page.getByTestId("time-from").fill("2026-03-01T10:00:00");
  await grace.page.getByTestId("time-to").fill("2026-03-01T09:00:00");
  await grace.page.getByTestId("time-fixed").click();
  await expect(grace.page.getByRole("alert").filter({ hasText: "not after" })).toBeVisible();
  await grace.page.getByTestId("time-to").fill("2026-03-01T12:30:00");
  await grace.page.getByTestId("time-fixed").click();
  await expect(range(ada)).toContainText(/1 Mar (2026 )?10:00 – 12:30/);

  await grace.page.getByTestId("undo").click();
  await expect(range(grace)).toContainText("Last 6 h");
  await expect(range(ada)).toContainText("Last 6 h");
});

test("a person looks at another time alone, keeps it over a reload, and goes back with a key", async ({
  server,
  arrive,
}) => {
  const { id, ada, grace } = await charts(server, arrive, "Own time");
  const asked = await answers(ada);
  const revision = (await server.read(id)).revision;
  const own = ada.page.getByTestId("own-time");
  const legend = ada.widget("c1").locator(".legend");

  await range(ada).click();
  await ada.page.getByTestId("time-only-me").click();
  await ada.page.getByTestId("time-range-1h").click();
  await expect(own).toContainText("Only for you");
  await expect(range(ada)).toContainText("Last 1 h");
  await expect(legend).toContainText("answer");
  await expect(range(grace)).toContainText("Last 15 min");
  const [from, to] = ["from", "to"].map((name) => Number(asked[0].searchParams.get(name)));
  expect(to - from).toBe(3_600_000);

  await ada.page.reload();
  await ada.saved();
  await expect(own).toBeVisible();
  await expect(legend).toContainText("answer");

  await ada.page.keyboard.press("t");
  await expect(own).toHaveCount(0);
  await expect(range(ada)).toContainText("Last 15 min");
  await expect(legend).toContainText("server.cpu");
  expect((await server.read(id)).revision).toBe(revision);

  // What was looked at alone can become everybody's.
  await range(ada).click();
  await ada.page.getByTestId("time-only-me").click();
  await ada.page.getByTestId("time-range-5m").click();
  await ada.page.getByTestId("own-time-share").click();
  await expect(own).toHaveCount(0);
  await expect(range(grace)).toContainText("Last 5 min");
});

test("a drag over a chart shows that time on all charts, for oneself, and a double click goes back", async ({
  server,
  arrive,
}) => {
  const { ada, grace } = await charts(server, arrive, "Zoom");
  const asked = await answers(ada);
  const chart = await box(area(ada, "c1"));
  const at = (share: number) => chart.x + chart.width * share;
  await ada.page.mouse.move(at(0.4), chart.y + 60);
  await ada.page.mouse.down();
  await ada.page.mouse.move(at(0.6), chart.y + 70, { steps: 5 });
  await ada.page.mouse.up();
  await expect(ada.page.getByTestId("own-time")).toBeVisible();
  await expect(range(ada)).toContainText(/\d\d:\d\d – \d\d:\d\d/);
  await expect.poll(() => new Set(asked.map((url) => url.searchParams.get("widget"))).size).toBe(2);
  const [from, to] = ["from", "to"].map((name) => Number(asked[0].searchParams.get(name)));
  expect((to - from) / 60_000).toBeCloseTo(3, 0);
  await expect(range(grace)).toContainText("Last 15 min");
  // It was a drag, and no click on the widget.
  await expect(ada.page.getByTestId("inspector")).toHaveCount(0);

  await area(ada, "c1").dblclick();
  await expect(ada.page.getByTestId("own-time")).toHaveCount(0);
  await expect(range(ada)).toContainText("Last 15 min");
});

test("the moment under a pointer shows on all charts and on others' screens, by time", async ({ server, arrive }) => {
  const { ada, grace } = await charts(server, arrive, "Crosshair");
  await expect(grace.collaborator(ada)).toBeVisible();
  await point(ada, "c1", 0.5);
  for (const chart of ["c1", "c2"]) {
    await expect(ada.widget(chart).getByTestId("my-crosshair")).toBeVisible();
    await expect.poll(() => across(ada, chart, '[data-testid="my-crosshair"]')).toBeCloseTo(0.5, 1);
    // Half as wide here, or as wide: it stands at the same share of the time.
    await expect.poll(() => across(grace, chart, '[data-testid="crosshair"]')).toBeCloseTo(0.5, 1);
  }
  await expect(grace.widget("c2").getByTestId("crosshair")).toContainText("Ada");

  // Of another length of time it is another share, and beyond it there is none.
  await answers(grace);
  const only = async (length: string) => {
    await range(grace).click();
    await grace.page.getByTestId("time-only-me").click();
    await grace.page.getByTestId(`time-range-${length}`).click();
  };
  await only("1h");
  await expect.poll(() => across(grace, "c2", '[data-testid="crosshair"]')).toBeCloseTo(1 - 0.5 / 4, 1);
  await only("5m");
  await expect(grace.widget("c2").getByTestId("crosshair")).toHaveCount(0);

  await ada.page.mouse.move(5, 5);
  await expect(ada.page.getByTestId("my-crosshair")).toHaveCount(0);
});

test("a marked moment stands on every chart for everybody, is changed, removed and brought back", async ({
  server,
  arrive,
}) => {
  const { id, ada, grace } = await charts(server, arrive, "Marks");
  const marks = (person: Person, chart: string) => person.widget(chart).getByTestId("annotation");

  await point(ada, "c1", 0.75);
  await ada.widget("c1").getByTestId("mark-this").click();
  await expect(ada.page.getByTestId("mark-text")).toBeFocused();
  // It shows to the others while it is written.
  const draft = grace.widget("c2").getByTestId("mark-draft");
  await expect(draft).toContainText("Ada marks this moment");
  await ada.page.keyboard.type("Deployed 4.2");
  await expect(draft).toContainText("Ada Deployed 4.2");
  await ada.page.keyboard.press("Enter");
  await expect(draft).toHaveCount(0);
  await expect(ada.page.getByTestId("mark-dialog")).toHaveCount(0);
  for (const person of [ada, grace]) {
    for (const chart of ["c1", "c2"]) {
      await expect(marks(person, chart)).toHaveCount(1);
      await expect.poll(() => across(person, chart, '[data-testid="annotation"]')).toBeCloseTo(0.75, 1);
    }
  }
  await marks(grace, "c2").getByRole("button").hover();
  await expect(marks(grace, "c2").locator(".tip")).toContainText("Deployed 4.2");

  // From the list, by keyboard.
  await grace.page.keyboard.press("ControlOrMeta+k");
  await grace.page.keyboard.type("marked moments");
  await grace.page.keyboard.press("Enter");
  const line = grace.page.getByTestId("mark");
  await expect(line).toContainText("Deployed 4.2");
  await line.getByTitle("Change it").focus();
  await grace.page.keyboard.press("Enter");
  await expect(grace.page.getByTestId("mark-text")).toBeFocused();
  await grace.page.keyboard.type("Deployed 4.3");
  await grace.page.keyboard.press("Enter");
  await expect(line).toContainText("Deployed 4.3");
  await expect(marks(ada, "c1").getByRole("button")).toHaveAccessibleName(/Deployed 4\.3/);
  await grace.page.keyboard.press("Escape");

  await marks(ada, "c1").getByRole("button").click();
  await ada.page.getByTestId("mark-remove").click();
  await expect(marks(grace, "c2")).toHaveCount(0);
  await ada.page.getByTestId("undo").click();
  await expect(marks(grace, "c2")).toHaveCount(1);
  await ada.page.getByTestId("activity-open").click();
  await expect(ada.page.getByTestId("activity-item").filter({ hasText: "changed the mark at" })).toHaveCount(1);
  await ada.saved();
  expect(Object.keys((await server.read(id)).dashboard.settings)).toHaveLength(1);
});

/** Ada and Grace on a chart of five points that somebody pushed, and one of this server's figures below. */
async function orders(server: any, arrive: any, title: string, context = {}) {
  const id = await server.dashboard(title);
  const now = Date.now();
  const times = [5, 4, 3, 2, 1].map((minutes) => now - minutes * 60_000);
  const points = times.map((at, n) => ({ series: title, value: n + 1, at }));
  const pushed = await fetch(`${server.url}/api/v1/series`, { method: "POST", body: JSON.stringify(points) });
  expect(pushed.ok).toBe(true);
  const [ada, grace]: [Person, Person] = [await arrive("Ada", { context }), await arrive("Grace")];
  await ada.page.goto(`${server.url}/status`);
  await push(ada.page, id, [
    chart("c1", { x: 0, y: 0, w: 24, h: 10 }, title),
    chart("c2", { x: 0, y: 10, w: 24, h: 16 }, "server.memory"),
  ]);
  for (const person of [ada, grace]) {
    await person.open(id);
    await expect(person.widget("c1").getByTestId("chart-keys")).toHaveCount(1);
    await expect(person.widget("c2").getByTestId("chart-keys")).toHaveCount(1);
  }
  return { id, ada, grace, times };
}

test("keys move the moment on a chart from point to point, read it out, show it to others and mark it", async ({
  server,
  arrive,
}) => {
  const { id, ada, grace, times } = await orders(server, arrive, "Keys");
  await expect(grace.collaborator(ada)).toBeVisible();
  const says = ada.widget("c1").getByTestId("chart-says");
  const keys = ada.page.keyboard;
  await ada.widget("c1").getByTestId("chart-keys").focus();
  await expect(ada.widget("c1").getByRole("application")).toHaveAccessibleName(/c1: arrow keys/);
  await expect(says).toHaveText("");

  for (const [key, value] of [["ArrowLeft", 5], ["ArrowLeft", 4], ["Home", 1], ["ArrowRight", 2], ["Shift+ArrowRight", 5], ["Shift+ArrowLeft", 1], ["End", 5], ["ArrowLeft", 4]] as const) {
    await keys.press(key);
    await expect(says).toHaveText(new RegExp(`^\\d\\d:\\d\\d:\\d\\d, Keys: ${value}$`));
    await expect(ada.widget("c1").locator(".legend .last")).toHaveText(String(value));
  }
  for (const chart of ["c1", "c2"]) {
    await expect(ada.widget(chart).getByTestId("my-crosshair")).toBeVisible();
    await expect.poll(() => across(grace, chart, '[data-testid="crosshair"]')).toBeCloseTo(1 - 2 / 15, 1);
  }
  await expect(grace.widget("c2").getByTestId("crosshair")).toContainText("Ada");

  await keys.press("Enter");
  await expect(ada.page.getByTestId("mark-text")).toBeFocused();
  await keys.type("Deployed");
  await keys.press("Enter");
  await expect(grace.widget("c2").getByTestId("annotation")).toHaveCount(1);
  await ada.saved();
  const marks = Object.values((await server.read(id)).dashboard.settings) as { at: number }[];
  expect(marks.map((mark) => mark.at)).toEqual([times[3]]);

  // The keyboard is where it was, and goes on from there.
  await expect(ada.widget("c1").getByTestId("chart-keys")).toBeFocused();
  await keys.press("ArrowLeft");
  await expect(says).toHaveText(/Keys: 3$/);
  await keys.press("Escape");
  await expect(ada.page.getByTestId("my-crosshair")).toHaveCount(0);
  await expect(grace.page.getByTestId("crosshair")).toHaveCount(0);
  await expect(says).toHaveText("");
  await keys.press("ArrowLeft");
  await expect(ada.page.getByTestId("my-crosshair")).toHaveCount(2);
  await keys.press("Tab");
  await expect(ada.page.getByTestId("my-crosshair")).toHaveCount(0);
});

test("a finger chooses a time to the side, and scrolls the page up and down", async ({ server, arrive }) => {
  const { ada } = await orders(server, arrive, "Finger", { hasTouch: true, viewport: { width: 900, height: 500 } });
  const line = await ada.context.newCDPSession(ada.page);
  const touch = (type: string, ...touchPoints: object[]) => line.send("Input.dispatchTouchEvent" as any, { type, touchPoints } as any);
  const drag = async (from: { x: number; y: number }, to: { x: number; y: number }, before_end?: () => Promise<void>) => {
    await touch("touchStart", from);
    for (let n = 1; n <= 10; n++) {
      await touch("touchMove", { x: from.x + ((to.x - from.x) * n) / 10, y: from.y + ((to.y - from.y) * n) / 10 });
    }
    await before_end?.();
    await touch("touchEnd");
  };
  const chart = await box(area(ada, "c1"));
  const at = (x: number, y: number) => ({ x: chart.x + chart.width * x, y: chart.y + chart.height * y });

  await drag(at(0.4, 0.5), at(0.6, 0.6), () => expect(ada.widget("c1").locator(".chosen")).toBeVisible());
  await expect(ada.page.getByTestId("own-time")).toBeVisible();
  await expect(range(ada)).toContainText(/\d\d:\d\d – \d\d:\d\d/);
  await expect(ada.widget("c1").locator(".chosen")).toHaveCount(0);
  expect(await ada.page.evaluate(() => scrollY)).toBe(0);
  await expect(ada.page.getByTestId("inspector")).toHaveCount(0);
  await ada.page.keyboard.press("t");
  await expect(ada.page.getByTestId("own-time")).toHaveCount(0);

  await drag(at(0.4, 0.5), at(0.42, -0.3));
  await expect.poll(() => ada.page.evaluate(() => scrollY)).toBeGreaterThan(50);
  await expect(ada.page.getByTestId("own-time")).toHaveCount(0);
});

test("a dashboard has a zone, in which everybody reads and writes its times", async ({ server, arrive }) => {
  const { id, ada, grace } = await charts(server, arrive, "Zones");
  await ada.page.getByTestId("settings-open").click();
  await ada.page.getByTestId("timezone").selectOption("Europe/Berlin");
  await ada.saved();
  expect(await setting(server, id, "timezone")).toBe("Europe/Berlin");
  await expect(grace.page.getByTestId("zone-name")).toHaveText("Berlin");
  await ada.page.keyboard.press("Escape");

  await range(ada).click();
  await expect(ada.page.getByTestId("time-zone")).toContainText("Europe/Berlin");
  // Clocks go back at 03:00 of this day, so 02:30 comes twice.
  await ada.page.getByTestId("time-from").fill("2025-10-26T02:30:00");
  await ada.page.getByTestId("time-from-which").selectOption("second");
  await ada.page.getByTestId("time-to").fill("2025-10-26T03:00:00");
  await ada.page.getByTestId("time-fixed").click();
  await ada.saved();
  const from = Date.UTC(2025, 9, 26, 1, 30);
  expect(await setting(server, id, "range")).toBe(`${from}/${from + 1_800_000}`);
  await expect(range(grace)).toContainText("02:30 UTC+1");

  // And forward at 02:00 of that one.
  await range(ada).click();
  await ada.page.getByTestId("time-from").fill("2025-03-30T02:30:00");
  await ada.page.getByTestId("time-to").fill("2025-03-30T04:00:00");
  await ada.page.getByTestId("time-fixed").click();
  await expect(ada.page.getByRole("alert").filter({ hasText: "does not exist" })).toBeVisible();
});

test("the header says live only while figures come", async ({ server, arrive, line }) => {
  const id = await server.dashboard("Live");
  const over = await line();
  const ada = await arrive("Ada", { line: over, complains: /./ });
  const live = ada.page.getByTestId("time-live");
  await ada.open(id);
  await expect(live).toHaveAttribute("data-live", "live");
  await ada.page.context().setOffline(true);
  over.cut();
  await expect(live).toHaveAttribute("data-live", /offline|reconnecting/);
  await ada.page.context().setOffline(false);
  over.mend();
  await expect(live).toHaveAttribute("data-live", "live", { timeout: 20_000 });
});

test("a table shows the time that shows, and what its series come down to", async ({ server, arrive }) => {
  const id = await server.dashboard("Table of a time");
  const ada: Person = await arrive("Ada");
  const now = Date.now();
  const point = (ago: number, value: number) => ({ series: "spec.orders", value, at: now - ago });
  const pushed = await ada.page.request.post(`${server.url}/api/v1/series`, {
    data: [point(3_000_000, 3), point(2_400_000, 5), point(1_000, 100)],
    headers: { origin: server.origin },
  });
  expect(pushed.ok()).toBe(true);
  await ada.page.goto(`${server.url}/status`);
  const frame = { x: 0, y: 0, w: 12, h: 8 };
  const widget = { kind: "table", title: "Orders", frame, options: { query: "spec.orders" } };
  await push(ada.page, id, [{ op: "add_widget", id: "t", widget }]);
  await ada.open(id);
  const cell = ada.widget("t").locator("td.number");
  await expect(cell).toHaveText("100");
  const ops = (field: string, value: string) => [{ op: "set_dashboard", field, value }];
  const feeder: Person = await arrive("Feeder");
  await feeder.page.goto(`${server.url}/status`);
  await push(feeder.page, id, ops("range", `${now - 3_600_000}/${now - 1_200_000}`));
  await expect(cell).toHaveText("5");
  const other: Person = await arrive("Other");
  await other.page.goto(`${server.url}/status`);
  await push(other.page, id, [{ op: "set", id: "t", field: "shows", value: "mean" }]);
  await expect(cell).toHaveText("4");
});
