// What somebody is still writing while somebody else changes the same thing: both are kept.
import { expect, test } from "./fixtures.ts";

test("a title written over a newer one that its writer did not see keeps both", async ({ pair }) => {
  const { ada, grace, stats: [one, two] } = await pair("Drafts", 2);

  await ada.titleOver(grace, one, { mine: "Orders per hour", theirs: "Orders per day" }, two);

  for (const person of [ada, grace]) {
    await expect(person.sync).toHaveAttribute("data-state", "conflict");
    await expect(person.title(one)).toHaveText("Orders per hour");
    await person.page.getByTestId("conflicts-open").click();
    const conflict = person.page.getByTestId("conflict");
    await expect(conflict).toHaveCount(1);
    await expect(conflict).toContainText("Orders per hour");
    await expect(conflict).toContainText("Orders per day");
  }
});

test("a title that is being written when somebody removes its widget is kept beside the removal", async ({ pair }) => {
  const { ada, grace, stats: [stat] } = await pair("Removed meanwhile", 1);

  await ada.beginTitle(stat, "Half a thought");
  await grace.remove(stat);
  for (const person of [ada, grace]) {
    await expect(person.widget(stat)).toHaveCount(0);
    await expect(person.sync).toHaveAttribute("data-state", "conflict");
    await person.page.getByTestId("conflicts-open").click();
    await expect(person.page.getByTestId("conflict")).toContainText("Half a thought");
  }
  await ada.page.getByTestId("conflict-other").click();
  for (const person of [ada, grace]) await expect(person.title(stat)).toHaveText("Half a thought");
});

test("nobody seems to edit a field whose widget went or whose panel shows another", async ({ server, arrive }) => {
  const id = await server.dashboard("Fields that go");
  const [ada, grace] = [await arrive("Ada"), await arrive("Grace")];
  await ada.open(id);
  const [one, two] = [await ada.add("stat"), await ada.add("stat")];
  await ada.page.keyboard.press("Escape");
  await ada.rename(two, "Second");
  await ada.saved();
  await grace.open(id);
  const field = ada.page.getByTestId("field-title");
  const seen = grace.page.getByTestId("widget-editing");
  const options = async (widget: string) => {
    await ada.widget(widget).hover();
    await ada.widget(widget).getByTestId("widget-menu").click();
    await ada.page.getByTestId("widget-options").click();
  };

  await options(one);
  await field.focus();
  await expect(seen).toHaveCount(1);
  // The panel goes over to another widget while the keyboard is in a field of the first.
  await ada.page.keyboard.press("ControlOrMeta+k");
  await ada.page.keyboard.type("options second");
  await ada.page.keyboard.press("Enter");
  await expect(field).toHaveValue("Second");
  await expect(grace.widget(one).getByTestId("widget-editing")).toHaveCount(0);

  await options(one);
  await expect(field).not.toHaveValue("Second");
  await field.focus();
  await expect(seen).toHaveCount(1);
  // Somebody removes the widget under a field in which nothing was typed.
  await grace.remove(one);
  await expect(field).toHaveCount(0);
  await expect(seen).toHaveCount(0);
  await ada.rename(two, "Still here");
  await expect(grace.title(two)).toHaveText("Still here");
});
