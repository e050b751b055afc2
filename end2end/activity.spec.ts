// Who changed what: as it happens, while one was away, and nothing else on the page moves for it.
import { expect, test } from "./fixtures.ts";
import { Script } from "./script.ts";

const CUT = /WebSocket connection|net::ERR_|Failed to load resource/;

test("the activity says who changed what, and shows it", async ({ pair }) => {
  const { ada, grace, stats: [stat] } = await pair("Activity", 1);
  await grace.rename(stat, "Orders");

  await ada.page.getByTestId("activity-open").click();
  const lines = ada.page.getByTestId("activity-item");
  await expect(lines).toHaveCount(2);
  await expect(lines.first()).toContainText("Grace renamed “Number” to “Orders”");
  await expect(lines.last()).toContainText("You added “Number”");
  await lines.first().getByTitle("Show the widget").click();
  await expect(ada.widget(stat)).toHaveClass(/selected/);
  await expect(ada.widget(stat)).toHaveClass(/glow/);

  await grace.remove(stat);
  await expect(lines.first()).toContainText("Grace removed “Orders”");
  await lines.first().getByRole("button", { name: "Restore" }).click();
  await expect(ada.title(stat)).toHaveText("Orders");
  await expect(grace.title(stat)).toHaveText("Orders");
  await expect(lines.first()).toContainText("You brought back “Orders”");
  await ada.page.getByTestId("undo").click();
  await expect(grace.widget(stat)).toHaveCount(0);
  await expect(lines.first()).toContainText("You took back a step");
});

test("the steps of a program are taken back, and what somebody changed since stays", async ({ pair, server }) => {
  const { ada, grace, stats: [one, two] } = await pair("Taken back", 2);
  const id = new URL(ada.page.url()).pathname.split("/").at(-1)!;
  const places = [await ada.frame(one), await ada.frame(two)];
  const script = await Script.join(server, id, "Importer");
  await script.edit({ op: "set", id: one, field: "title", value: "Orders" });
  await script.edit({ op: "set", id: two, field: "title", value: "Sales" });
  await script.edit({ op: "set", id: one, field: "title", value: "Orders per day" });
  const widget = { kind: "stat", title: "Refunds", frame: { x: 0, y: 0, w: 6, h: 4 }, options: {} };
  await script.edit({ op: "add_widget", id: "added", widget });
  await expect(grace.title(two)).toHaveText("Sales");
  await grace.rename(two, "Revenue");
  await expect(ada.title(two)).toHaveText("Revenue");

  await ada.page.getByTestId("activity-open").click();
  const lines = ada.page.getByTestId("activity-item");
  // One line alone: the step before it stands.
  const last = lines.filter({ hasText: "renamed “Orders” to “Orders per day”" });
  await last.hover();
  await last.getByTestId("take-back").click();
  await expect(ada.title(one)).toHaveText("Orders");
  await expect(ada.page.getByTestId("toast").filter({ hasText: "Took back 1 step of Importer." })).toBeVisible();
  await expect(last.getByTestId("take-back")).toHaveCount(0);

  // All that is left of the program.
  await expect(ada.page.getByTestId("take-back-all")).toBeHidden();
  await ada.page.getByTestId("activity-by").selectOption({ label: "Importer" });
  await expect(lines).toHaveCount(4);
  const all = ada.page.getByTestId("take-back-all");
  await expect(all).toHaveText("Take back 3 steps of Importer");
  await all.click();
  await expect(all).toBeHidden();
  const told = ada.page.getByTestId("toast").filter({ hasText: "1 was changed since by Grace and stays." });
  await expect(told).toBeVisible();
  for (const person of [ada, grace]) {
    await expect(person.title(one)).toHaveText("Number");
    await expect(person.title(two)).toHaveText("Revenue");
    await expect(person.widget("added")).toHaveCount(0);
  }
  expect([await ada.frame(one), await ada.frame(two)]).toEqual(places);

  // It was one own step.
  await told.getByTestId("toast-action").click();
  for (const person of [ada, grace]) {
    await expect(person.title(one)).toHaveText("Orders");
    await expect(person.title(two)).toHaveText("Revenue");
    await expect(person.widget("added")).toHaveCount(1);
  }
  script.leave();
});

test("many steps are not taken back without a question", async ({ pair, server }) => {
  const { ada, stats: [stat] } = await pair("Many steps", 1);
  const id = new URL(ada.page.url()).pathname.split("/").at(-1)!;
  const script = await Script.join(server, id, "Importer");
  for (let n = 1; n <= 21; n += 1) await script.edit({ op: "set", id: stat, field: "title", value: `Orders ${n}` });
  await ada.page.getByTestId("activity-open").click();
  await ada.page.getByTestId("activity-by").selectOption({ label: "Importer" });
  const all = ada.page.getByTestId("take-back-all");
  await expect(all).toHaveText("Take back 21 steps of Importer");
  await all.click();
  const sure = ada.page.getByTestId("take-back-sure");
  await expect(sure).toBeVisible();
  await expect(ada.page.getByRole("button", { name: "Keep", exact: true })).toBeFocused();
  await ada.page.keyboard.press("Enter");
  await expect(sure).toBeHidden();
  await expect(ada.title(stat)).toHaveText("Orders 21");
  await all.click();
  await sure.click();
  await expect(ada.title(stat)).toHaveText("Number");
  await expect(ada.page.getByTestId("activity-by")).toBeFocused();
  script.leave();
});

