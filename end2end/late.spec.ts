// Code that comes late takes no key from anybody.
import { expect, test } from "./fixtures.ts";
import type { Person } from "./person.ts";

/** Keeps the code of the page's parts away from a person until it is let through. */
async function late(person: Person): Promise<() => void> {
  let through = () => {};
  const open = new Promise<void>((done) => (through = done));
  await person.page.route(/split_parts\.wasm/, async (route) => {
    await open;
    await route.continue();
  });
  return through;
}

// What a service worker answers passes no route.
const alone = { context: { serviceWorkers: "block" } };

test("what is typed before the palette's code is there is for the palette, in order", async ({ server, arrive }) => {
  const id = await server.dashboard("Late palette");
  const ada = await arrive("Ada", alone);
  const through = await late(ada);
  const keys = ada.page.keyboard;
  await ada.open(id);
  await keys.press("ControlOrMeta+k");
  await keys.type("add numbre");
  await keys.press("Backspace");
  await keys.press("Backspace");
  await keys.type("er");
  await keys.press("Enter");
  await expect(ada.widgets).toHaveCount(0);
  through();
  await expect(ada.widgets).toHaveCount(1);
  await expect(ada.page.getByRole("dialog", { name: "Commands" })).toBeHidden();
});

test("keys are kept for a dialog and for a panel that are on their way", async ({ server, arrive }) => {
  const id = await server.dashboard("Late dialog");
  const ada = await arrive("Ada", alone);
  const through = await late(ada);
  const keys = ada.page.keyboard;
  await ada.open(id);
  await keys.press("m");
  await keys.type("Deployed 4.2");
  await keys.press("Enter");
  through();
  await expect.poll(async () => Object.values((await server.read(id)).dashboard.settings ?? {})).toContainEqual(
    expect.objectContaining({ text: "Deployed 4.2" }),
  );
});

test("Escape before the palette is there closes it, and keys after it are the page's own", async ({ server, arrive }) => {
  const id = await server.dashboard("Late escape");
  const ada = await arrive("Ada", alone);
  const through = await late(ada);
  await ada.open(id);
  await ada.page.keyboard.press("ControlOrMeta+k");
  await ada.page.keyboard.type("zebra");
  await ada.page.keyboard.press("Escape");
  through();
  await expect(ada.page.getByTestId("commands-open")).toBeEnabled();
  await expect(ada.page.getByRole("dialog", { name: "Commands" })).toBeHidden();
  await ada.page.keyboard.press("ControlOrMeta+k");
  await expect(ada.page.getByRole("combobox")).toHaveValue("");
});

test("a title takes what is typed right after F2", async ({ server, arrive }) => {
  const id = await server.dashboard("Quick title");
  const ada = await arrive("Ada");
  await ada.open(id);
  const stat = await ada.add("stat");
  await ada.title(stat).focus();
  await ada.page.keyboard.press("F2");
  await ada.page.keyboard.type("Orders");
  await ada.page.keyboard.press("Enter");
  await expect(ada.title(stat)).toHaveText("Orders");
});
