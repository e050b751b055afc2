#!/usr/bin/env bash
# uPlot: on the day on which the clocks of the browser's own zone change, times of other zones are an hour off.
#
# Expected: uPlot.tzDate(date, zone), which its documentation gives for the time zone of an axis and a legend, shows what the
#   clocks of that zone show, wherever the reader is.
# Happens: the zone's wall time is put into a Date of the browser's zone. Where that zone skips an hour, the wall time 02:30
#   does not exist and becomes 03:30; and for "UTC" the browser's offset at one time is used to make another, so that an
#   hour beside the change is an hour off.
# Who is hurt: whoever watches servers in UTC, or a site in Tokyo, from Berlin in the night of the change: two ticks of the axis
#   say the same hour, and an hour is missing, or all of an hour is labelled as the one before.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
npm init --yes >/dev/null
npm install --silent --no-fund --no-audit uplot@1.6.32
cat > show.cjs <<'EOF'
const assert = require("assert");
const uPlot = require("uplot/dist/uPlot.cjs.js");
console.log("uPlot", require("uplot/package.json").version, "node", process.version, "in", process.env.TZ);
const shown = (zone, iso) => {
  const date = new Date(iso);
  const told = uPlot.fmtDate("{HH}:{mm}")(uPlot.tzDate(date, zone));
  const right = date.toLocaleTimeString("en-GB", { timeZone: zone, hour: "2-digit", minute: "2-digit" });
  console.log(`${iso} in ${zone}: uPlot ${told}, right ${right}`);
  return told;
};
const tokyo = ["16:30", "17:30", "18:30"].map((time) => shown("Asia/Tokyo", `2026-03-28T${time}:00Z`));
const utc = ["00:30", "01:30", "02:30", "03:30"].map((time) => shown("UTC", `2026-03-29T${time}:00Z`));
assert.deepStrictEqual(tokyo, ["01:30", "03:30", "03:30"], "CHANGED");
assert.deepStrictEqual(utc, ["00:30", "00:30", "01:30", "03:30"], "CHANGED");
EOF
TZ=Europe/Berlin node show.cjs
