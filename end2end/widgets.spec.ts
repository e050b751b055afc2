// What widgets show, and what two people do to them at the same moment.
import { violations } from "./accessibility.ts";
import { expect, test } from "./fixtures.ts";
import type { Person } from "./person.ts";
import { push } from "./wall.ts";

const ENDPOINTS = "endpoint,p95,share\n/checkout,412,0.82\n/cart,260,0.55\n/session,90,0.19";

/** Opens the options of a widget in the side panel. */
async function options(person: Person, widget: string) {
  await person.widget(widget).hover();
  await person.widget(widget).getByTestId("widget-menu").click();
  await person.page.getByTestId("widget-options").click();
  await expect(person.page.getByTestId("inspector")).toBeVisible();
}

/** Pastes a table into a widget whose options are open. */
async function paste(person: Person, text: string) {
  await person.page.getByTestId("field-source").selectOption("table");
  const data = person.page.getByTestId("field-data");
  // As a clipboard does, in one piece: Chromium takes its time to type thousands of lines.
  await data.evaluate((area: HTMLTextAreaElement, text) => {
    area.focus();
    area.value = text;
    area.dispatchEvent(new InputEvent("input", { bubbles: true }));
  }, text);
  await person.page.getByTestId("field-data").press("ControlOrMeta+Enter");
  await person.saved();
}

/** Ada and Grace on a dashboard with one widget of a kind. */
type Kind = Parameters<Person["add"]>[0];
async function both(server: any, arrive: any, title: string, kind: Kind) {
  const id = await server.dashboard(title);
  const [ada, grace]: [Person, Person] = [await arrive("Ada"), await arrive("Grace")];
  await ada.open(id);
  const widget = await ada.add(kind);
  await ada.saved();
  await grace.open(id);
  await expect(grace.widget(widget)).toBeVisible();
  return { ada, grace, widget };
}

test("two people tick, write and order the items of a checklist at once", async ({ server, arrive }) => {
  const { ada, grace, widget } = await both(server, arrive, "Before the sale", "checklist");
  const items = (person: Person) => person.widget(widget).getByTestId("checklist-item");
  const add = ada.widget(widget).getByTestId("checklist-add");
  for (const text of ["Warm the cache", "Tell support", "Freeze deploys"]) {
    await add.fill(text);
    await add.press("Enter");
  }
  const texts = (person: Person) => items(person).getByTestId("checklist-text");
  await expect(texts(grace)).toHaveText(["Warm the cache", "Tell support", "Freeze deploys"]);

  await Promise.all([
    items(ada).nth(0).getByTestId("checklist-tick").check(),
    items(grace).nth(1).getByTestId("checklist-tick").check(),
  ]);
  for (const person of [ada, grace]) {
    await expect(items(person).nth(0).getByTestId("checklist-tick")).toBeChecked();
    await expect(items(person).nth(1).getByTestId("checklist-tick")).toBeChecked();
    await expect(person.widget(widget).getByTestId("checklist-progress")).toHaveText("2 of 3");
    await person.saved();
  }

  // What somebody writes shows to the other while they write it.
  await texts(grace).nth(2).click();
  const writing = grace.widget(widget).getByTestId("checklist-edit");
  await writing.fill("Freeze all deploys");
  await expect(texts(ada).nth(2)).toHaveText("Freeze all deploys");
  await writing.press("Enter");
  await expect(texts(grace).nth(2)).toHaveText("Freeze all deploys");

  await items(ada).nth(2).getByTestId("checklist-move").focus();
  await ada.page.keyboard.press("ArrowUp");
  await expect(texts(grace)).toHaveText(["Warm the cache", "Freeze all deploys", "Tell support"]);
  await expect(items(ada).nth(1).getByTestId("checklist-move")).toBeFocused();

  await texts(ada).nth(0).focus();
  await ada.page.keyboard.press("Delete");
  await expect(texts(grace)).toHaveText(["Freeze all deploys", "Tell support"]);
  await expect(ada.widget(widget)).toBeVisible();
  await ada.page.keyboard.press("ControlOrMeta+z");
  await expect(texts(grace)).toHaveText(["Warm the cache", "Freeze all deploys", "Tell support"]);
  await expect(items(grace).nth(0).getByTestId("checklist-tick")).toBeChecked();
  expect((await server.read((await ada.page.url()).split("/d/")[1])).dashboard.widgets[widget].kind).toBe("checklist");
});

