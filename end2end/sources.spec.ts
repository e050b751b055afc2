// Databases and servers that answer with JSON as sources: their series, values and errors, as people see them.
import { execFileSync } from "node:child_process";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { fileURLToPath } from "node:url";
import { expect, test } from "./fixtures.ts";
import { Person } from "./person.ts";
import { Server } from "./server.ts";
import { push } from "./wall.ts";

const PYTHON = fileURLToPath(new URL("../.venv/bin/python", import.meta.url));
const READINGS = `
import sqlite3, sys, time
with sqlite3.connect(sys.argv[1]) as lab:
    lab.execute("CREATE TABLE readings (at INTEGER, room TEXT, celsius REAL)")
    now = int(time.time())
    rooms = {"hall": 19.5, "attic": 31.0}
    rows = [(now - 60 * n, room, celsius) for n in range(10) for room, celsius in rooms.items()]
    lab.executemany("INSERT INTO readings VALUES (?, ?, ?)", rows)
`;

test("series of a database and of a server with JSON have their labels, their values and their errors", async ({
  browser,
}, info) => {
  const lab = info.outputPath("lab.db");
  execFileSync(PYTHON, ["-c", READINGS, lab]);
  let watts = 120;
  const house = createServer((request, response) => {
    const found = request.url === "/api/rooms";
    response.writeHead(found ? 200 : 404, { "content-type": "application/json" });
    const rooms = [
      { name: "hall", watts },
      { name: "attic", watts: 7 },
    ];
    response.end(JSON.stringify(found ? { rooms } : { error: "There is no such room." }));
  });
  await new Promise<void>((listening) => house.listen(0, "127.0.0.1", listening));
  const server = await Server.start({
    LOCKSTEP_SQL: `lab=sqlite:${lab}`,
    LOCKSTEP_HTTP: `house=http://127.0.0.1:${(house.address() as AddressInfo).port}/api`,
  });
  try {
    const ada = await Person.arrive(browser, server.url, "Ada");
    const id = await server.dashboard("House");
    await ada.open(id);
    const add = (name: string, kind: string, y: number, options: object) => ({
      op: "add_widget",
      id: name,
      widget: { kind, title: name, frame: { x: 0, y, w: 12, h: 6 }, options },
    });
    await push(ada.page, id, [
      { op: "set_dashboard", field: "refresh", value: 5 },
      add("rooms", "timeseries", 0, {
        source: "lab",
        query: "SELECT at AS time, room, celsius FROM readings\nWHERE at BETWEEN $from AND $to",
      }),
      add("power", "stat", 6, {
        source: "house",
        query: "/rooms\nvalue: $.rooms[*].watts\nname: $.rooms[*].name",
        each: true,
      }),
      add("broken", "stat", 12, { source: "lab", query: "SELECT celsius FROM cellar" }),
      add("lost", "stat", 18, { source: "house", query: "/garden\nvalue: $.watts" }),
    ]);
    const legend = ada.widget("rooms").getByTestId("legend-series");
    await expect(legend).toHaveText(["room=hall", "room=attic"]);
    await expect(ada.widget("rooms").locator("canvas")).toHaveCount(1);

    const numbers = ada.widget("power").getByTestId("stats");
    await expect(numbers).toContainText("hall");
    await expect(numbers).toContainText("120");
    await expect(numbers).toContainText("attic");
    watts = 240;
    await expect(numbers).toContainText("240");

    const says = (widget: string) => ada.widget(widget).getByTestId("freshness");
    await expect(says("broken")).toHaveAttribute("title", /^lab .* no such table: cellar/);
    await expect(ada.widget("broken").getByTestId("widget-empty")).toContainText("no such table: cellar");
    await expect(ada.widget("lost").getByTestId("widget-empty")).toContainText(/404.*There is no such room\./);
    await expect(says("power")).toHaveAttribute("data-fresh", "live");

    // The field of the query keeps its lines, and what is mended shows.
    await ada.widget("broken").hover();
    await ada.widget("broken").getByTestId("widget-menu").click();
    await ada.page.getByTestId("widget-options").click();
    const query = ada.page.getByTestId("field-query");
    await query.fill("SELECT max(celsius) AS celsius\nFROM readings");
    await query.press("Control+Enter");
    await expect(ada.widget("broken")).toContainText("31");
    await ada.saved();
    expect((await server.read(id)).dashboard.widgets.broken.options.query).toContain("celsius\nFROM");
    await ada.context.close();
  } finally {
    await server.stop();
    house.close();
  }
});
