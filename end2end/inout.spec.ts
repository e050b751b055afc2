// In and out: import with its report, export, copies of dashboards and widgets, and variables.
import { readFileSync } from "node:fs";
import { violations } from "./accessibility.ts";
import { expect, test } from "./fixtures.ts";
import type { Person } from "./person.ts";
import { push } from "./wall.ts";

/** A dashboard as Grafana shares it, small: two panels that come over, one that does not, and a variable. */
function grafana(title: string) {
  const at = (x: number, y: number, w: number, h: number) => ({ x, y, w, h });
  return JSON.stringify({
    title,
    time: { from: "now-6h", to: "now" },
    templating: { list: [{ name: "job", type: "custom", query: "shop,mail" }] },
    panels: [
      { type: "stat", title: "Up in $job", gridPos: at(0, 0, 6, 4), targets: [{ expr: 'up{job="$job"}' }] },
      { type: "text", title: "", gridPos: at(6, 0, 8, 6), options: { mode: "markdown", content: "Call **$job**." } },
      { type: "nodeGraph", title: "Nodes", gridPos: at(14, 0, 8, 6), targets: [{ expr: "x" }] },
    ],
  });
}

async function importAs(ada: Person, document: string) {
  await ada.page.getByTestId("import").click();
  await ada.page.getByTestId("import-text").fill(document);
  await ada.page.getByTestId("import-submit").click();
}

// Nothing answers for a source that no configuration names.
const NO_SOURCE = /status of (404|503)/;

test("an import lists what did not come over, and everybody's list has the dashboard", async ({ server, arrive }) => {
  const [ada, grace] = [await arrive("Ada", { complains: NO_SOURCE }), await arrive("Grace")];
  await ada.page.goto(server.url);
  await grace.page.goto(server.url);
  await importAs(ada, grafana("Imported shop"));
  const report = ada.page.getByTestId("import-report");
  await expect(report).toContainText("“Nodes”");
  await expect(report).toContainText("nodeGraph");
  await expect(grace.page.getByTestId("dashboard-card").filter({ hasText: "Imported shop" })).toBeVisible();
  expect(await violations(ada.page)).toEqual([]);
  await ada.page.getByTestId("import-open").click();
  await ada.saved();
  await expect(ada.widgets).toHaveCount(2);
  // Variables stand in titles and in what notes read as, and nowhere where they are written.
  await expect(ada.page.getByTestId("widget-title").filter({ hasText: "Up in shop" })).toBeVisible();
  await expect(ada.page.locator(".note .reading")).toHaveText("Call shop.");
  await expect(ada.page.locator(".note textarea")).toHaveValue("Call **$job**.");
});

test("a file is imported, and what is no dashboard is refused in words", async ({ server, arrive }) => {
  const ada = await arrive("Ada", { complains: /status of 4\d\d/ });
  await ada.page.goto(server.url);
  await importAs(ada, "{\"title\":\"x\"}");
  await expect(ada.page.getByTestId("import-problem")).toContainText("This is no dashboard");
  await ada.page.getByTestId("import-file").setInputFiles({
    name: "shop.json",
    mimeType: "application/json",
    buffer: Buffer.from(grafana("From a file")),
  });
  await expect(ada.page.getByTestId("import-open")).toHaveText("Open “From a file”");
});

test("an export is the file that an import reads; a copy begins as its original", async ({ server, pair }) => {
  const { ada, stats } = await pair("Going out", 2);
  await ada.rename(stats[0], "Orders");
  await ada.saved();
  await ada.page.getByTestId("settings-open").click();
  const download = ada.page.waitForEvent("download");
  await ada.page.getByTestId("dashboard-export").click();
  const file = await download;
  expect(file.suggestedFilename()).toBe("going-out.json");
  const document = JSON.parse(readFileSync(await file.path(), "utf8"));
  expect(document).toMatchObject({ lockstep: 1, title: "Going out" });
  expect(document.widgets.map((widget: { title: string }) => widget.title).sort()).toEqual(["Number", "Orders"]);
  const original = ada.page.url();
  await ada.page.getByTestId("settings-open").click();
  await ada.page.getByTestId("dashboard-duplicate").click();
  await expect(ada.page.getByTestId("dashboard-title")).toHaveText("Copy of Going out");
  await ada.saved();
  expect(ada.page.url()).not.toBe(original);
  await expect(ada.page.getByTestId("widget-title").filter({ hasText: "Orders" })).toBeVisible();
  // What happens to the copy is no matter of the original.
  for (const id of await ada.ids()) await ada.remove(id);
  await ada.saved();
  const left = await server.read(original.split("/").pop()!);
  expect(Object.keys(left.dashboard.widgets)).toHaveLength(2);
});

test("a widget is duplicated in one step, for everybody", async ({ pair }) => {
  const { ada, grace, stats } = await pair("Twice", 1);
  await ada.rename(stats[0], "Orders");
  await ada.widget(stats[0]).hover();
  await ada.widget(stats[0]).getByTestId("widget-menu").click();
  await ada.page.getByTestId("widget-duplicate").click();
  await expect(grace.page.getByTestId("widget-title").filter({ hasText: "Orders" })).toHaveCount(2);
  const copy = (await ada.ids()).find((id) => id !== stats[0])!;
  expect((await ada.frame(copy)).y).toBe((await ada.frame(stats[0])).h);
  await ada.page.getByTestId("undo").click();
  await expect(grace.widgets).toHaveCount(1);
  await expect(ada.widget(stats[0])).toHaveCount(1);
});

