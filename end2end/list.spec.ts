// The list of dashboards: windows, search, order, tags and favourites, and news from others.
import { type Page } from "@playwright/test";
import { violations } from "./accessibility.ts";
import { keptCopy, opensOffline } from "./device.ts";
import { expect, test } from "./fixtures.ts";
import { Person } from "./person.ts";
import { Server } from "./server.ts";

const MANY = 300;
const WINDOW = 50;

/** A server with dashboards `Board 001` and so on, made in this order. */
async function full(count: number): Promise<Server> {
  const server = await Server.start();
  for (let n = 1; n <= count; n++) await server.dashboard(`Board ${String(n).padStart(3, "0")}`);
  return server;
}

const cards = (page: Page) => page.getByTestId("dashboard-card");
const card = (page: Page, title: string) => cards(page).filter({ has: page.getByRole("heading", { name: title }) });
const says = (page: Page) => page.getByTestId("list-says");

/** The titles in the order in which they show. */
const titles = (page: Page) => cards(page).locator("h2").allTextContents();

/** Presses Tab until the focus is on what is wanted. */
async function tabTo(page: Page, selector: string) {
  for (let presses = 0; presses < 400; presses++) {
    if (await page.evaluate((wanted) => document.activeElement?.matches(wanted) ?? false, selector)) return;
    await page.keyboard.press("Tab");
  }
  throw new Error(`the keyboard does not reach ${selector}`);
}