test("a number shows each series, and words for values while they are typed", async ({ server, arrive }) => {
  const { ada, grace, widget } = await both(server, arrive, "Each", "stat");
  await options(ada, widget);
  await paste(ada, ENDPOINTS);
  const numbers = (person: Person) => person.widget(widget).getByTestId("stats").locator("li");
  await expect(numbers(grace)).toHaveCount(0);
  await ada.page.getByTestId("field-each").check();
  await expect(numbers(grace)).toHaveCount(2);
  await expect(numbers(grace).nth(0)).toContainText("p95");
  await expect(numbers(grace).nth(0)).toContainText("90");

  const words = ada.page.getByTestId("field-mappings");
  await words.fill("90 = [alert] Slow");
  await expect(numbers(grace).nth(0)).toContainText("Slow");
  await expect(numbers(grace).nth(0)).toHaveAttribute("data-level", "alert");
  await words.press("ControlOrMeta+Enter");
  await ada.saved();

  await ada.page.getByTestId("field-alert_below").fill("1");
  await ada.page.getByTestId("field-alert_below").press("Enter");
  await expect(numbers(grace).nth(1)).toHaveAttribute("data-level", "alert");
  expect(await violations(grace.page)).toEqual([]);
});

test("an option shows on both pages while it is typed, and is there once it is saved", async ({ server, arrive }) => {
  const { ada, grace, widget } = await both(server, arrive, "Options", "stat");
  const unit = (person: Person) => person.widget(widget).locator(".unit");
  await expect(unit(grace)).toHaveText("%");
  await options(ada, widget);
  await ada.page.getByTestId("field-unit").fill("parts");
  for (const person of [ada, grace]) await expect(unit(person)).toHaveText("parts");
  await ada.page.keyboard.press("Escape");
  for (const person of [ada, grace]) await expect(unit(person)).toHaveText("%");

  await options(ada, widget);
  await ada.page.getByTestId("field-delta").check();
  for (const person of [ada, grace]) await expect(person.widget(widget).getByTestId("stat-delta")).toBeVisible();
});

test("a table is pasted, and each sorts it as they like", async ({ server, arrive }) => {
  const { ada, grace, widget } = await both(server, arrive, "Endpoints", "table");
  await options(ada, widget);
  await ada.page.getByTestId("field-source").selectOption("table");
  const data = ada.page.getByTestId("field-data");
  await data.fill('a\n"b');
  await expect(ada.page.getByTestId("data-reads")).toHaveText("The quote that begins in line 2 does not end.");
  await data.fill(ENDPOINTS);
  await expect(ada.page.getByTestId("data-reads")).toHaveText("3 columns, 3 rows.");
  const first = (person: Person) => person.widget(widget).locator("tbody tr:not(.space) td:first-child");
  // It shows to the other before it is saved.
  await expect(first(grace)).toHaveText(["/checkout", "/cart", "/session"]);
  await data.press("ControlOrMeta+Enter");
  await ada.saved();
  await ada.page.getByTestId("field-unit.p95").fill("ms");
  await ada.page.getByTestId("field-unit.p95").press("Enter");
  await expect(grace.widget(widget).getByText("412 ms")).toBeVisible();

  await grace.widget(widget).getByRole("button", { name: "endpoint" }).click();
  await expect(first(grace)).toHaveText(["/cart", "/checkout", "/session"]);
  await expect(first(ada)).toHaveText(["/checkout", "/cart", "/session"]);
  await ada.page.getByTestId("field-sort").selectOption("p95");
  for (const person of [ada, grace]) await expect(first(person)).toHaveText(["/session", "/cart", "/checkout"]);
});

test("thousands of rows are a screen of rows", async ({ server, arrive }) => {
  const id = await server.dashboard("Many rows");
  const ada = await arrive("Ada");
  await ada.open(id);
  const widget = await ada.add("table");
  await options(ada, widget);
  await paste(ada, "n,square\n" + Array.from({ length: 3000 }, (_, n) => `${n},${n * n}`).join("\n"));
  const view = ada.widget(widget).locator(".sheet-view");
  const rows = view.locator("tbody tr:not(.space)");
  await expect(view).toHaveAttribute("aria-label", "Table, 3,000 rows");
  expect(await rows.count()).toBeLessThan(80);
  await view.evaluate((element) => element.scrollTo(0, element.scrollHeight));
  await expect(view.getByText("2,999", { exact: true })).toBeVisible();
  expect(await rows.count()).toBeLessThan(80);
  await view.getByRole("button", { name: "square" }).click();
  await view.evaluate((element) => element.scrollTo(0, 0));
  await expect(rows.first().locator("td").first()).toHaveText("2,999");
});

