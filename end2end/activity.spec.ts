// Who changed what: as it happens, while one was away, and nothing else on the page moves for it.
import { expect, test } from "./fixtures.ts";

const CUT = /WebSocket connection|net::ERR_|Failed to load resource/;

test("the activity says who changed what, and shows it", async ({ pair }) => {
  const { ada, grace, stats: [stat] } = await pair("Activity", 1);
  await grace.rename(stat, "Orders");

  await ada.page.getByTestId("activity-open").click();
  const lines = ada.page.getByTestId("activity-item");
  await expect(lines).toHaveCount(2);
  await expect(lines.first()).toContainText("Grace renamed “Number” to “Orders”");
  await expect(lines.last()).toContainText("You added “Number”");
  await lines.first().getByRole("button").click();
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