test("coming back after a while tells who changed what meanwhile", async ({ server, arrive, line }) => {
  test.slow();
  const id = await server.dashboard("Away");
  const cable = await line();
  const ada = await arrive("Ada", { line: cable, complains: CUT });
  const grace = await arrive("Grace");
  await ada.page.clock.install();
  await ada.open(id);
  const [one, two] = [await ada.add("stat"), await ada.add("stat")];
  await ada.page.keyboard.press("Escape");
  await ada.saved();
  await grace.open(id);

  cable.cut();
  await expect(ada.sync).toHaveAttribute("data-state", /reconnecting|offline/, { timeout: 15_000 });
  await grace.rename(one, "Orders");
  await grace.rename(two, "Sales");
  await grace.saved();
  // The machine sleeps for ten minutes.
  await ada.page.clock.fastForward("10:00");
  cable.mend();
  // What a browser says when the network is there again.
  await ada.page.evaluate(() => window.dispatchEvent(new Event("online")));

  const told = ada.page.getByTestId("while-away");
  await expect(told).toContainText("Grace changed 2 widgets", { timeout: 45_000 });
  await expect(told).toContainText("10 min");
  await told.getByRole("button", { name: "Show me" }).click();
  await expect(told).toHaveCount(0);
  await expect(ada.page.getByTestId("activity-item").first()).toContainText("Grace renamed");
  await expect(ada.page.getByTestId("activity-item").first()).toHaveClass(/meanwhile/);
});

test("a short cut is no absence", async ({ server, arrive, line }) => {
  const id = await server.dashboard("Briefly away");
  const cable = await line();
  const ada = await arrive("Ada", { line: cable, complains: CUT });
  const grace = await arrive("Grace");
  await ada.open(id);
  const stat = await ada.add("stat");
  await ada.saved();
  await grace.open(id);
  cable.cut();
  await grace.rename(stat, "Meanwhile");
  await grace.saved();
  cable.mend();
  await expect(ada.title(stat)).toHaveText("Meanwhile");
  await expect(ada.page.getByTestId("while-away")).toHaveCount(0);
});

test("a remote edit touches the DOM of its widget only", async ({ server, arrive }) => {
  const id = await server.dashboard("Calm");
  const [ada, grace] = [await arrive("Ada"), await arrive("Grace")];
  await ada.open(id);
  const [note, other] = [await ada.add("note"), await ada.add("note")];
  await ada.page.keyboard.press("Escape");
  await ada.saved();
  await grace.open(id);
  await expect(ada.collaborator(grace)).toBeVisible();
  await ada.page.evaluate(() => {
    const touched = ((window as any).touched = new Set<string>());
    const observer = new MutationObserver((records) => {
      for (const { target } of records) {
        const element = target instanceof Element ? target : target.parentElement;
        const widget = element?.closest('[data-testid="widget"]');
        if (widget) touched.add(widget.getAttribute("data-widget")!);
        else if (!element?.closest(".cursors")) touched.add(`beside the widgets: ${element?.className}`);
      }
    });
    const everything = { subtree: true, childList: true, attributes: true, characterData: true };
    observer.observe(document.querySelector('[data-testid="grid"]')!, everything);
  });
  await grace.rename(note, "Runbook");
  await grace.note(note);
  await grace.page.keyboard.type("call the person on duty");
  await expect(ada.widget(note)).toContainText("call the person on duty");
  const touched = () => ada.page.evaluate(() => [...(window as any).touched]);
  expect(await touched()).toEqual([note]);
  // The observer sees what happens to the other one too.
  await grace.rename(other, "Second");
  await expect.poll(touched).toEqual([note, other]);
});

test("a widget that goes fades, and can come back at once", async ({ pair }) => {
  const { ada, grace, stats: [stat] } = await pair("Fading", 1);
  // Whatever left the grid, and whether it faded first.
  await ada.page.evaluate(() => {
    (window as any).left = [];
    new MutationObserver((records) => {
      for (const record of records)
        for (const node of record.removedNodes)
          if (node instanceof Element) (window as any).left.push(node.classList.contains("leaving"));
    }).observe(document.querySelector('[data-testid="grid"]')!, { childList: true });
  });
  await grace.remove(stat);
  await grace.page.getByTestId("undo").click();
  await expect(grace.widget(stat)).toHaveCount(1);
  await expect.poll(() => ada.page.evaluate(() => (window as any).left)).toEqual([true]);
  await expect(ada.widget(stat)).toHaveCount(1);
  await ada.rename(stat, "Here again");
  await expect(grace.title(stat)).toHaveText("Here again");
});