test("widgets travel between dashboards on the clipboard, with the variables that they name", async ({ server, pair, arrive }) => {
  const { ada, stats } = await pair("Here", 1);
  await ada.rename(stats[0], "Orders of $host");
  await addVariable(ada, "host", "Host", "a\nb");
  await ada.page.keyboard.press("Escape");
  await ada.widget(stats[0]).click();
  await ada.page.keyboard.press("Control+c");
  await expect(ada.page.getByTestId("toast").filter({ hasText: "Copied" })).toBeVisible();
  const there = await server.dashboard("There");
  const grace = await arrive("Grace");
  await grace.open(there);
  await ada.open(there);
  await ada.page.keyboard.press("Control+v");
  await expect(grace.page.getByTestId("widget-title")).toHaveText("Orders of a");
  await expect(grace.page.getByTestId("variable-host")).toHaveValue("a");
  await ada.saved();
  await ada.page.getByTestId("undo").click();
  await expect(grace.widgets).toHaveCount(0);
  await expect(grace.page.getByTestId("variable-host")).toHaveCount(0);
});

test("a paste of anything else does nothing", async ({ pair }) => {
  const { ada, stats } = await pair("Calm", 1);
  await ada.widget(stats[0]).click();
  const paste = (text: string) =>
    ada.page.evaluate((text) => {
      const data = new DataTransfer();
      data.setData("text/plain", text);
      document.body.dispatchEvent(new ClipboardEvent("paste", { clipboardData: data, bubbles: true, cancelable: true }));
    }, text);
  for (const text of ["", "hello", "{}", "{\"lockstep\"", "[1]", "{\"a\":{\"lockstep\":1}}"]) await paste(text);
  await expect(ada.widgets).toHaveCount(1);
  await expect(ada.page.getByTestId("toast")).toHaveCount(0);
  // What wants to be one of ours and is not says so.
  await paste("{\"lockstep\":7,\"widgets\":[]}");
  await expect(ada.page.getByTestId("toast").filter({ hasText: "format 7" })).toBeVisible();
  await expect(ada.widgets).toHaveCount(1);
});

async function addVariable(ada: Person, name: string, label: string, choices: string) {
  await ada.page.getByTestId("settings-open").click();
  await ada.page.getByTestId("variables-open").click();
  await ada.page.getByTestId("variable-add").click();
  await ada.page.getByTestId("variable-name").fill(name);
  await ada.page.getByTestId("variable-label").fill(label);
  await ada.page.getByTestId("variable-choices").fill(choices);
  await ada.page.getByTestId("variable-save").click();
  await expect(ada.page.getByTestId(`variable-edit-${name}`)).toBeVisible();
  await ada.page.getByTestId("variables-editor").getByText("Done").click();
}

test("a variable that one chooses is chosen for all, with a word of who it was", async ({ pair }) => {
  const { ada, grace, stats } = await pair("Hosts", 1);
  await ada.rename(stats[0], "CPU of $host");
  await addVariable(ada, "host", "Host", "alpha\nbeta");
  await expect(ada.title(stats[0])).toHaveText("CPU of alpha");
  await expect(grace.title(stats[0])).toHaveText("CPU of alpha");
  await grace.page.getByTestId("variable-host").selectOption("beta");
  await expect(ada.page.getByTestId("variable-host")).toHaveValue("beta");
  await expect(ada.title(stats[0])).toHaveText("CPU of beta");
  await ada.page.getByTestId("activity-open").click();
  await expect(ada.page.getByTestId("activity-item").filter({ hasText: "set $host to “beta”" })).toContainText("Grace");
  await grace.page.getByTestId("undo").click();
  await expect(ada.page.getByTestId("variable-host")).toHaveValue("alpha");
  // The title is written with the name, and edited with it.
  await ada.title(stats[0]).dblclick();
  await expect(ada.widget(stats[0]).locator("input[data-testid=widget-title]")).toHaveValue("CPU of $host");
  await ada.page.keyboard.press("Escape");
  expect(await violations(ada.page)).toEqual([]);
});

