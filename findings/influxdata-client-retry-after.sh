#!/usr/bin/env bash
# @influxdata/influxdb-client takes the seconds of Retry-After for milliseconds.
#
# Expected: after 429 or 503 with "Retry-After: 2" the next try comes two seconds later: RFC 9110 gives the header in
#   seconds, and InfluxDB sends it with both answers.
# Happens: it comes 2 ms later (and up to 200 ms of jitter). Without the header the client would wait 5 s and more, so the
#   server's request to wait makes it come sooner.
# Who is hurt: a server that asks for a pause because it is overloaded gets the whole batch again at once, from every
#   client, until the retries are used up and the points are given up.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
npm init --yes >/dev/null
npm install --silent --no-audit --no-fund --ignore-scripts --save-exact @influxdata/influxdb-client@1.35.0
cat > show.cjs <<'EOF'
const http = require('node:http');
const { InfluxDB, Point, setLogger } = require('@influxdata/influxdb-client');
setLogger({ warn: () => {}, error: () => {} });
console.log('@influxdata/influxdb-client 1.35.0');
const wait = async (header) => {
  const tries = [];
  let second;
  const tried = new Promise((done) => { second = done; });
  const server = http.createServer((request, response) => {
    tries.push(performance.now());
    request.resume().on('end', () => {
      response.writeHead(tries.length === 1 ? 429 : 204, tries.length === 1 ? { 'Retry-After': header } : {}).end();
      if (tries.length === 2) second();
    });
  });
  await new Promise((listening) => server.listen(0, '127.0.0.1', listening));
  const api = new InfluxDB({ url: `http://127.0.0.1:${server.address().port}`, token: 't' })
    .getWriteApi('o', 'b', 'ns', { flushInterval: 0 });
  api.writePoint(new Point('m').floatField('v', 1));
  await api.flush().catch(() => {});
  await tried;
  await api.close();
  server.close();
  server.closeAllConnections();
  return Math.round(tries[1] - tries[0]);
};
(async () => {
  const seconds = await wait('2');
  console.log(`Retry-After: 2: tried again after ${seconds} ms`);
  if (seconds >= 1000) { console.log('CHANGED'); process.exit(1); }
})();
EOF
node show.cjs
