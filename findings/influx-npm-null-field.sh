#!/usr/bin/env bash
# influx (npm): a field that is null or undefined is written as that word, and the server refuses all of the line.
#
# Expected: a field without a value, which the client's types allow (fields are of any type), is left out of the point, or is
#   refused before it is sent; line protocol has no null.
# Happens: the line says `load=null` or `load=undefined`. InfluxDB refuses such a line with its other fields, and the promise
#   of the whole batch is rejected, although the other lines were written: sent again, it fails again.
# Who is hurt: collectors that read sensors of which one does not answer: the others of that moment are lost, too.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
npm init --yes >/dev/null
npm install --silent --no-fund --no-audit influx@5.12.0
cat > show.cjs <<'EOF'
const assert = require("assert");
const http = require("http");
const { InfluxDB } = require("influx");
console.log("influx", require("influx/package.json").version, "node", process.version);
const server = http.createServer((request, response) => {
  let body = "";
  request.on("data", (part) => (body += part));
  request.on("end", () => {
    if (request.url.startsWith("/write")) {
      console.log("sent:", JSON.stringify(body));
      assert.strictEqual(
        body,
        "room,site=a door=true,load=null 1\nroom,site=a door=false,load=undefined 2",
        "CHANGED",
      );
    }
    response.writeHead(204).end();
  });
});
server.listen(0, "127.0.0.1", async () => {
  const influx = new InfluxDB({ host: "127.0.0.1", port: server.address().port, database: "d" });
  const point = (door, load, timestamp) => ({
    measurement: "room",
    tags: { site: "a" },
    fields: { door, load },
    timestamp,
  });
  try {
    await influx.writePoints([point(true, null, 1), point(false, undefined, 2)], { precision: "ms" });
  } finally {
    server.close();
  }
});
EOF
node show.cjs
