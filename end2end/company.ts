// A server on which people sign in, and what its people do before a test begins.
import { type Browser, type Page } from "@playwright/test";
import { expect, test as base } from "./fixtures.ts";
import { Person } from "./person.ts";
import { Server } from "./server.ts";

export const PASSWORD = "ochre-window-47-lantern";

/** A server on which people sign in. */
export class Company {
  constructor(
    readonly server: Server,
    private readonly browser: Browser,
  ) {}

  /** Somebody's browser, at an address of the server. */
  async visit(path: string, name: string, options: object = {}): Promise<Person> {
    const context = await this.browser.newContext({ baseURL: this.server.url, viewport: { width: 1280, height: 800 }, ...options });
    const person = Person.at(await context.newPage(), this.server.url, name);
    await person.page.goto(path);
    return person;
  }

  /** Where the first account is made, as the server's log says. */
  async setUpAddress(): Promise<string> {
    let address: string | undefined;
    const told = async () => (address = /http:\S+\/setup#\S+/.exec(this.server.said)?.[0]);
    await expect.poll(told, { message: "the log says where the first account is made" }).toBeTruthy();
    return address!;
  }

  /** Makes the first account. */
  async makeFirst({ page }: Person) {
    await expect(page.getByTestId("setup-token")).not.toHaveValue("");
    expect(page.url()).not.toContain("#");
    await fill(page, "ada@example.com", "Ada Admin");
    await page.getByTestId("set-up").click();
  }

  /** The first admin. */
  async setUp(): Promise<Person> {
    const admin = await this.visit(await this.setUpAddress(), "Ada Admin");
    await this.makeFirst(admin);
    await expect(admin.page.getByTestId("new-dashboard")).toBeVisible();
    return admin;
  }

  /** The address of an invitation to the team of everyone, as an admin makes it on their page. */
  async invite(admin: Person, role: string): Promise<string> {
    const made = await admin.context.request.post("/api/v1/admin/invitations", {
      data: { team: "everyone", role },
      headers: { origin: this.server.origin },
    });
    expect(made.status()).toBe(201);
    return new URL((await made.json()).address, this.server.url).href;
  }

  /** Somebody who followed an invitation. */
  async join(admin: Person, name: string, role: string): Promise<Person> {
    const person = await this.visit(await this.invite(admin, role), name);
    await fill(person.page, `${name.toLowerCase()}@example.com`, name);
    await person.page.getByTestId("join").click();
    await expect(person.page).toHaveURL(`${this.server.url}/`);
    return person;
  }
}

async function fill(page: Page, email: string, name?: string) {
  await page.getByTestId("sign-in-email").fill(email);
  if (name) await page.getByTestId("sign-in-name").fill(name);
  await page.getByTestId("sign-in-password").fill(PASSWORD);
}

export async function signIn(page: Page, email: string, password = PASSWORD) {
  await page.getByTestId("sign-in-email").fill(email);
  await page.getByTestId("sign-in-password").fill(password);
  await page.getByTestId("sign-in").click();
}

/** Opens a new dashboard of somebody, which the team of everyone owns. */
export async function newDashboard(person: Person, title: string): Promise<string> {
  const made = await person.context.request.post("/api/v1/dashboards", {
    data: { title },
    headers: { origin: new URL(person.page.url()).origin },
  });
  expect(made.status()).toBe(201);
  return (await made.json()).id;
}

export const test = base.extend<{ company: Company }>({
  company: async ({ browser }, use) => {
    const server = await Server.start({ LOCKSTEP_ACCESS: "accounts" });
    await use(new Company(server, browser));
    await server.stop();
  },
});

export { expect };
