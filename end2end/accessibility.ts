// What axe finds wrong with a page that has come to rest.
import AxeBuilder from "@axe-core/playwright";
import type { Page } from "@playwright/test";

/**
 * The violations that axe finds, one string each, with the elements; empty where there are none.
 *
 * What fades in or out has a contrast of its own at each moment, so it waits until nothing moves any more.
 * Animations without an end, and those that have not begun after their delay, are not waited for.
 */
export async function violations(page: Page, within?: string): Promise<string[]> {
  await page.waitForFunction(() =>
    document.getAnimations().every((one) => {
      const timing = one.effect?.getComputedTiming();
      return one.playState !== "running" || timing?.endTime === Infinity || timing?.progress === null;
    }),
  );
  const axe = new AxeBuilder({ page });
  const found = await (within ? axe.include(within) : axe).analyze();
  return found.violations.map((one) => {
    const where = one.nodes.map((node) => `${node.html} (${node.failureSummary})`);
    return `${one.id}: ${one.help}: ${where.join(" | ")}`;
  });
}
