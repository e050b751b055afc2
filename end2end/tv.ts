// A TV that is to be paired.
import { expect } from "@playwright/test";
import { violations } from "./accessibility.ts";
import type { Person } from "./person.ts";

export const TV = { viewport: { width: 1920, height: 1080 } };

/** The code that a TV shows. */
export async function codeOf(tv: Person): Promise<string> {
  const code = (await tv.page.getByTestId("screen-code").innerText()).replace(/\s/g, "");
  expect(code).toMatch(/^[A-Z0-9]{6}$/);
  return code;
}

/** What axe says of the page with the code, which otherwise loads itself anew meanwhile. */
export async function violationsOfCode(tv: Person): Promise<string[]> {
  const page = await tv.context.newPage();
  await page.route("**/screen", async (route) => {
    const response = await route.fetch();
    const body = (await response.text()).replace(/<meta http-equiv="refresh"[^>]*>/, "");
    await route.fulfill({ response, body });
  });
  await page.goto("/screen");
  await expect(page.getByTestId("screen-code")).toBeVisible();
  const found = await violations(page);
  await page.close();
  return found;
}
