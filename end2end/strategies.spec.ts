// What shows in a conflict is a setting of the dashboard: the same collision under each of the three.
import { expect, test } from "./fixtures.ts";
import type { Person } from "./person.ts";

const toast = (person: Person, text: string) => person.page.getByTestId("toast").filter({ hasText: text });

/** Chooses what shows in a conflict, as a person does. */
async function choose(person: Person, strategy: string) {
  await person.page.getByTestId("settings-open").click();
  await person.page.getByTestId(`strategy-${strategy}`).check();
  await person.page.keyboard.press("Escape");
  await expect(person.page.getByTestId("settings")).toHaveCount(0);
}

/** What Ada writes over what Grace wrote meanwhile. */
const TITLES = { mine: "Orders per hour", theirs: "Orders per day" };

const everybody = async (people: Person[], stat: string, title: string, conflicts: number) => {
  for (const person of people) {
    await expect(person.title(stat)).toHaveText(title);
    await expect(person.sync).toHaveAttribute("data-state", conflicts > 0 ? "conflict" : "saved");
  }
};

test("what shows in a conflict is chosen by one, seen by all at once, and undone", async ({ pair }) => {
  const { ada, grace } = await pair("Settings", 1);
  await grace.page.getByTestId("settings-open").click();
  await expect(grace.page.getByTestId("strategy-latest")).toBeChecked();
  await ada.page.getByTestId("settings-open").click();
  await ada.page.getByTestId("strategy-ask").check();
  await expect(grace.page.getByTestId("strategy-ask")).toBeChecked();
  await ada.page.keyboard.press("Escape");
  await expect(ada.page.getByTestId("settings-open")).toBeFocused();
  await ada.page.getByTestId("undo").click();
  await expect(grace.page.getByTestId("strategy-latest")).toBeChecked();
  await ada.page.getByTestId("redo").click();
  await expect(grace.page.getByTestId("strategy-ask")).toBeChecked();
  await grace.page.keyboard.press("Escape");
  await grace.page.getByTestId("activity-open").click();
  await expect(grace.page.getByTestId("activity-item").first()).toContainText("Ada");
});

test("latest: what came last shows, and who wrote before is told at once", async ({ pair }) => {
  const { ada, grace, stats: [stat, mark] } = await pair("Latest", 2);
  await ada.titleOver(grace, stat, TITLES, mark);
  const told = toast(grace, "Ada wrote “Orders per hour” for the title of");
  await expect(told).toContainText("it shows. Yours, “Orders per day”, is kept.");
  await everybody([ada, grace], stat, "Orders per hour", 1);
  await expect(toast(ada, "Yours, “Orders per hour”, shows")).toBeVisible();
  await told.getByRole("button", { name: "Show" }).click();
  await expect(grace.page.getByTestId("conflict")).toContainText("Orders per day");
});

test("first: what was there goes on showing, and who came later is told", async ({ pair }) => {
  const { ada, grace, stats: [stat, mark] } = await pair("First", 2);
  await choose(grace, "first");
  await expect(ada.page.getByTestId("activity-open")).toBeVisible();
  await ada.titleOver(grace, stat, TITLES, mark);
  const told = toast(ada, "Grace wrote “Orders per day” for the title of");
  await expect(told).toContainText("it shows. Yours, “Orders per hour”, is kept.");
  await everybody([ada, grace], stat, "Orders per day", 1);
  await told.getByRole("button", { name: "Use mine" }).click();
  await everybody([ada, grace], stat, "Orders per hour", 0);
});

test("ask: what was there goes on showing, and who came later is asked at once", async ({ pair }) => {
  const { ada, grace, stats: [stat, mark] } = await pair("Ask", 2);
  await ada.page.clock.install();
  await choose(grace, "ask");
  await ada.titleOver(grace, stat, TITLES, mark);
  const asked = toast(ada, "you wrote “Orders per hour”. Which shall it be?");
  await expect(asked).toContainText("Grace wrote “Orders per day” for the title of");
  await everybody([ada, grace], stat, "Orders per day", 1);
  // A question waits for its answer, longer than any word that passes by, and is in nobody's way.
  await ada.page.clock.runFor(30_000);
  await ada.rename(mark, "Goes on meanwhile");
  await expect(asked).toBeVisible();
  await expect(toast(grace, "Ada wrote")).not.toContainText("Which shall it be?");
  // Where others write on meanwhile, it names what there is to choose from by then.
  await grace.rename(stat, "Orders per week");
  await expect(toast(ada, "Which shall it be?")).toHaveCount(1);
  await expect(toast(ada, "Which shall it be?")).toContainText("“Orders per week”");
  await everybody([ada, grace], stat, "Orders per week", 1);
  await asked.getByRole("button", { name: "Use Grace’s" }).click();
  await everybody([ada, grace], stat, "Orders per week", 0);
  await expect(asked).toHaveCount(0);

  // Somebody else may answer it too.
  await ada.titleOver(grace, stat, { mine: "Again", theirs: "And again" }, mark, "Arrived twice");
  await expect(toast(ada, "Which shall it be?")).toBeVisible();
  await grace.page.getByTestId("conflicts-open").click();
  await grace.page.getByTestId("conflict-other").click();
  await everybody([ada, grace], stat, "Again", 0);
  await expect(toast(ada, "Which shall it be?")).toHaveCount(0);
});

for (const [strategy, stays] of [["latest", false], ["first", true], ["ask", true]] as const) {
  test(`${strategy}: a removal that meets an edit ${stays ? "waits" : "takes effect"}, and both are kept`, async ({
    server,
    arrive,
    line,
  }) => {
    const id = await server.dashboard(`Removal, ${strategy}`);
    const cable = await line();
    const ada = await arrive("Ada", { line: cable, complains: /WebSocket connection|net::ERR_|Failed to load/ });
    const grace = await arrive("Grace");
    await ada.open(id);
    const stat = await ada.add("stat");
    await ada.page.keyboard.press("Escape");
    await ada.saved();
    await grace.open(id);
    await choose(grace, strategy);
    await grace.saved();
    cable.cut();
    await ada.remove(stat);
    await grace.rename(stat, "Orders");
    await grace.saved();
    cable.mend();
    await ada.page.evaluate(() => window.dispatchEvent(new Event("online")));
    for (const person of [ada, grace]) {
      await expect(person.sync).toHaveAttribute("data-state", "conflict", { timeout: 20_000 });
      await expect(person.widget(stat)).toHaveCount(stays ? 1 : 0);
      await person.page.getByTestId("conflicts-open").click();
      for (const said of ["Removed it", "Orders", "Ada", "Grace"]) {
        await expect(person.page.getByTestId("conflict")).toContainText(said);
      }
    }
    await grace.page.getByTestId("conflict-other").click();
    for (const person of [ada, grace]) {
      await person.saved();
      await expect(person.widget(stat)).toHaveCount(stays ? 0 : 1);
    }
  });
}
