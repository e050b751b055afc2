// What somebody is still writing while somebody else changes the same thing: both are kept.
import { expect, test } from "./fixtures.ts";

test("a title written over a newer one that its writer did not see keeps both", async ({ server, arrive }) => {
  const id = await server.dashboard("Drafts");
  const [ada, grace] = [await arrive("Ada"), await arrive("Grace")];
  await ada.open(id);
  const [one, two] = [await ada.add("stat"), await ada.add("stat")];
  await ada.page.keyboard.press("Escape");
  await ada.saved();
  await grace.open(id);

  await ada.beginTitle(one, "Orders per hour");
  // On Grace's page the title goes on reading Ada's draft, so there is no waiting for it to read hers.
  await grace.beginTitle(one, "Orders per day");
  await grace.page.keyboard.press("Enter");
  // Edits arrive in order: with the second, Ada's page has the first.
  await grace.rename(two, "Arrived");
  await expect(ada.title(two)).toHaveText("Arrived");
  await ada.page.keyboard.press("Enter");

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

test("a title that is being written when somebody removes its widget is kept beside the removal", async ({
  server,
  arrive,
}) => {
  const id = await server.dashboard("Removed meanwhile");
  const [ada, grace] = [await arrive("Ada"), await arrive("Grace")];
  await ada.open(id);
  const stat = await ada.add("stat");
  await ada.page.keyboard.press("Escape");
  await ada.saved();
  await grace.open(id);

  await ada.beginTitle(stat, "Half a thought");
  await grace.remove(stat);
  for (const person of [ada, grace]) {
    await expect(person.widget(stat)).toHaveCount(0);
    await expect(person.sync).toHaveAttribute("data-state", "conflict");
    await person.page.getByTestId("conflicts-open").click();
    await expect(person.page.getByTestId("conflict")).toContainText("1 edit");
  }
  await ada.page.getByTestId("conflict-other").click();
  for (const person of [ada, grace]) await expect(person.title(stat)).toHaveText("Half a thought");
});
