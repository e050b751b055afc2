#!/usr/bin/env bash
# iso8601-duration: P1Y0.5D is one year, P0.5D an error.
#
# Expected: its README: "Fractions are allowed on the smallest unit in the string, e.g. `P0.5D` or `PT1.0001S`".
# Happens: the pattern knows fractions behind T only and has no end: what stands from the fraction on is dropped, and the
#   example of the README is refused as invalid. tinyduration reads all of them.
# Who is hurt: retention and terms such as P2M1.5W or P1M0.5D lose their last part with no error.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
npm init --yes >/dev/null
npm install --silent --no-audit --no-fund --ignore-scripts --save-exact iso8601-duration@2.1.4 tinyduration@3.4.1
cat > show.mjs <<'EOF'
import * as iso from 'iso8601-duration';
import * as tiny from 'tinyduration';
console.log('iso8601-duration 2.1.4 and tinyduration 3.4.1');
const set = (parts) => Object.entries(parts).filter(([, n]) => n).map(([unit, n]) => `${n} ${unit}`).join(' ');
let changed = false;
for (const [text, known] of [
  ['P1Y0.5D', ['1 years', '1 years 0.5 days']],
  ['P2M1.5W', ['2 months', '2 months 1.5 weeks']],
  ['P1Y1.5M', ['1 years', '1 years 1.5 months']],
  ['P0.5D', ['invalid duration: P0.5D', '0.5 days']],
  ['P1DT0.5H', ['1 days 0.5 hours', '1 days 0.5 hours']],
]) {
  let first;
  try { first = set(iso.parse(text)); } catch (error) { first = error.message; }
  const seen = [first, set(tiny.parse(text))];
  console.log(`${text}: ${seen[0]}; ${seen[1]}`);
  changed ||= `${seen}` !== `${known}`;
}
if (changed) { console.log('CHANGED'); process.exit(1); }
EOF
node show.mjs