test.describe("with 300 dashboards", () => {
  let server: Server;
  test.beforeAll(async () => {
    server = await full(MANY);
  });
  test.afterAll(async () => {
    await server.stop();
  });

  test("windows come as the end of the list comes near, and each dashboard once", async ({ browser }) => {
    const ada = await Person.arrive(browser, server.url, "Ada");
    const page = ada.page;
    const html = await (await ada.context.request.get("/")).text();
    expect(html.split('data-testid="dashboard-card"').length - 1).toBe(WINDOW);
    await page.goto("/");
    // The sample is one more.
    await expect(says(page)).toHaveText(`${MANY + 1} dashboards`);
    await expect
      .poll(async () => {
        await page.evaluate(() => window.scrollTo(0, document.body.scrollHeight));
        return cards(page).count();
      })
      .toBe(MANY + 1);
    const all = await titles(page);
    expect(new Set(all).size).toBe(MANY + 1);
    expect(all.slice(0, 2)).toEqual(["Board 300", "Board 299"]);
    await expect(page.getByTestId("list-more")).toBeHidden();
    ada.expectQuiet();
    await ada.leave();
  });

  test("search is the server's, keeps the keyboard, and is in the address", async ({ browser }) => {
    const ada = await Person.arrive(browser, server.url, "Ada");
    const page = ada.page;
    await page.goto("/");
    const search = page.getByTestId("list-search");
    // The page's keys are there once its code is.
    await expect(page.getByTestId("new-dashboard").first()).toBeEnabled();
    await page.keyboard.press("/");
    await expect(search).toBeFocused();
    await page.keyboard.type("bOARD 07");
    await expect(says(page)).toHaveText("10 dashboards with “bOARD 07” in the title");
    await expect(cards(page)).toHaveCount(10);
    await expect(search).toBeFocused();
    expect(new URL(page.url()).searchParams.get("search")).toBe("bOARD 07");
    await page.getByTestId("list-order").selectOption("title");
    await expect.poll(async () => (await titles(page))[0]).toBe("Board 070");

    await page.reload();
    await expect(search).toHaveValue("bOARD 07");
    await expect(cards(page)).toHaveCount(10);
    expect((await titles(page))[0]).toBe("Board 070");
    await expect(page.getByTestId("list-order")).toHaveValue("title");

    await search.fill("no such board");
    await expect(cards(page)).toHaveCount(0);
    await expect(says(page)).toHaveText("No dashboards with “no such board” in the title");
    await page.getByTestId("list-all").click();
    await expect(cards(page)).toHaveCount(WINDOW);
    await expect(search).toHaveValue("");
    await expect(search).toBeFocused();
    expect(new URL(page.url()).search).toBe("?order=title");
    ada.expectQuiet();
    await ada.leave();
  });

  test("typing asks once it rests, and only the last answer shows", async ({ browser }) => {
    const ada = await Person.arrive(browser, server.url, "Ada");
    const asked: string[] = [];
    await ada.page.route(/dashboards\/list\?search=/, async (route) => {
      const search = new URL(route.request().url()).searchParams.get("search")!;
      asked.push(search);
      // The first answer comes last.
      if (asked.length === 1) await ada.page.waitForResponse((one) => one.url().includes("search=Board%20123"));
      await route.continue();
    });
    await ada.page.goto("/");
    const search = ada.page.getByTestId("list-search");
    await search.pressSequentially("Board");
    await expect.poll(() => asked).toContain("Board");
    await search.pressSequentially(" 123");
    await expect(cards(ada.page)).toHaveCount(1);
    await expect(says(ada.page)).toContainText("“Board 123”");
    expect(asked.length).toBeLessThan(9);
    await ada.leave();
  });

  test("a favourite is one after a reload, for its person alone", async ({ browser }) => {
    const ada = await Person.arrive(browser, server.url, "Ada");
    const grace = await Person.arrive(browser, server.url, "Grace");
    await ada.page.goto("/?search=Board%20299");
    const star = cards(ada.page).getByTestId("favourite");
    await expect(star).toHaveAttribute("aria-pressed", "false");
    const saved = ada.page.waitForResponse((one) => one.url().includes("/me/favourites/"));
    await star.click();
    await expect(star).toHaveAttribute("aria-pressed", "true");
    expect((await saved).status()).toBe(204);
    await ada.page.goto("/");
    await expect(card(ada.page, "Board 299").getByTestId("favourite")).toHaveAttribute("aria-pressed", "true");
    await ada.page.getByTestId("favourites-only").click();
    await expect(cards(ada.page)).toHaveCount(1);
    await expect(says(ada.page)).toHaveText("1 favourite");
    await ada.page.reload();
    await expect(cards(ada.page)).toHaveCount(1);
    await grace.page.goto("/?favourites=true");
    await expect(cards(grace.page)).toHaveCount(0);
    for (const person of [ada, grace]) {
      person.expectQuiet();
      await person.leave();
    }
  });

  test("all of it goes by keyboard, and axe finds nothing", async ({ browser }) => {
    const ada = await Person.arrive(browser, server.url, "Ada", { reducedMotion: "reduce" });
    const page = ada.page;
    await page.goto("/");
    await expect(page.getByTestId("new-dashboard").first()).toBeEnabled();
    expect(await violations(page)).toEqual([]);
    const second = cards(page).nth(1);
    const id = await second.getAttribute("data-dashboard");
    await tabTo(page, `[data-dashboard="${id}"] [data-testid="favourite"]`);
    await page.keyboard.press("Enter");
    await expect(second.getByTestId("favourite")).toHaveAttribute("aria-pressed", "true");

    await page.getByTestId("list-more").press("Enter");
    await expect.poll(() => cards(page).count()).toBeGreaterThan(WINDOW);

    const next = await cards(page).nth(2).getAttribute("data-dashboard");
    await page.getByTestId("list-search").focus();
    await tabTo(page, `[data-dashboard="${id}"] [data-testid="move-to-bin"]`);
    await page.keyboard.press("Enter");
    await expect(page.locator(`[data-testid="dashboard-card"][data-dashboard="${id}"]`)).toHaveCount(0);
    await expect(page.locator(`[data-dashboard="${next}"] a.cover`)).toBeFocused();
    await expect(page.getByTestId("toast")).toContainText("Moved to the bin");
    await page.keyboard.press("ControlOrMeta+z");
    await expect(cards(page).nth(1)).toHaveAttribute("data-dashboard", id!);
    expect(await violations(page)).toEqual([]);
    ada.expectQuiet();
    await ada.leave();
  });

  test("on a phone it is one column, and nothing hangs over", async ({ browser }) => {
    const ada = await Person.arrive(browser, server.url, "Ada", {
      viewport: { width: 390, height: 844 },
      hasTouch: true,
      isMobile: true,
    });
    const page = ada.page;
    for (const address of ["/", "/?search=Board%2001", "/bin"]) {
      await page.goto(address);
      expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(390);
    }
    await page.goto("/");
    const lefts = await cards(page).evaluateAll((all) => all.map((one) => Math.round(one.getBoundingClientRect().left)));
    expect(new Set(lefts).size).toBe(1);
    await expect(cards(page).first().getByTestId("move-to-bin")).toBeVisible();
    ada.expectQuiet();
    await ada.leave();
  });
});

