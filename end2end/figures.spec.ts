// Live figures: what is seen is drawn, what is not seen is true all the same.
import { expect, test } from "./fixtures.ts";
import { fill } from "./wall.ts";

const WIDGETS = 60;

test("a course off the screen is drawn when it comes into sight, and stays at the newest point", async ({
  server,
  arrive,
}) => {
  const id = await server.dashboard("Tall");
  const ada = await arrive("Ada");
  await ada.page.goto(`${server.url}/status`);
  await fill(ada.page, id, WIDGETS, true);
  await ada.open(id);
  await expect(ada.widgets).toHaveCount(WIDGETS);
  const course = (widget: string) => ada.widget(widget).locator(".spark .line");
  // The numbers show the processor time, which is another one each second.
  const [above, chartAbove, below, chartBelow] = ["w0", "w3", "w56", "w58"];

  await expect(course(above)).toHaveAttribute("d", /^M/);
  await expect(ada.widget(chartAbove).locator("canvas")).toHaveCount(1);
  await expect(ada.widget(below).locator(".number")).toHaveText(/\d/);
  await expect(course(below)).not.toHaveAttribute("d");
  await expect(ada.widget(chartBelow).locator("canvas")).toHaveCount(0);

  await ada.widget(chartBelow).scrollIntoViewIfNeeded();
  await expect(course(below)).toHaveAttribute("d", /^M/);
  await expect(ada.widget(chartBelow).locator("canvas")).toHaveCount(1);

  // Each draws every new point while it is seen, and none while it is not.
  const left = await course(above).getAttribute("d");
  const first = await course(below).getAttribute("d");
  await expect(course(below)).not.toHaveAttribute("d", first!);
  expect(await course(above).getAttribute("d")).toBe(left);
  await ada.widget(above).scrollIntoViewIfNeeded();
  await expect(course(above)).not.toHaveAttribute("d", left!);
});
