// A person's keyboard.
import type { Page } from "@playwright/test";

/** Presses Tab until the focus is on what is wanted. */
export async function tabTo(page: Page, selector: string) {
  for (let presses = 0; presses < 120; presses++) {
    if (await page.evaluate((wanted) => document.activeElement?.matches(wanted) ?? false, selector)) return;
    await page.keyboard.press("Tab");
  }
  throw new Error(`the keyboard does not reach ${selector}`);
}

/** The same for an element by its test id. */
export async function tabToId(page: Page, testid: string) {
  await tabTo(page, `[data-testid="${testid}"]`);
}

/** Goes to an element and presses it. */
export async function pressId(page: Page, testid: string) {
  await tabToId(page, testid);
  await page.keyboard.press("Enter");
}

/** Goes to a field and types over what it has. */
export async function typeInto(page: Page, testid: string, text: string) {
  await tabToId(page, testid);
  await page.keyboard.press("ControlOrMeta+a");
  await page.keyboard.type(text);
}