test("a variable that gets another name has it wherever it is used, and one step takes it back", async ({ server, arrive }) => {
  const id = await server.dashboard("Machines");
  const [ada, grace] = [await arrive("Ada"), await arrive("Grace")];
  await ada.page.goto(`${server.url}/status`);
  const widget = (kind: string, title: string, x: number, options = {}) => ({ kind, title, frame: { x, y: 0, w: 6, h: 6 }, options });
  await push(ada.page, id, [
    { op: "set_dashboard", field: "variable.host", value: { choices: ["alpha"] } },
    { op: "add_widget", id: "s1", widget: widget("stat", "CPU of $host", 0, { query: "cpu{host=$host}" }) },
    { op: "add_widget", id: "n1", widget: widget("note", "Note", 6) },
  ]);
  for (const person of [ada, grace]) await person.open(id);
  // Grace writes in the note meanwhile.
  await grace.note("n1");
  await grace.page.keyboard.type("Ask ${host}, or [[host]]");
  await expect(ada.widget("n1")).toContainText("Ask alpha, or alpha");

  await ada.page.getByTestId("settings-open").click();
  await ada.page.getByTestId("variables-open").click();
  await ada.page.getByTestId("variable-edit-host").click();
  await expect(ada.page.getByTestId("variable-used")).toContainText("Used in 4 places");
  await ada.page.getByTestId("variable-name").fill("machine");
  await ada.page.getByTestId("variable-save").click();
  await ada.page.getByTestId("variables-editor").getByText("Done").click();
  await expect(ada.page.getByTestId("toast").filter({ hasText: "$host is $machine now, also in 4 places" })).toBeVisible();
  await ada.saved();
  const held = async () => {
    const { dashboard } = await server.read(id);
    const { s1, n1 } = dashboard.widgets;
    return [s1.title, s1.options.query, n1.text.plain, Object.keys((dashboard as any).settings)];
  };
  const named = (name: string) => [`CPU of $${name}`, `cpu{host=$${name}}`, `Ask \${${name}}, or [[${name}]]`, [`variable.${name}`]];
  expect(await held()).toEqual(named("machine"));
  await expect(grace.title("s1")).toHaveText("CPU of alpha");
  // Grace's caret is where it was.
  await grace.page.keyboard.type("!");
  await expect(ada.widget("n1")).toContainText("Ask alpha, or alpha!");
  await grace.page.keyboard.press("Backspace");
  await grace.saved();

  await ada.page.getByTestId("undo").click();
  await ada.saved();
  expect(await held()).toEqual(named("host"));
  await ada.page.getByTestId("redo").click();
  await ada.saved();
  expect(await held()).toEqual(named("machine"));
});

test("several values of a variable are chosen at once, and charts and titles have all of them", async ({ server, arrive }) => {
  const points = ["alpha", "beta", "gamma"].flatMap((host) => [
    { series: "load", tags: { host }, value: 1 },
    { series: "load", tags: { host }, value: 2, at: Date.now() - 60_000 },
  ]);
  const pushed = await fetch(`${server.url}/api/v1/series`, { method: "POST", body: JSON.stringify(points) });
  expect(pushed.ok).toBe(true);
  const id = await server.dashboard("Several");
  const [ada, grace] = [await arrive("Ada"), await arrive("Grace")];
  await ada.page.goto(`${server.url}/status`);
  const chart = { kind: "timeseries", title: "Load of $host", frame: { x: 0, y: 0, w: 12, h: 8 }, options: { query: "load{host=$host}" } };
  await push(ada.page, id, [{ op: "add_widget", id: "c1", widget: chart }]);
  for (const person of [ada, grace]) await person.open(id);
  await addVariable(ada, "host", "Host", "alpha\nbeta\ngamma");
  const lines = (person: Person) => person.widget("c1").getByTestId("legend-series");
  await expect(lines(grace)).toHaveText(["load{host=alpha}"]);

  await ada.page.getByTestId("variables-edit").click();
  await ada.page.getByTestId("variable-edit-host").click();
  await ada.page.getByTestId("variable-multi").check();
  await ada.page.getByTestId("variable-save").click();
  await ada.page.getByTestId("variables-editor").getByText("Done").click();
  const button = (person: Person) => person.page.getByTestId("variable-host");
  await button(ada).click();
  await ada.page.getByRole("checkbox", { name: "gamma" }).check();
  for (const person of [ada, grace]) {
    await expect(lines(person)).toHaveText(["host=alpha", "host=gamma"]);
    await expect(person.title("c1")).toHaveText("Load of alpha, gamma");
    await expect(button(person)).toHaveText("alpha, gamma");
  }
  // Another person takes one away.
  await button(grace).click();
  await grace.page.getByRole("checkbox", { name: "alpha" }).uncheck();
  await expect(ada.page.getByRole("checkbox", { name: "alpha" })).not.toBeChecked();
  for (const person of [ada, grace]) await expect(lines(person)).toHaveText(["load{host=gamma}"]);
  expect(await violations(ada.page)).toEqual([]);
  await ada.page.keyboard.press("Escape");
  await expect(button(ada)).toBeFocused();
  await grace.page.getByTestId("undo").click();
  await expect(button(ada)).toHaveText("alpha, gamma");
  await grace.saved();
  expect(((await server.read(id)).dashboard as any).settings["value.host"]).toBe("(alpha|gamma)");

  // Where nothing is ticked the first choice holds, and its box says so however often it is pressed.
  await button(grace).click();
  await grace.page.getByRole("checkbox", { name: "gamma" }).click();
  for (const _ of [1, 2]) {
    await grace.page.getByRole("checkbox", { name: "alpha" }).click();
    await expect(grace.page.getByRole("checkbox", { name: "alpha" })).toBeChecked();
    await expect(button(grace)).toHaveText("alpha");
  }
});