test("bars and gauges show what they are told, and a page that opens has them at once", async ({ server, arrive }) => {
  const { ada, grace, widget } = await both(server, arrive, "Bars", "bar");
  await options(ada, widget);
  await paste(ada, ENDPOINTS);
  await ada.page.getByTestId("field-query").fill("p95");
  await ada.page.getByTestId("field-query").press("Enter");
  await ada.page.getByTestId("field-alert_at").fill("400");
  await ada.page.getByTestId("field-alert_at").press("Enter");
  const bars = grace.widget(widget).locator(".bars li");
  await expect(bars.locator(".name")).toHaveText(["/checkout", "/cart", "/session"]);
  await expect(bars.nth(0)).toHaveAttribute("data-level", "alert");
  await expect(bars.nth(2)).toHaveAttribute("data-level", "ok");

  await ada.page.keyboard.press("Escape");
  const gauge = await ada.add("gauge");
  await options(ada, gauge);
  await paste(ada, "load\n25");
  const meter = grace.widget(gauge).getByRole("meter");
  await expect(meter).toHaveAttribute("aria-valuenow", "25");
  await expect(meter).toHaveAttribute("aria-valuetext", /^25 %/);

  // What the server renders is what stands there when the page is awake.
  const html = await (await ada.page.request.get(ada.page.url())).text();
  expect(html).toContain("/checkout");
  expect(html).toContain('aria-valuenow="25"');
  await grace.page.reload();
  await grace.saved();
  await expect(bars.locator(".name")).toHaveText(["/checkout", "/cart", "/session"]);
});

test("a chart lists its values, hides a series for one person, and reads as a table", async ({ server, arrive }) => {
  const { ada, grace, widget } = await both(server, arrive, "Chart", "timeseries");
  await options(ada, widget);
  await paste(ada, "day,eu,us\n2026-10-01,700,500\n2026-10-02,800,\n2026-10-03,750,600");
  const legend = (person: Person) => person.widget(widget).getByTestId("legend-series");
  for (const person of [ada, grace]) {
    await expect(legend(person)).toHaveCount(2);
    await expect(person.widget(widget).locator("canvas")).toHaveCount(1);
  }
  await legend(grace).nth(0).click();
  await expect(legend(grace).nth(0)).toHaveAttribute("aria-pressed", "false");
  await expect(legend(ada).nth(0)).toHaveAttribute("aria-pressed", "true");

  await grace.widget(widget).hover();
  await grace.widget(widget).getByTestId("widget-menu").click();
  await grace.page.getByTestId("widget-table").click();
  const dialog = grace.page.getByTestId("data-dialog");
  await expect(dialog.locator("tbody tr:not(.space)")).toHaveCount(3);
  await expect(dialog).toContainText("2026-10-03");
  await grace.page.keyboard.press("Escape");
  await expect(dialog).toHaveCount(0);
  await expect(grace.widget(widget).getByTestId("widget-menu")).toBeFocused();
});

test("a widget without data says what to do", async ({ server, arrive }) => {
  const { ada, widget } = await both(server, arrive, "Empty", "stat");
  await options(ada, widget);
  await ada.page.getByTestId("field-query").fill("orders");
  await ada.page.getByTestId("field-query").press("Enter");
  const empty = ada.widget(widget).getByTestId("widget-empty");
  await expect(empty).toContainText(`curl ${server.url}/api/v1/series`);
  await expect(empty).toContainText('{"series":"orders","value":42}');
  await expect(ada.widget(widget).getByTestId("freshness")).toHaveAttribute("data-fresh", "none");
  await ada.page.getByTestId("field-query").fill("server.cpu");
  await ada.page.getByTestId("field-query").press("Enter");
  await expect(ada.widget(widget).getByTestId("freshness")).toHaveAttribute("data-fresh", "live");
});

test("numbers are written as the viewer's browser writes them", async ({ server, arrive }) => {
  const id = await server.dashboard("Numbers");
  const ada = await arrive("Ada", { context: { locale: "de-DE" } });
  await ada.open(id);
  const widget = await ada.add("stat");
  await options(ada, widget);
  await paste(ada, "orders\n1284.5");
  await ada.page.getByTestId("field-unit").fill("orders");
  await ada.page.getByTestId("field-unit").press("Enter");
  await ada.page.getByTestId("field-decimals").fill("1");
  await ada.page.getByTestId("field-decimals").press("Enter");
  await expect(ada.widget(widget).locator(".number")).toHaveText("1.284,5");
  await ada.saved();
  await ada.page.reload();
  await ada.saved();
  await expect(ada.widget(widget).locator(".number")).toHaveText("1.284,5");
});

