// Prints the path of the Chromium that the tests use; exits with 1 where there is none.
// $CHROMIUM decides; else the system's own; else the one that Playwright downloaded.
import { existsSync } from "node:fs";
import { pathToFileURL } from "node:url";
import { chromium } from "@playwright/test";

const SYSTEM = [
  "/usr/bin/chromium",
  "/usr/bin/google-chrome",
  "/Applications/Chromium.app/Contents/MacOS/Chromium",
  "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
];

/** The path of a Chromium, or undefined. A path in $CHROMIUM that is not there is an error. */
export function chromiumPath() {
  const chosen = process.env.CHROMIUM;
  if (chosen) {
    if (!existsSync(chosen)) throw new Error(`CHROMIUM=${chosen}: there is no such file`);
    return chosen;
  }
  return [...SYSTEM, chromium.executablePath()].find((path) => path && existsSync(path));
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) {
  const path = chromiumPath();
  if (!path) process.exit(1);
  console.log(path);
}
