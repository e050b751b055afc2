// The command palette: everything that a dashboard page can do, by a few letters.
import { expect, test } from "./fixtures.ts";

test("a widget is added, renamed and undone from the palette, and the keyboard goes back", async ({ server, arrive }) => {
  const id = await server.dashboard("Palette");
  const ada = await arrive("Ada");
  const keys = ada.page.keyboard;
  const palette = ada.page.getByRole("dialog", { name: "Commands" });
  const commands = palette.getByRole("option");
  await ada.open(id);

  await ada.page.getByTestId("activity-open").focus();
  await keys.press("ControlOrMeta+k");
  await expect(palette.getByRole("combobox")).toBeFocused();
  await expect(commands.first()).toHaveAttribute("aria-selected", "true");
  await keys.press("ArrowDown");
  await expect(commands.nth(1)).toHaveAttribute("aria-selected", "true");
  await keys.press("ArrowUp");
  await keys.press("ArrowUp");
  await expect(commands.last()).toHaveAttribute("aria-selected", "true");
  await keys.press("Escape");
  await expect(palette).toBeHidden();
  await expect(ada.page.getByTestId("activity-open")).toBeFocused();

  await keys.press("ControlOrMeta+k");
  await keys.type("add number");
  await expect(commands).toHaveCount(1);
  await keys.press("Enter");
  await expect(ada.widgets).toHaveCount(1);
  const [stat] = await ada.ids();
  await ada.rename(stat, "Orders");
  await keys.press("Escape");

  await keys.press("ControlOrMeta+k");
  await keys.type("rename orders");
  await keys.press("Enter");
  await expect(ada.widget(stat).locator('input[data-testid="widget-title"]')).toBeFocused();
  // From within a field too, which keeps what was typed.
  await keys.type("Sales");
  await keys.press("ControlOrMeta+k");
  await expect(palette).toBeVisible();
  await keys.type("undo");
  await keys.press("Enter");
  await expect(palette).toBeHidden();
  await expect(ada.title(stat)).toHaveText("Orders");

  await ada.page.getByTestId("commands-open").click();
  await keys.type("zebra");
  await expect(commands).toHaveCount(0);
  await expect(palette).toContainText("No command");
  await keys.press("ControlOrMeta+k");
  await expect(palette).toBeHidden();
});

test("a person is followed and a theme chosen from the palette", async ({ server, arrive }) => {
  const id = await server.dashboard("Palette of people");
  const [ada, grace] = [await arrive("Ada"), await arrive("Grace")];
  await ada.open(id);
  await grace.open(id);
  await expect(ada.collaborator(grace)).toBeVisible();
  for (const words of ["theme dark", "follow grace"]) {
    await ada.page.keyboard.press("ControlOrMeta+k");
    await ada.page.keyboard.type(words);
    await ada.page.keyboard.press("Enter");
  }
  await expect(ada.page.locator("html")).toHaveAttribute("data-theme", "dark");
  await expect(ada.page.getByTestId("following")).toContainText("Grace");
});

test("Enter on the palette's own button closes it and does nothing else", async ({ server, arrive }) => {
  const id = await server.dashboard("Palette closed");
  const ada = await arrive("Ada");
  const keys = ada.page.keyboard;
  const palette = ada.page.getByRole("dialog", { name: "Commands" });
  await ada.open(id);
  await keys.press("ControlOrMeta+k");
  await keys.type("add number");
  await expect(palette.getByRole("option")).toHaveCount(1);
  await keys.press("Tab");
  await expect(palette.getByRole("button", { name: "Close" })).toBeFocused();
  await keys.press("Enter");
  await expect(palette).toBeHidden();
  await expect(ada.widgets).toHaveCount(0);
});
