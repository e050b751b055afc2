// What a key costs the page's main thread in a note that was written in for years, with the CPU slowed four times.
// Run by `make bench` only.
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

  const cdp = await ada.context.newCDPSession(ada.page);
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
      if (press) await ada.page.keyboard.press(n % 2 ? "x" : "Backspace");
      await ada.page.waitForTimeout(BETWEEN_MS);
      times.push((await spent()) - before);
    }
  }
  const at = (times: number[], share: number) => [...times].sort((a, b) => a - b)[Math.floor(times.length * share)].toFixed(1);
  const base64 = text.state.length;
  console.log(
    `\na key in a note of ${text.plain.length} characters (state of ${Math.round((base64 * 3) / 4)} bytes), CPU slowed 4 times: ` +
      `main thread p50 ${at(keys, 0.5)} ms, p95 ${at(keys, 0.95)} ms (wanted 8), most ${at(keys, 0.999)} ms; ` +
      `without a key in the same time p50 ${at(idle, 0.5)} ms, p95 ${at(idle, 0.95)} ms`,
  );
});
