// What a chart says of single series, its right axis, and charts as heat maps.
import { violations } from "./accessibility.ts";
import { expect, test } from "./fixtures.ts";
import { push } from "./wall.ts";

const ROWS = "time,requests,errors\n2026-11-22T10:00:00Z,120,3\n2026-11-22T10:01:00Z,140,5\n2026-11-22T10:02:00Z,90,2";

const chart = (options: object) => ({
  kind: "timeseries",
  title: "Requests",
  frame: { x: 0, y: 0, w: 12, h: 9 },
  options: { source: "table", data: ROWS, ...options },
});

test("what is said of single series shows to everybody while it is typed", async ({ server, arrive }) => {
  const id = await server.dashboard("Lines");
  const [ada, grace] = [await arrive("Ada"), await arrive("Grace")];
  await ada.open(id);
  await push(ada.page, id, [{ op: "add_widget", id: "c", widget: chart({}) }]);
  await grace.open(id);
  const legend = grace.widget("c").getByTestId("legend-series");
  await expect(legend).toHaveText(["requests", "errors"]);

  await ada.widget("c").hover();
  await ada.widget("c").getByTestId("widget-menu").click();
  await ada.page.getByTestId("widget-options").click();
  const lines = ada.page.getByTestId("field-lines");
  await lines.fill("errors = right, red, unit ms, as Failed");
  await expect(legend.nth(1)).toContainText("Failed");
  await expect(legend.nth(1)).toContainText("(right)");
  await expect(grace.widget("c").locator(".legend tr").nth(2)).toContainText("2 ms");
  await lines.fill("errors = hidden");
  await expect(legend.nth(1)).toHaveAttribute("aria-pressed", "false");
  await lines.press("ControlOrMeta+Enter");
  await ada.saved();

  // Who wants to see it does, and nobody else.
  await legend.nth(1).click();
  await expect(legend.nth(1)).toHaveAttribute("aria-pressed", "true");
  await expect(ada.widget("c").getByTestId("legend-series").nth(1)).toHaveAttribute("aria-pressed", "false");
  await expect(grace.widget("c").locator("canvas")).toBeVisible();
  expect(await violations(grace.page)).toEqual([]);
});

test("a histogram is a heat map with its scale, its rows and the value under the pointer", async ({ server, arrive }) => {
  const id = await server.dashboard("Heat");
  const ada = await arrive("Ada");
  await ada.open(id);
  const data = "time,0.1,0.5,+Inf\n2026-11-22T10:00:00Z,2,6,9\n2026-11-22T10:01:00Z,1,1,4\n2026-11-22T10:02:00Z,5,8,8";
  await push(ada.page, id, [{ op: "add_widget", id: "h", widget: chart({ data, style: "heatmap", row_unit: "s" }) }]);
  const map = ada.widget("h").getByTestId("heat-map");
  await expect(map.locator(".legend th[scope=row]")).toHaveText(["> 500 ms", "≤ 500 ms", "≤ 100 ms"]);
  await expect(map.locator(".legend td.last")).toHaveText(["0", "3", "5"]);
  await expect(map.getByTestId("heat-scale")).toContainText("5");
  const over = map.locator(".u-over");
  await expect(over).toBeVisible();
  const box = (await over.boundingBox())!;
  await ada.page.mouse.move(box.x + 4, box.y + box.height - 4);
  await expect(map.getByTestId("heat-scale").locator("b")).toHaveText("≤ 100 ms: 2");
  expect(await violations(ada.page)).toEqual([]);

  // Another style of the same chart, and back.
  await push(ada.page, id, [{ op: "set", id: "h", field: "style", value: "line" }]);
  await expect(map).toHaveCount(0);
  await expect(ada.widget("h").getByTestId("legend-series")).toHaveCount(3);
});
