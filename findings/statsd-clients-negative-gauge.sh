#!/usr/bin/env bash
# A gauge set to -5 is -5 from Python's statsd, and five less than before from node-statsd, lynx and hot-shots.
#
# Expected: gauge(name, value) sets a gauge. In StatsD a sign in front changes the value that is there, and a negative one is set
#   by setting 0 first (its docs/metric_types.md).
# Happens: Python's statsd sends 0 and then -5. The three of npm send -5 alone, which a StatsD server subtracts; 5 is set by all.
# Who is hurt: temperatures, balances and offsets below zero: they fall with each report, and jump back when they are positive.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
npm init --yes >/dev/null
npm install --silent --no-audit --no-fund --ignore-scripts --save-exact node-statsd@0.1.1 lynx@0.2.0 hot-shots@17.1.1
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check statsd==4.0.1
cat > show.mjs <<'EOF'
import { createSocket } from 'node:dgram';
import HotShots from 'hot-shots';
import Lynx from 'lynx';
import NodeStatsd from 'node-statsd';
const server = createSocket('udp4');
const seen = [];
server.bind(0, '127.0.0.1', () => {
  const options = { host: '127.0.0.1', port: server.address().port };
  server.on('message', (message) => {
    seen.push(message.toString());
    if (seen.length < 3) return;
    console.log('node-statsd 0.1.1, lynx 0.2.0, hot-shots 17.1.1:', seen.sort().join(', '));
    const changed = `${seen}` !== 'a:-5|g,b:-5|g,c:-5|g';
    if (changed) console.log('CHANGED');
    process.exit(changed ? 1 : 0);
  });
  new NodeStatsd(options).gauge('a', -5);
  new Lynx(options.host, options.port).gauge('b', -5);
  new HotShots(options).gauge('c', -5);
});
setTimeout(() => { console.log('CHANGED: too few lines', seen); process.exit(1); }, 10_000);
EOF
cat > show.py <<'EOF'
import socket
import statsd
server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
server.bind(("127.0.0.1", 0))
server.settimeout(10)
statsd.StatsClient("127.0.0.1", server.getsockname()[1]).gauge("d", -5)
lines = server.recv(1000).decode().split()
print("statsd 4.0.1 of Python:", ", then ".join(lines))
if lines != ["d:0|g", "d:-5|g"]:
    raise SystemExit("CHANGED")
EOF
node show.mjs
venv/bin/python show.py
