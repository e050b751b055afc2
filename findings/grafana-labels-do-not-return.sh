#!/usr/bin/env bash
# parseLabels of @grafana/data does not read what formatLabels of @grafana/data writes.
#
# Expected: labels in Prometheus' notation, {name="value"}, survive formatLabels and parseLabels of one package; the
#   notation escapes a quote, a backslash and a line break within a value.
# Happens: formatLabels escapes nothing and parseLabels knows no escape: a value is cut at its first quote, one with a line
#   break loses all labels, a name with a dot loses its first part, and {a="b"} with blanks around "=" has none.
# Who is hurt: whoever joins or groups series by labels read back from text: different series become one, silently.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
npm init --yes >/dev/null
npm install --silent --no-audit --no-fund --ignore-scripts --legacy-peer-deps --save-exact \
  @grafana/data@13.2.3 @grafana/schema@13.2.3 react@19.3.1 react-dom@19.3.1 rxjs@7.8.2
cat > show.cjs <<'EOF'
const { formatLabels, parseLabels } = require('@grafana/data');
console.log('@grafana/data', require('@grafana/data/package.json').version, 'on node', process.version);
let changed = false;
for (const [labels, known] of [
  [{ path: '/a', code: '200' }, '{"code":"200","path":"/a"}'],
  [{ query: 'name="x", id="1"' }, '{"query":"name=","id":"1"}'],
  [{ message: 'two\nlines', code: '200' }, '{"code":"200"}'],
  [{ 'k8s.pod.name': 'web-1' }, '{"name":"web-1"}'],
]) {
  const text = formatLabels(labels);
  const seen = JSON.stringify(parseLabels(text));
  console.log(`${JSON.stringify(labels)} written ${JSON.stringify(text)}, read ${seen}`);
  changed ||= seen !== known;
}
for (const [text, known] of [['{query="say \\"hi\\""}', '{"query":"say \\\\"}'], ['{ path = "/a" }', '{}']]) {
  const seen = JSON.stringify(parseLabels(text));
  console.log(`as Prometheus writes or takes it: ${text}, read ${seen}`);
  changed ||= seen !== known;
}
if (changed) { console.log('CHANGED'); process.exit(1); }
EOF
node show.cjs
