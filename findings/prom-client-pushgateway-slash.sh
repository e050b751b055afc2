#!/usr/bin/env bash
# prom-client pushes under other labels, or nowhere with success, when a grouping value has a slash.
#
# Expected: a grouping {path: "/a"} ends as path="/a" at the Pushgateway, or the promise is rejected. The gateway's README
#   says that a value with a slash has to be sent as name@base64; Python's client does so.
# Happens: prom-client only percent-encodes it, which the gateway takes for more path. "a/b/c" is stored as path="a",
#   b="c"; "/a" is answered with a redirect (301), which prom-client takes for success though nothing was stored.
# Who is hurt: batch jobs that group by a path, a topic or an image name: their figures stand under labels nobody asks for,
#   replace another job's group there, or are missing while the push "worked".
set -euo pipefail
work=$(mktemp -d)
gateway=""
trap '[ -z "$gateway" ] || kill "$gateway" 2>/dev/null || true; wait 2>/dev/null || true; rm -rf "$work"' EXIT
cd "$work"
apt-get download prometheus-pushgateway=1.5.1-2+b5 >/dev/null 2>&1
dpkg-deb -x prometheus-pushgateway_*.deb debian
npm init --yes >/dev/null
npm install --silent --no-audit --no-fund --ignore-scripts --save-exact prom-client@15.1.3
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check prometheus_client==0.26.0
port=$(python3 -c 'import socket
s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
debian/usr/bin/prometheus-pushgateway --web.listen-address="127.0.0.1:$port" >log 2>&1 &
gateway=$!
for _ in $(seq 100); do curl -so /dev/null "http://127.0.0.1:$port/-/ready" && break; sleep 0.2; done
echo "Pushgateway 1.5.1 (Debian), prom-client 15.1.3, prometheus_client 0.26.0 (Python)"
cat > push.cjs <<'EOF'
const client = require('prom-client');
(async () => {
  for (const [name, path] of [['plain', 'a'], ['inner', 'a/b/c'], ['leading', '/a']]) {
    const registry = new client.Registry();
    new client.Gauge({ name: `js_${name}`, help: name, registers: [registry] }).set(1);
    const gateway = new client.Pushgateway(process.argv[2], {}, registry);
    const seen = await gateway.push({ jobName: 'batch', groupings: { path } })
      .then(({ resp }) => `resolved, status ${resp.statusCode}`, (error) => `rejected: ${error.message.trim()}`);
    console.log(`prom-client, path "${path}": ${seen}`);
  }
})();
EOF
node push.cjs "http://127.0.0.1:$port" | tee seen.txt
venv/bin/python - "127.0.0.1:$port" <<'EOF'
import sys
from prometheus_client import CollectorRegistry, Gauge, push_to_gateway
for name, path in (("inner", "a/b/c"), ("leading", "/a")):
    registry = CollectorRegistry()
    Gauge(f"py_{name}", name, registry=registry).set(1)
    push_to_gateway(sys.argv[1], job="batch", registry=registry, grouping_key={"path": path})
EOF
curl -sS "http://127.0.0.1:$port/metrics" | grep -E '^(js|py)_' | tee -a seen.txt
diff - seen.txt <<'EOF' || { echo CHANGED; exit 1; }
prom-client, path "a": resolved, status 200
prom-client, path "a/b/c": resolved, status 200
prom-client, path "/a": resolved, status 301
js_inner{b="c",instance="",job="batch",path="a"} 1
js_plain{instance="",job="batch",path="a"} 1
py_inner{instance="",job="batch",path="a/b/c"} 1
py_leading{instance="",job="batch",path="/a"} 1
EOF
