#!/usr/bin/env bash
# node-statsd: increment(name, 0) counts one, decrement(name, 0) takes one away.
#
# Expected: the second argument is what is added, 1 where it is left out; by 0 nothing changes. hot-shots
#   sends 0.
# Happens: 0 is taken for left out.
# Who is hurt: whoever adds up what a batch had, rows or errors: each empty batch is counted as one.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
npm init --yes >/dev/null
npm install --silent --no-audit --no-fund --ignore-scripts --save-exact node-statsd@0.1.1 hot-shots@17.1.1
cat > show.mjs <<'EOF'
import { createSocket } from 'node:dgram';
import HotShots from 'hot-shots';
import NodeStatsd from 'node-statsd';
const server = createSocket('udp4');
const seen = [];
server.bind(0, '127.0.0.1', () => {
  const options = { host: '127.0.0.1', port: server.address().port };
  const clients = { 'node-statsd 0.1.1': new NodeStatsd(options), 'hot-shots 17.1.1': new HotShots(options) };
  server.on('message', (message) => {
    seen.push(message.toString());
    if (seen.length < 8) return;
    let changed = false;
    for (const [index, name] of Object.keys(clients).entries()) {
      const lines = ['rows', 'left', 'two', 'default'].map((stat) => seen.find((line) => line.startsWith(`${stat}${index}:`)));
      const text = lines.map((line) => line.split(':')[1]).join(', ');
      console.log(`${name}: increment by 0, decrement by 0, increment by 2, increment: ${text}`);
      changed ||= text !== (index === 0 ? '1|c, -1|c, 2|c, 1|c' : '0|c, 0|c, 2|c, 1|c');
    }
    if (changed) console.log('CHANGED');
    process.exit(changed ? 1 : 0);
  });
  for (const [index, client] of Object.values(clients).entries()) {
    client.increment(`rows${index}`, 0);
    client.decrement(`left${index}`, 0);
    client.increment(`two${index}`, 2);
    client.increment(`default${index}`);
  }
});
setTimeout(() => { console.log('CHANGED: too few lines', seen); process.exit(1); }, 10_000);
EOF
node show.mjs
