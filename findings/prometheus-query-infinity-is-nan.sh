#!/usr/bin/env bash
# prometheus-query of npm reads +Inf and -Inf as NaN, and drops the warnings of an answer.
#
# Expected: Prometheus' HTTP API writes values as texts, with "NaN", "+Inf" and "-Inf" for what JSON has no numbers for;
#   an answer that is partial says so in "warnings". Both are in its documentation.
# Happens: values go through parseFloat, to which "+Inf" is no number: a ratio with nothing below the line, the highest
#   bound of a histogram and a limit that is not set all read as "not known". The result has no place for warnings.
# Who is hurt: whoever draws or alerts with it: infinite and unknown look alike, and `value > limit` is false for +Inf;
#   half of an answer passes for the whole.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
npm init --yes >/dev/null
npm install --silent --no-audit --no-fund --ignore-scripts --save-exact prometheus-query@3.5.1
cat > show.cjs <<'EOF'
const http = require('node:http');
const { PrometheusDriver } = require('prometheus-query');
const series = { metric: { __name__: 'limit' }, values: [[1700000000, '+Inf'], [1700000015, '-Inf'], [1700000030, '5']] };
const answer = {
  status: 'success',
  data: { resultType: 'matrix', result: [series] },
  warnings: ['one of two stores did not answer'],
};
const server = http.createServer((_, response) => {
  response.setHeader('content-type', 'application/json');
  response.end(JSON.stringify(answer));
});
server.listen(0, '127.0.0.1', async () => {
  const driver = new PrometheusDriver({ endpoint: `http://127.0.0.1:${server.address().port}` });
  const result = await driver.rangeQuery('limit', new Date(1700000000000), new Date(1700000030000), 15);
  const values = result.result[0].values.map(({ value }) => value).join(', ');
  const warned = JSON.stringify(result).includes('did not answer');
  console.log(`prometheus-query 3.5.1: "+Inf", "-Inf", "5" are ${values}; warnings in the result: ${warned}`);
  server.close();
  if (values !== 'NaN, NaN, 5' || warned) {
    console.log('CHANGED');
    process.exitCode = 1;
  }
});
EOF
node show.cjs
# Seen: "+Inf", "-Inf", "5" are NaN, NaN, 5; warnings in the result: false
