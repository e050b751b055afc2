// What every test stands on: a server for the worker, and people who leave at the end.
import { test as base } from "@playwright/test";
import { Person } from "./person.ts";
import { rooted } from "./front.ts";
import { Line } from "./proxy.ts";
import { Server } from "./server.ts";

type Test = {
  /** Brings a person with a browser context of their own; they leave when the test ends. */
  arrive: (name: string, options?: { line?: Line; context?: object; complains?: RegExp }) => Promise<Person>;
  /** Ada and Grace on a new dashboard, with as many numbers on it, which Ada added and the server has. */
  pair: (title: string, numbers: number) => Promise<{ ada: Person; grace: Person; stats: string[] }>;
  /** A line to the server that can be cut. */
  line: () => Promise<Line>;
};

export const test = base.extend<Test, { server: Server }>({
  browser: [async ({ browser }, use) => use(rooted(browser)), { scope: "worker" }],

  server: [
    async ({}, use) => {
      const server = await Server.start();
      await use(server);
      await server.stop();
    },
    { scope: "worker" },
  ],

  arrive: async ({ browser, server }, use, info) => {
    const people: { person: Person; complains?: RegExp }[] = [];
    await use(async (name, options = {}) => {
      const person = await Person.arrive(browser, options.line?.url ?? server.url, name, options.context);
      people.push({ person, complains: options.complains });
      return person;
    });
    const held = info.status === info.expectedStatus;
    if (!held) await info.attach("server log", { body: server.said, contentType: "text/plain" });
    for (const { person, complains } of people) {
      if (!held) await info.attach(`${person.name} complained`, { body: person.complaints.join("\n") });
      else person.expectQuiet(complains);
      await person.leave();
    }
  },

  pair: async ({ server, arrive }, use) => {
    await use(async (title, numbers) => {
      const id = await server.dashboard(title);
      const [ada, grace] = [await arrive("Ada"), await arrive("Grace")];
      await ada.open(id);
      const stats: string[] = [];
      while (stats.length < numbers) stats.push(await ada.add("stat"));
      await ada.page.keyboard.press("Escape");
      await ada.saved();
      await grace.open(id);
      return { ada, grace, stats };
    });
  },

  line: async ({ server }, use) => {
    const lines: Line[] = [];
    await use(async () => {
      const line = await Line.to(server.url);
      lines.push(line);
      return line;
    });
    for (const line of lines) await line.close();
  },
});

export { expect } from "@playwright/test";
