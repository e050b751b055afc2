#!/usr/bin/env bash
# @prometheus-io/lezer-promql: queries that Prometheus runs are syntax errors to the parser of its own editor.
#
# Expected: the grammar of the editor, which Prometheus and others put red lines with, takes what the server's parser takes.
# Happens: a number that ends in its point (`5.`, also `5.e1`, as Go reads it) and a metric called `offset`, which the server's
#   grammar allows like `by` and `sum`, are error nodes.
# Who is hurt: whoever checks queries with it before they are saved: a rule that runs on the server is turned away, and one
#   who looks for the fault finds none.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
apt-get download prometheus=2.42.0+ds-5+deb12u1 >/dev/null 2>&1
dpkg-deb -x prometheus_*.deb debian
npm init --yes >/dev/null
npm install --silent --no-fund --no-audit @prometheus-io/lezer-promql@0.315.0 @lezer/lr@1.4.2 @lezer/common@1.2.3 @lezer/highlight@1.2.1
cat >show.mjs <<'EOF'
import assert from "node:assert";
import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { parser } from "@prometheus-io/lezer-promql";
const { version } = JSON.parse(readFileSync("node_modules/@prometheus-io/lezer-promql/package.json"));
console.log("@prometheus-io/lezer-promql", version, "promtool 2.42.0 (Debian)");
const runs = (query) => {
  const rules = { groups: [{ name: "g", rules: [{ record: "r", expr: query }] }] };
  writeFileSync("rules.yml", JSON.stringify(rules));
  try {
    execFileSync("debian/usr/bin/promtool", ["check", "rules", "rules.yml"], { stdio: "pipe" });
    return true;
  } catch {
    return false;
  }
};
const parses = (query) => {
  let parses = true;
  parser.parse(query).iterate({ enter: (node) => void (parses &&= !node.type.isError) });
  return parses;
};
for (const query of ["up > 5.", "up * 5.e1", "rate(offset[5m])", "offset offset 5m"]) {
  console.log(`${query}: the server takes it: ${runs(query)}, the editor's parser: ${parses(query)}`);
  assert.deepStrictEqual([runs(query), parses(query)], [true, false], "CHANGED");
}
for (const query of ["up > 5.0", "rate(by[5m])"]) assert.deepStrictEqual([runs(query), parses(query)], [true, true]);
assert.deepStrictEqual([runs("rate(up[5m]"), parses("rate(up[5m]")], [false, false]);
EOF
node show.mjs
