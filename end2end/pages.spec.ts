// What anybody can rely on of every page: it opens, fits, is accessible, and does not complain.
import { violations } from "./accessibility.ts";
import { expect, test } from "./fixtures.ts";

/** The address of the sample dashboard that the first start makes. */
async function sample(url: string): Promise<string> {
  const all = await (await fetch(`${url}/api/v1/dashboards`)).json();
  const list = Array.isArray(all) ? all : all.dashboards;
  return list[list.length - 1].id;
}

for (const scheme of ["light", "dark"] as const) {
  test(`axe finds nothing on any page, ${scheme}`, async ({ server, arrive }) => {
    const ada = await arrive("Ada", { context: { colorScheme: scheme, reducedMotion: "reduce" } });
    const id = await server.dashboard(`Accessible ${scheme}`);
    await ada.open(id);
    const stat = await ada.add("stat");
    await ada.add("timeseries");
    await ada.add("note");
    await ada.saved();
    const check = async (where: string) => {
      expect(await violations(ada.page), where).toEqual([]);
    };
    await ada.page.getByTestId("activity-open").click();
    await expect(ada.page.getByTestId("activity-item").first()).toBeVisible();
    await check("activity");
    await ada.page.getByTestId("commands-open").click();
    await expect(ada.page.getByTestId("command").first()).toBeVisible();
    await check("command palette");
    await ada.page.keyboard.press("Escape");
    await ada.page.getByTestId("activity-open").click();
    await ada.widget(stat).click();
    await expect(ada.page.getByTestId("inspector")).toBeVisible();
    const binned = await server.dashboard("In the bin");
    await server.remove(binned);
    const pages = [`/d/${await sample(server.url)}`, "/", "/bin", `/d/${binned}`, "/status", "/no-such-page"];
    for (const address of [null, ...pages]) {
      if (address) await ada.page.goto(server.url + address);
      if (address?.startsWith("/d/") && !address.endsWith(binned)) await ada.saved();
      await check(address ?? `/d/${id}`);
    }
    // A page that is not there answers 404, which Chromium writes to the console.
    ada.complaints.splice(0, ada.complaints.length, ...ada.complaints.filter((text) => !/status of 404/.test(text)));
  });
}

test("no page scrolls sideways, from phone to wall", async ({ server, arrive }) => {
  const ada = await arrive("Ada");
  const id = await sample(server.url);
  for (const width of [320, 390, 768, 1280, 2560]) {
    await ada.page.setViewportSize({ width, height: 800 });
    for (const address of ["/", `/d/${id}`, "/bin", "/status"]) {
      await ada.page.goto(server.url + address);
      if (address.startsWith("/d/")) await ada.saved();
      const excess = await ada.page.evaluate(
        () => document.documentElement.scrollWidth - document.documentElement.clientWidth,
      );
      expect(excess, `${address} at ${width} px`).toBeLessThanOrEqual(0);
    }
  }
});

test("a phone shows one column and changes no frame", async ({ server, arrive }) => {
  const ada = await arrive("Ada", { context: { viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true } });
  const id = await sample(server.url);
  const before = await server.read(id);
  await ada.open(id);
  const lefts = await ada.widgets.evaluateAll((all) => all.map((one) => Math.round(one.getBoundingClientRect().left)));
  expect(new Set(lefts).size).toBe(1);
  expect((await server.read(id)).dashboard).toEqual(before.dashboard);
});

test("the page is readable before WebAssembly has loaded", async ({ server, browser }) => {
  const context = await browser.newContext({ javaScriptEnabled: false });
  const page = await context.newPage();
  const id = await server.dashboard("Readable");
  await page.goto(`${server.url}/d/${id}`);
  await expect(page.getByTestId("dashboard-title")).toContainText("Readable");
  await page.goto(server.url);
  await expect(page.locator(`[data-testid="dashboard-card"][data-dashboard="${id}"]`)).toContainText("Readable");
  await context.close();
});

test("the sample dashboard shows this server's figures", async ({ server, arrive }) => {
  const ada = await arrive("Ada");
  await ada.open(await sample(server.url));
  const stats = ada.page.locator('[data-testid="widget"][data-kind="stat"]');
  await expect(stats.first()).toContainText(/\d/);
  await expect(ada.page.locator('[data-testid="widget"][data-kind="timeseries"] canvas').first()).toBeVisible();
});

test("a new dashboard is made on the page, and shows who is in it", async ({ server, arrive }) => {
  const [ada, grace] = [await arrive("Ada"), await arrive("Grace")];
  await ada.page.goto(server.url);
  await ada.page.getByTestId("new-dashboard").first().click();
  await ada.page.waitForURL(/\/d\//);
  await ada.saved();
  const id = new URL(ada.page.url()).pathname.split("/").pop();
  await grace.page.goto(server.url);
  const card = grace.page.locator(`[data-testid="dashboard-card"][data-dashboard="${id}"]`);
  await expect(card).toContainText("Ada").catch(() => expect(card.locator('[title*="Ada"], [aria-label*="Ada"]')).toBeVisible());
});

test("options change in the side panel, and show on the other side", async ({ server, arrive }) => {
  const id = await server.dashboard("Options");
  const [ada, grace] = [await arrive("Ada"), await arrive("Grace")];
  await ada.open(id);
  const stat = await ada.add("stat");
  await grace.open(id);
  await ada.page.keyboard.press("Escape");
  await ada.widget(stat).click();
  const unit = ada.page.getByTestId("inspector").getByTestId("field-unit");
  await unit.fill("orders");
  await unit.press("Enter");
  await ada.saved();
  expect((await server.read(id)).dashboard.widgets[stat].options.unit).toBe("orders");
  const title = ada.page.getByTestId("inspector").getByTestId("field-title");
  await title.fill("From the panel");
  await title.press("Enter");
  await expect(grace.title(stat)).toHaveText("From the panel");
});

test("the dashboard's own title is edited in place", async ({ server, arrive }) => {
  const id = await server.dashboard("Old name");
  const [ada, grace] = [await arrive("Ada"), await arrive("Grace")];
  await ada.open(id);
  await grace.open(id);
  await ada.page.getByTestId("dashboard-title").dblclick();
  await ada.page.keyboard.press("ControlOrMeta+a");
  await ada.page.keyboard.type("New name");
  await ada.page.keyboard.press("Enter");
  await expect(grace.page.getByTestId("dashboard-title")).toContainText("New name");
});

test("the status page tells each service's state", async ({ server, arrive }) => {
  const ada = await arrive("Ada");
  await ada.page.goto(`${server.url}/status`);
  const store = ada.page.locator('[data-testid="service"][data-service="store"]');
  await expect(store).toHaveAttribute("data-state", "ok");
});
