#!/usr/bin/env bash
# prometheus-remote-write of npm sends remote write without its headers, and labels in the order in which they were given.
#
# Expected: the specification of remote write 1.0 has Content-Encoding: snappy and X-Prometheus-Remote-Write-Version in each
#   request, and labels sorted by name ("MUST").
# Happens: the body is a snappy block, and no header says so; there is no version; labels come as written, labels of the
#   options before those of the series.
# Who is hurt: whoever sends to a receiver that goes by the headers: it takes the body for a bare message and refuses all
#   of it. One that hashes labels as they come has a series for each order in which a program wrote them.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
npm init --yes >/dev/null
npm install --silent --no-audit --no-fund --ignore-scripts --save-exact prometheus-remote-write@0.5.1 snappyjs@0.7.0
cat > show.cjs <<'EOF'
const http = require('node:http');
const snappy = require('snappyjs');
const { pushTimeseries } = require('prometheus-remote-write');
const { prometheus } = require('prometheus-remote-write/prom');
const server = http.createServer((request, response) => {
  const parts = [];
  request.on('data', (part) => parts.push(part));
  request.on('end', () => {
    response.writeHead(204).end();
    const message = prometheus.WriteRequest.decode(snappy.uncompress(Buffer.concat(parts)));
    const names = message.timeseries[0].labels.map(({ name }) => name).join(' ');
    const encoding = String(request.headers['content-encoding']);
    const version = String(request.headers['x-prometheus-remote-write-version']);
    console.log(`prometheus-remote-write 0.5.1: a snappy block with Content-Encoding ${encoding}, version ${version}, labels ${names}`);
    server.close();
    if (`${encoding} ${version} ${names}` !== 'undefined undefined zone __name__ app') {
      console.log('CHANGED');
      process.exitCode = 1;
    }
  });
});
server.listen(0, '127.0.0.1', () => {
  const series = { labels: { __name__: 'up', app: 'a' }, samples: [{ value: 7 }] };
  const url = `http://127.0.0.1:${server.address().port}/`;
  pushTimeseries(series, { url, fetch, labels: { zone: 'b' }, headers: { connection: 'close' } });
});
EOF
node show.cjs
# Seen: a snappy block with Content-Encoding undefined, version undefined, labels zone __name__ app
