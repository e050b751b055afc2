#!/usr/bin/env bash
# isValidGoDuration of @grafana/data refuses the durations that Go writes, and takes one that Go refuses.
#
# Expected: "true if the given string can be parsed into a valid Duration object based on Go's time.parseDuration" (its
#   documentation). Go's own String() writes ninety minutes as 1h30m0s, and its parser takes 1h30m; it takes no blanks.
# Happens: true only for one number with one unit, or several with blanks between them: 1h30m0s is refused, "1h 30m" is
#   taken. isValidGrafanaDuration of the same module has the same fault.
# Who is hurt: a form that checks a timeout or an interval before it sends it to a Go server: it rejects what the server
#   itself printed, and passes on what the server then refuses.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
npm init --yes >/dev/null
npm install --silent --no-audit --no-fund --ignore-scripts --legacy-peer-deps --save-exact \
  @grafana/data@13.2.3 @grafana/schema@13.2.3 react@19.3.1 react-dom@19.3.1 rxjs@7.8.2
cat > show.cjs <<'EOF'
const { isValidGoDuration, isValidGrafanaDuration } = require('@grafana/data');
console.log('@grafana/data', require('@grafana/data/package.json').version, 'on node', process.version);
let changed = false;
for (const [text, go, known] of [
  ['90m', true, true],
  ['1h30m', true, false],
  ['1h30m0s', true, false],
  ['2m0.5s', true, false],
  ['1h 30m', false, true],
]) {
  const seen = isValidGoDuration(text);
  console.log(`${JSON.stringify(text)}: Go takes it: ${go}; isValidGoDuration: ${seen}; isValidGrafanaDuration: ${isValidGrafanaDuration(text)}`);
  changed ||= seen !== known;
}
if (changed) { console.log('CHANGED'); process.exit(1); }
EOF
node show.cjs
