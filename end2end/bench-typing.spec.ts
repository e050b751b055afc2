// What a key costs the page's main thread in a note that was written in for years, with the CPU slowed four times,
// beside the same key in a bare text field of a page without a script. Run by `make bench` only.
import type { Locator, Page } from "@playwright/test";
import { expect, test } from "./fixtures.ts";

const WORDS = 400;
const REPLACED = 10_000;
const KEYS = 300;
const BETWEEN_MS = 120;

test(`${KEYS} keys in a note in which ${REPLACED} words were replaced`, async ({ server, arrive }) => {
  test.setTimeout(300_000);
  const id = await server.dashboard("Runbook");
  const [ada, grace] = [await arrive("Ada"), await arrive("Grace")];
  await ada.open(id);
  const note = await ada.add("note");
  const field = await ada.note(note);
  await ada.page.keyboard.insertText("word ".repeat(WORDS));
  await grace.open(id);
  // Somebody else's caret is in it, as it often is.
  await grace.note(note);
  await field.evaluate(
    async (field: HTMLTextAreaElement, { words, replaced }) => {
      for (let n = 0; n < replaced; n++) {
        const at = ((n * 73) % words) * 5;
        field.setRangeText(n % 2 ? "word" : "past", at, at + 4, "end");
        field.dispatchEvent(new InputEvent("input", { bubbles: true }));
        if (n % 10 === 9) await new Promise((drawn) => requestAnimationFrame(drawn));
      }
    },
    { words: WORDS, replaced: REPLACED },
  );
  await ada.saved();
  const { text } = (await server.read(id)).dashboard.widgets[note];
  expect(text.generation, "it was compacted on the way").toBeTruthy();

  const keys = await cost(ada.page, field);
  const bare = await ada.context.newPage();
  await bare.goto("about:blank");
  await bare.setContent('<textarea style="width: 400px; height: 600px"></textarea>');
  await bare.locator("textarea").fill(text.plain);
  await bare.locator("textarea").focus();
  const floor = await cost(bare, bare.locator("textarea"));
  const base64 = text.state.length;
  console.log(
    `\na key in a note of ${text.plain.length} characters (state of ${Math.round((base64 * 3) / 4)} bytes), CPU slowed 4 times: ` +
      `main thread ${keys.key} (wanted 8 at p95), without a key in the same time ${keys.none}; ` +
      `a bare text field ${floor.key}, without a key ${floor.none}`,
  );
});

/** Milliseconds of the main thread for a key, and for as long without one, in words. */
async function cost(page: Page, field: Locator): Promise<{ key: string; none: string }> {
  const cdp = await page.context().newCDPSession(page);
  await cdp.send("Performance.enable");
  await cdp.send("Emulation.setCPUThrottlingRate", { rate: 4 });
  const spent = async () => {
    const { metrics } = await cdp.send("Performance.getMetrics");
    return metrics.find(({ name }) => name === "TaskDuration")!.value * 1000;
  };
  // What the page does by itself meanwhile, and what asking costs.
  const idle: number[] = [];
  const keys: number[] = [];
  for (let n = 0; n < KEYS; n++) {
    for (const [times, press] of [
      [idle, false],
      [keys, true],
    ] as const) {
      const before = await spent();
      if (press && n % 10 === 9) await field.evaluate((field: HTMLTextAreaElement, at) => field.setSelectionRange(at, at), n * 6);
      if (press) await page.keyboard.press(n % 2 ? "x" : "Backspace");
      await page.waitForTimeout(BETWEEN_MS);
      times.push((await spent()) - before);
    }
  }
  await cdp.send("Emulation.setCPUThrottlingRate", { rate: 1 });
  const words = (times: number[]) => {
    const at = (share: number) => times.sort((a, b) => a - b)[Math.floor(times.length * share)].toFixed(1);
    return `p50 ${at(0.5)} ms, p95 ${at(0.95)} ms, most ${at(0.999)} ms`;
  };
  return { key: words(keys), none: words(idle) };
}
