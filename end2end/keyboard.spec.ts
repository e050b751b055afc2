// All of it without a pointer.
import { expect, test } from "./fixtures.ts";
import { tabTo } from "./keys.ts";

test("a dashboard is edited by keyboard alone", async ({ server, arrive }) => {
  const id = await server.dashboard("No mouse");
  const ada = await arrive("Ada");
  const keys = ada.page.keyboard;
  await ada.open(id);

  await tabTo(ada.page, '[data-testid="add-widget"]');
  await keys.press("Enter");
  await tabTo(ada.page, '[data-testid="add-widget-stat"]');
  await keys.press("Enter");
  await expect(ada.widgets).toHaveCount(1);
  const [stat] = await ada.ids();
  const tile = `[data-testid="widget"][data-widget="${stat}"]`;

  await tabTo(ada.page, `${tile} [data-testid="widget-drag"]`);
  await keys.press("ArrowRight");
  await keys.press("ArrowRight");
  await keys.press("Enter");
  await expect(ada.widget(stat)).toHaveAttribute("data-x", "2");
  const { w } = await ada.frame(stat);
  await keys.press("Shift+ArrowRight");
  await keys.press("Enter");
  await expect(ada.widget(stat)).toHaveAttribute("data-w", String(w + 1));
  await keys.press("ArrowRight");
  await keys.press("Escape");
  await expect(ada.widget(stat)).toHaveAttribute("data-x", "2");

  await tabTo(ada.page, `${tile} [data-testid="widget-title"]`);
  await keys.press("F2");
  await keys.press("ControlOrMeta+a");
  await keys.type("Typed");
  await keys.press("Enter");
  await expect(ada.title(stat)).toHaveText("Typed");
  await ada.saved();
  const held = (await server.read(id)).dashboard.widgets[stat];
  expect(held.title).toBe("Typed");
  expect(held.frame).toMatchObject({ x: 2, w: w + 1 });

  await keys.press("ControlOrMeta+z");
  await expect(ada.title(stat)).not.toHaveText("Typed");
  await keys.press("ControlOrMeta+Shift+z");
  await expect(ada.title(stat)).toHaveText("Typed");

  await tabTo(ada.page, `${tile} [data-testid="widget-drag"]`);
  await keys.press("Delete");
  await expect(ada.widgets).toHaveCount(0);
  await expect(ada.page.getByTestId("toast").first()).toContainText("Typed");
  await keys.press("ControlOrMeta+z");
  await expect(ada.title(stat)).toHaveText("Typed");
});

test("the keyboard goes back to where it was when what it is in goes", async ({ server, arrive }) => {
  const id = await server.dashboard("Focus");
  const ada = await arrive("Ada");
  const keys = ada.page.keyboard;
  await ada.open(id);
  const stat = await ada.add("stat");
  const title = ada.title(stat);
  const menu = ada.widget(stat).getByTestId("widget-menu");

  await title.focus();
  await keys.press("F2");
  await expect(ada.widget(stat).locator('input[data-testid="widget-title"]')).toBeFocused();
  await keys.press("Escape");
  await expect(title).toBeFocused();
  await keys.press("Escape");
  await expect(ada.page.getByTestId("inspector")).toHaveCount(0);

  await menu.focus();
  await keys.press("Enter");
  await ada.page.getByTestId("widget-options").focus();
  await keys.press("Enter");
  const close = ada.page.getByRole("button", { name: "Close the options" });
  await close.focus();
  await keys.press("Enter");
  await expect(ada.page.getByTestId("inspector")).toHaveCount(0);
  await expect(menu).toBeFocused();

  await ada.remove(stat);
  const opener = ada.page.getByTestId("activity-open");
  await opener.focus();
  await keys.press("Enter");
  const line = ada.page.getByTestId("activity-item").first();
  await line.getByRole("button", { name: "Restore" }).focus();
  await keys.press("Enter");
  await expect(line).toContainText("You brought back");
  await expect(ada.page.getByTestId("activity-item").nth(1).getByTitle("Show the widget")).toBeFocused();
  await keys.press("Escape");
  await expect(ada.page.getByTestId("activity")).toHaveCount(0);
  await expect(opener).toBeFocused();
});
