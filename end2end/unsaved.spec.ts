// What the server does not take stays in its author's hands.
import { expect, test } from "./fixtures.ts";
import { Person } from "./person.ts";
import { Server } from "./server.ts";

test("an edit that is refused is kept in view until its author dismisses it", async ({ browser }) => {
  const server = await Server.start({ LOCKSTEP_LIMIT_WIDGETS: "1" });
  try {
    const id = await server.dashboard("Full");
    const ada = await Person.arrive(browser, server.url, "Ada");
    await ada.open(id);
    const first = await ada.add("stat");
    await ada.saved();
    await ada.page.getByTestId("add-widget").click();
    await ada.page.getByTestId("add-widget-note").click();

    const kept = ada.page.getByTestId("unsaved-edit");
    await expect(kept).toHaveCount(1);
    await expect(kept).toContainText("New note: “Note”");
    await expect(kept).toContainText("The dashboard is full");
    await expect(ada.page.getByTestId("toast").last()).toContainText("Not saved.");
    await ada.page.getByTestId("toast").last().getByRole("button", { name: "Show" }).click();
    await expect(ada.page.getByTestId("unsaved")).toBeFocused();
    await kept.getByText("What it held").click();
    await expect(kept.locator("pre")).toBeVisible();
    await ada.saved();
    expect(await ada.ids()).toEqual([first]);
    expect(Object.keys((await server.read(id)).dashboard.widgets)).toEqual([first]);

    await ada.context.grantPermissions(["clipboard-read", "clipboard-write"]);
    await kept.getByTestId("unsaved-copy").click();
    await expect(kept.getByTestId("unsaved-copy")).toHaveText("Copied");
    expect(await ada.page.evaluate(() => navigator.clipboard.readText())).toContain('"kind": "note"');

    await kept.getByTestId("unsaved-dismiss").click();
    await expect(ada.page.getByTestId("unsaved")).toHaveCount(0);
    ada.expectQuiet();
    await ada.leave();
  } finally {
    await server.stop();
  }
});