test("tags are set on a dashboard, filter the list, and are undone and met as other settings", async ({ server, arrive }) => {
  const [id, other] = [await server.dashboard("Tagged"), await server.dashboard("Without")];
  const [ada, grace] = [await arrive("Ada"), await arrive("Grace")];
  await ada.open(id);
  await grace.open(id);
  await ada.page.getByTestId("settings-open").click();
  const input = ada.page.getByTestId("tag-input");
  await input.fill("ops");
  await input.press("Enter");
  await input.fill("eu west");
  await input.press("Enter");
  const tags = (person: Person) => person.page.getByTestId("tags").getByTestId("tag");
  await expect(tags(ada)).toHaveText(["ops", "eu west"]);
  await ada.saved();

  await grace.page.getByTestId("settings-open").click();
  await expect(tags(grace)).toHaveText(["ops", "eu west"]);
  await grace.page.getByTestId("tag-input").press("Backspace");
  await expect(tags(ada)).toHaveText(["ops"]);
  await grace.page.keyboard.press("Escape");
  await grace.page.keyboard.press("ControlOrMeta+z");
  await expect(tags(ada)).toHaveText(["ops", "eu west"]);
  await tags(ada).filter({ hasText: "eu west" }).getByTestId("tag-remove").click();
  await expect(tags(ada)).toHaveText(["ops"]);
  await expect(input).toBeFocused();
  await ada.saved();
  await grace.page.getByTestId("activity-open").click();
  await expect(grace.page.getByTestId("activity-item").first()).toContainText("set the tags to “ops”");

  await grace.page.goto(server.url);
  const mine = grace.page.locator(`[data-testid="dashboard-card"][data-dashboard="${id}"]`);
  await expect(mine.getByTestId("tag")).toHaveText("ops");
  await grace.page.locator('.filters [data-tag="ops"]').click();
  await expect(cards(grace.page)).toHaveCount(1);
  expect(new URL(grace.page.url()).searchParams.get("tag")).toBe("ops");
  await grace.page.reload();
  await expect(cards(grace.page)).toHaveCount(1);
  await grace.page.locator('.filters [data-tag="ops"]').click();
  await expect(grace.page.locator(`[data-testid="dashboard-card"][data-dashboard="${other}"]`)).toBeVisible();
});

test("a card draws its dashboard in small and changes where it stands", async ({ server, arrive }) => {
  const id = await server.dashboard("Drawn");
  const [ada, grace] = [await arrive("Ada"), await arrive("Grace")];
  await grace.page.goto(server.url);
  const mine = grace.page.locator(`[data-testid="dashboard-card"][data-dashboard="${id}"]`);
  await expect(mine.locator(".preview-tiles")).toHaveAttribute("d", "");
  const height = (await mine.boundingBox())!.height;
  await ada.open(id);
  await ada.add("timeseries");
  await ada.add("checklist");
  await ada.saved();
  await expect(mine.locator(".preview-curves")).not.toHaveAttribute("d", "");
  await expect(mine.locator(".preview-texts")).not.toHaveAttribute("d", "");
  await expect(mine).toContainText("Ada is here");
  expect((await mine.boundingBox())!.height).toBe(height);
});

test("nothing moves away from under the pointer until somebody asks", async ({ server, arrive }) => {
  const [first, second] = [await server.dashboard("First"), await server.dashboard("Second")];
  const ada = await arrive("Ada");
  await ada.page.goto(server.url);
  const at = async (id: string) => {
    const ids = await cards(ada.page).evaluateAll((all) => all.map((one) => one.getAttribute("data-dashboard")));
    return ids.indexOf(id);
  };
  expect([await at(second), await at(first)]).toEqual([0, 1]);
  // Who has the keyboard on a card is at it for as long as they are.
  await tabTo(ada.page, `[data-dashboard="${second}"] [data-testid="favourite"]`);
  const third = await server.dashboard("Third");
  await expect(ada.page.getByTestId("list-news")).toBeVisible();
  expect([await at(third), await at(second), await at(first)]).toEqual([-1, 0, 1]);
  await ada.page.getByTestId("list-news").click();
  await expect.poll(async () => [await at(third), await at(second), await at(first)]).toEqual([0, 1, 2]);
  await expect(ada.page.getByTestId("list-news")).toHaveCount(0);
});

test("what this device keeps is listed and searched without a server", async ({ server, arrive, line }) => {
  const cable = await line();
  const ada = await arrive("Ada", { line: cable, complains: /net::ERR_|Failed to load|WebSocket/ });
  for (const title of ["Kept orders", "Kept stock"]) {
    const id = await server.dashboard(title);
    await ada.open(id);
    const stat = await ada.add("stat");
    await ada.saved();
    await expect.poll(async () => (await keptCopy(ada.page, id))?.dashboard.widgets ?? {}).toHaveProperty(stat);
  }
  await opensOffline(ada.page);
  await ada.page.goto(cable.url);
  cable.cut();
  await ada.page.goto(`${cable.url}/?search=orders`);
  await expect(ada.page.getByText("These dashboards are kept on this device.")).toBeVisible();
  await expect(ada.page.getByTestId("list-search")).toHaveValue("orders");
  expect(await titles(ada.page)).toEqual(["Kept orders"]);
  await ada.page.getByTestId("list-search").fill("KEPT");
  await expect(cards(ada.page)).toHaveCount(2);
  cable.mend();
  await expect(ada.page.getByText("These dashboards are kept on this device.")).toBeHidden();
  await expect(says(ada.page)).toHaveText("2 dashboards with “KEPT” in the title");
});