for (const scheme of ["light", "dark"] as const) {
  test(`axe finds nothing in widgets of any kind, ${scheme}`, async ({ server, arrive }) => {
    const id = await server.dashboard(`Kinds ${scheme}`);
    const ada = await arrive("Ada", { context: { colorScheme: scheme, reducedMotion: "reduce" } });
    await ada.open(id);
    const list = await ada.add("checklist");
    const add = ada.widget(list).getByTestId("checklist-add");
    for (const text of ["Warm the cache", "Tell support"]) {
      await add.fill(text);
      await add.press("Enter");
    }
    await ada.widget(list).getByTestId("checklist-tick").first().check();
    const check = async (where: string) => {
      expect(await violations(ada.page), where).toEqual([]);
    };
    for (const kind of ["stat", "bar", "gauge", "timeseries", "table"] as const) {
      const widget = await ada.add(kind);
      await options(ada, widget);
      await paste(ada, kind === "timeseries" ? "day,eu,us\n2026-10-01,7,5\n2026-10-02,8,6" : ENDPOINTS);
    }
    await check("every kind, and the options of a table");
    await ada.page.getByTestId("field-source").selectOption("");
    await ada.page.getByTestId("field-query").fill("nobody.sends.this");
    await ada.page.getByTestId("field-query").press("Enter");
    await expect(ada.page.getByTestId("widget-empty")).toBeVisible();
    await check("a widget without data");
    await ada.page.keyboard.press("Escape");
    const chart = ada.page.locator('[data-testid="widget"][data-kind="timeseries"]');
    await chart.hover();
    await chart.getByTestId("widget-menu").click();
    await ada.page.getByTestId("widget-table").click();
    await expect(ada.page.getByTestId("data-dialog")).toBeVisible();
    await check("data as a table");
  });
}

test("series that came on several lines keep their lines where somebody writes in them", async ({ server, arrive }) => {
  const id = await server.dashboard("Imported");
  const ada = await arrive("Ada");
  await ada.open(id);
  const lines = "server.cpu,\nserver.memory";
  const widget = { kind: "stat", title: "Two", frame: { x: 0, y: 0, w: 6, h: 4 }, options: { query: lines } };
  await push(ada.page, id, [{ op: "add_widget", id: "two", widget }]);
  await options(ada, "two");
  const field = ada.page.getByTestId("field-query");
  await expect(field).toHaveValue(lines);
  await field.fill(`${lines},\nserver.sessions`);
  await field.press("Control+Enter");
  await ada.saved();
  expect((await server.read(id)).dashboard.widgets.two.options.query).toBe(`${lines},\nserver.sessions`);
  // One line is one line again where the options are opened anew, not under the caret of who writes.
  await field.fill("server.cpu");
  await field.press("Control+Enter");
  await expect(field).toBeFocused();
  await ada.saved();
});

test("bars of several series stand side by side, each time's in the order of the legend", async ({ server, arrive }) => {
  const id = await server.dashboard("Bars");
  const ada = await arrive("Ada");
  await ada.open(id);
  const widget = await ada.add("timeseries");
  await options(ada, widget);
  await paste(ada, "day,eu,us,asia\n2026-10-01,7,5,6\n2026-10-02,8,6,9\n2026-10-03,5,9,8");
  await ada.page.getByTestId("field-style").selectOption("bars");
  await ada.saved();
  /** The colours that a line through the chart above its ground meets, by the names of their series. */
  const met = () =>
    ada.widget(widget).evaluate((tile) => {
      const canvas = tile.querySelector("canvas");
      if (!canvas) return [];
      const colors = ["--s1", "--s2", "--s3"].map((name) => getComputedStyle(tile).getPropertyValue(name).trim());
      const rgb = colors.map((hex) => [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16)).join());
      const over = tile.querySelector<HTMLElement>(".u-over")!;
      const y = Math.round((over.offsetTop + over.offsetHeight - 8) * devicePixelRatio);
      const { data } = canvas.getContext("2d")!.getImageData(0, y, canvas.width, 1);
      const line: string[] = [];
      for (let x = 0; x < canvas.width; x++) {
        const series = ["eu", "us", "asia"][rgb.indexOf(data.slice(x * 4, x * 4 + 3).join())] ?? "";
        if (series !== line.at(-1)) line.push(series);
      }
      return line.filter((series) => series);
    });
  await expect.poll(met).toEqual(["eu", "us", "asia", "eu", "us", "asia", "eu", "us", "asia"]);
  await ada.widget(widget).getByTestId("legend-series").nth(1).click();
  await expect.poll(met).toEqual(["eu", "asia", "eu", "asia", "eu", "asia"]);
  await ada.page.getByTestId("field-stacked").check();
  await expect.poll(met).toEqual(["asia", "asia", "asia"]);
});
