#!/usr/bin/env bash
# prom-client in a cluster: a gauge that is NaN in a worker is exposed as +Inf, and +Inf may be 0.
#
# Expected: the values a worker's own registry exposes are those that the primary's AggregatorRegistry aggregates: NaN
#   stays NaN (Prometheus' word for "not known"), +Inf stays +Inf.
# Happens: workers send their metrics as JSON over the cluster's channel, where NaN and Infinity become null. With the
#   aggregator "first" null is exposed as +Inf; "min" of +Inf and 2 is 0; "sum" and "average" take it for 0.
# Who is hurt: whoever runs more than one worker and has a gauge that divides by a count: with one process it says Nan,
#   in a cluster an alert on "greater than" fires, or a mean is too low.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
npm init --yes >/dev/null
npm install --silent --no-audit --no-fund --ignore-scripts --save-exact prom-client@15.1.3
cat > show.cjs <<'EOF'
const cluster = require('node:cluster');
const client = require('prom-client');
if (cluster.isWorker) {
  const second = cluster.worker.id === 2;
  const gauge = (name, aggregator, value) => new client.Gauge({ name, help: name, aggregator }).set(value);
  gauge('first_of_nan', 'first', NaN);
  gauge('min_of_inf_and_2', 'min', second ? 2 : Infinity);
  gauge('average_of_nan_and_2', 'average', second ? 2 : NaN);
  gauge('sum_of_inf_and_2', 'sum', second ? 2 : Infinity);
  new client.AggregatorRegistry();
  (async () => {
    const own = (await client.register.metrics()).split('\n').filter((line) => line && !line.startsWith('#'));
    if (!second) console.log('the first worker itself exposes:', own.join(', '));
    process.send('ready');
  })();
} else {
  console.log('prom-client 15.1.3 on node', process.version);
  const registry = new client.AggregatorRegistry();
  let ready = 0;
  const begin = async () => {
    const metrics = (await registry.clusterMetrics()).split('\n').filter((line) => line && !line.startsWith('#'));
    console.log('the cluster exposes:', metrics.join(', '));
    const known = ['first_of_nan +Inf', 'min_of_inf_and_2 0', 'average_of_nan_and_2 1', 'sum_of_inf_and_2 2'];
    const same = known.every((line) => metrics.includes(line));
    if (!same) console.log('CHANGED');
    process.exit(same ? 0 : 1);
  };
  cluster.on('message', (_, message) => { if (message === 'ready' && ++ready === 2) begin(); });
  cluster.fork();
  cluster.fork();
}
EOF
node show.cjs
