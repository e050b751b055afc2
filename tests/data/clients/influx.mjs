// InfluxDB's clients of version 1 and 2 for JavaScript: what programs do at their start, and writing.
// Takes the host, the port and the token.
import assert from "node:assert/strict";

import { HttpError, InfluxDB as InfluxDB2, Point } from "@influxdata/influxdb-client";
import influx from "influx";

const [host, port, token] = process.argv.slice(2);

const one = new influx.InfluxDB({ host, port: Number(port), username: "ada", password: token, database: "home" });
const [ping] = await one.ping(5_000);
assert(ping.online);
await one.createDatabase("home");
assert((await one.getDatabaseNames()).includes("lockstep"));
await one.writePoints([{ measurement: "js1", tags: { host: "a" }, fields: { value: 41.5 } }]);
await one.writePoints([{ measurement: "js1_s", fields: { value: 1 }, timestamp: new Date() }], { precision: "s" });
const wrong = new influx.InfluxDB({ host, port: Number(port), username: "ada", password: "wrong", database: "home" });
await assert.rejects(wrong.writePoints([{ measurement: "js1", fields: { value: 1 } }]), /token/);

const two = new InfluxDB2({ url: `http://${host}:${port}`, token });
const writer = two.getWriteApi("us", "home", "ms");
writer.writePoint(new Point("js2").tag("host", "a").floatField("value", 42.5));
await writer.close();
const failed = new InfluxDB2({ url: `http://${host}:${port}`, token }).getWriteApi("us", "home", "ms", {
  maxRetries: 0,
  writeFailed: (error) => {
    assert(error instanceof HttpError && error.statusCode === 400);
    return Promise.resolve();
  },
});
failed.writeRecord("wrong");
await failed.close();
