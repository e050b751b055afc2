// A person at a browser: a context of their own, with what people do on a dashboard.
import { type Browser, type BrowserContext, expect, type Locator, type Page } from "@playwright/test";

export class Person {
  /** What the page complained about: console errors and exceptions. */
  readonly complaints: string[] = [];

  private constructor(
    readonly name: string,
    readonly context: BrowserContext,
    readonly page: Page,
    private readonly base: string,
  ) {
    page.on("console", (message) => {
      if (message.type() === "error") this.complaints.push(message.text());
    });
    page.on("pageerror", (error) => this.complaints.push(String(error)));
  }

  /** Opens a context in which this person has said their name. */
  static async arrive(browser: Browser, base: string, name: string, options = {}): Promise<Person> {
    const context = await browser.newContext({ baseURL: base, viewport: { width: 1280, height: 800 }, ...options });
    return Person.introduce(context, base, name);
  }

  /** Says a name in a context that is there. */
  static async introduce(context: BrowserContext, base: string, name: string): Promise<Person> {
    await context.request.get(base);
    const renamed = await context.request.put(`${base}/api/v1/me`, { data: { name }, headers: { origin: new URL(base).origin } });
    expect(renamed.ok(), `rename: ${renamed.status()}`).toBe(true);
    return Person.at(await context.newPage(), base, name);
  }

  /** Whoever has a page open. */
  static at(page: Page, base: string, name: string): Person {
    return new Person(name, page.context(), page, base);
  }

  /** Opens a dashboard and waits until its edits would be saved. */
  async open(dashboard: string) {
    await this.page.goto(`${this.base}/d/${dashboard}`);
    await this.saved();
  }

  get grid(): Locator {
    return this.page.getByTestId("grid");
  }

  get widgets(): Locator {
    return this.page.getByTestId("widget");
  }

  get sync(): Locator {
    return this.page.getByTestId("sync-status");
  }

  widget(id: string): Locator {
    return this.page.locator(`[data-testid="widget"][data-widget="${id}"]`);
  }

  title(id: string): Locator {
    return this.widget(id).getByTestId("widget-title");
  }

  async saved() {
    await expect(this.sync).toHaveAttribute("data-state", "saved", { timeout: 20_000 });
    await expect(this.sync).toHaveAttribute("data-pending", "0");
  }

  /** Ids of the widgets in the order in which they stand. */
  async ids(): Promise<string[]> {
    return this.widgets.evaluateAll((all) => all.map((one) => one.getAttribute("data-widget")!));
  }

  /** Adds a widget of a kind; its id. */
  async add(kind: "stat" | "timeseries" | "bar" | "gauge" | "table" | "note" | "checklist"): Promise<string> {
    const before = new Set(await this.ids());
    await this.page.getByTestId("add-widget").click();
    await this.page.getByTestId(`add-widget-${kind}`).click();
    let added: string | undefined;
    await expect
      .poll(async () => (added = (await this.ids()).find((id) => !before.has(id))), { message: "a new widget" })
      .toBeTruthy();
    await expect(this.widget(added!)).toHaveAttribute("data-kind", kind);
    return added!;
  }

  /** Begins to rename a widget in place and types, without ending it. */
  async beginTitle(id: string, title: string) {
    await this.title(id).dblclick();
    const input = this.widget(id).locator('input[data-testid="widget-title"]');
    await expect(input).toBeFocused();
    await this.page.keyboard.press("ControlOrMeta+a");
    await this.page.keyboard.type(title);
  }

  async rename(id: string, title: string) {
    await this.beginTitle(id, title);
    await this.page.keyboard.press("Enter");
    await expect(this.title(id)).toHaveText(title);
  }

  /**
   * Gives a title over the one that somebody else gave meanwhile, without having seen it. `mark` is another
   * widget, which they rename to say that theirs has come.
   */
  async titleOver(other: Person, id: string, titles: { mine: string; theirs: string }, mark: string, arrived = "Arrived") {
    await this.beginTitle(id, titles.mine);
    // On the other page the title goes on reading this draft, so there is no waiting for it to read theirs.
    await other.beginTitle(id, titles.theirs);
    await other.page.keyboard.press("Enter");
    // Edits arrive in order: with the second, this page has the first.
    await other.rename(mark, arrived);
    await expect(this.title(mark)).toHaveText(arrived);
    await this.page.keyboard.press("Enter");
  }

  /** Where a widget stands, in grid units. */
  async frame(id: string): Promise<{ x: number; y: number; w: number; h: number }> {
    const read = async (name: string) => Number(await this.widget(id).getAttribute(`data-${name}`));
    return { x: await read("x"), y: await read("y"), w: await read("w"), h: await read("h") };
  }

  /** Pulls a handle of a widget by some columns and rows, in steps as a hand does. */
  async pull(id: string, handle: "widget-drag" | "widget-resize", columns: number, rows: number) {
    await this.grab(id, handle, columns, rows);
    await this.page.mouse.up();
  }

  /** As `pull`, still held at the end. */
  async grab(id: string, handle: "widget-drag" | "widget-resize", columns: number, rows: number) {
    await this.widget(id).hover();
    const grip = await box(this.widget(id).getByTestId(handle));
    const grid = await box(this.grid);
    const tile = await box(this.widget(id));
    const frame = await this.frame(id);
    // From the tile itself, so that gaps and padding are in the measure.
    const column = grid.width / 24;
    const row = tile.height / frame.h;
    const [x, y] = [grip.x + grip.width / 2, grip.y + grip.height / 2];
    await this.page.mouse.move(x, y);
    await this.page.mouse.down();
    await this.page.mouse.move(x + columns * column, y + rows * row, { steps: 12 });
  }

  /** The text field of a note, focused. */
  async note(id: string): Promise<Locator> {
    const text = this.widget(id).locator("textarea");
    await text.focus();
    await expect(text).toBeFocused();
    return text;
  }

  /** Removes a widget by its own button, or by the menu that holds it. */
  async remove(id: string) {
    await this.widget(id).hover();
    const button = this.widget(id).getByTestId("widget-remove");
    if (!(await button.isVisible())) await this.widget(id).getByTestId("widget-menu").click();
    await button.click();
    await expect(this.widget(id)).toHaveCount(0);
  }

  /** Moves the pointer to a place of a widget, in its unit square. */
  async point(id: string, x: number, y: number) {
    const tile = await box(this.widget(id));
    await this.page.mouse.move(tile.x + tile.width * x, tile.y + tile.height * y, { steps: 4 });
  }

  /** Another person's cursor as it shows here. */
  cursorOf(other: Person): Locator {
    return this.page.getByTestId("cursor").filter({ hasText: other.name });
  }

  /** Another person's avatar as it shows here. */
  collaborator(other: Person): Locator {
    return this.page.locator(`[data-testid="collaborator"][aria-label^="${other.name}"]`);
  }

  /** Fails where the page complained, other than about what the test did to it. */
  expectQuiet(expected?: RegExp) {
    expect(this.complaints.filter((text) => !expected?.test(text))).toEqual([]);
  }

  async leave() {
    await this.context.close();
  }
}

export async function box(locator: Locator) {
  await locator.scrollIntoViewIfNeeded();
  const found = await locator.boundingBox();
  if (!found) throw new Error(`${locator} does not show`);
  return found;
}
