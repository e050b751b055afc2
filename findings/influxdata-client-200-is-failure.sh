#!/usr/bin/env bash
# @influxdata/influxdb-client takes 200 and 202 for a failed write, and 201 for success.
#
# Expected: a 2xx answer means that the points were taken (RFC 9110: 202 "accepted", 200 "OK"), whatever stands in front
#   of InfluxDB or speaks its protocol: a proxy, a gateway, another database.
# Happens: 204 and 201 count as success; 200 and 202 call writeFailed and reject close(), with the error "204 HTTP response
#   status code expected, but 200 returned".
# Who is hurt: whoever writes through something that answers 200: all points are stored, and each batch is reported as
#   lost, logged as an error, and written again by code that trusts the error.
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
(async () => {
  let changed = false;
  for (const [status, known] of [[204, 'success'], [201, 'success'], [200, 'failed'], [202, 'failed']]) {
    const server = http.createServer((request, response) => {
      request.resume().on('end', () => response.writeHead(status).end());
    });
    await new Promise((listening) => server.listen(0, '127.0.0.1', listening));
    let seen = 'nothing', reason = '';
    const api = new InfluxDB({ url: `http://127.0.0.1:${server.address().port}`, token: 't' }).getWriteApi('o', 'b', 'ns', {
      flushInterval: 0, maxRetries: 0,
      writeSuccess: () => { seen = 'success'; },
      writeFailed: (error) => { seen = 'failed'; reason = `: ${error.message}`; },
    });
    api.writePoint(new Point('m').floatField('v', 1));
    await api.close().catch(() => {});
    console.log(`the server answers ${status}: ${seen}${reason}`);
    changed ||= seen !== known;
    server.close();
    server.closeAllConnections();
  }
  if (changed) { console.log('CHANGED'); process.exit(1); }
})();
EOF
node show.cjs
