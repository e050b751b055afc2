// How the browser tests run: the release build, in one real Chromium, one test at a time.
import { defineConfig } from "@playwright/test";
import { chromiumPath } from "../scripts/chromium.mjs";

const asRoot = process.getuid?.() === 0;

export default defineConfig({
  testDir: ".",
  testMatch: process.env.LOCKSTEP_BENCH ? "bench*.spec.ts" : "*.spec.ts",
  testIgnore: process.env.LOCKSTEP_BENCH ? [] : ["bench*.spec.ts"],
  outputDir: "test-results",
  timeout: 60_000,
  expect: { timeout: 10_000 },
  // Several pages with WebAssembly share the cores as it is.
  workers: 1,
  forbidOnly: !!process.env.CI,
  reporter: "list",
  use: {
    actionTimeout: 10_000,
    // Pictures of every frame took two fifths of the time; of a failure there is one at its end. What is measured is
    // the page alone: for a trace, the page's elements are walked at each step.
    trace: process.env.LOCKSTEP_BENCH ? "off" : { mode: "retain-on-failure", screenshots: false },
    screenshot: "only-on-failure",
    launchOptions: {
      executablePath: chromiumPath(),
      args: [
        ...(asRoot ? ["--no-sandbox"] : []),
        // Nothing that a browser does of its own accord, on the network least of all.
        "--disable-gpu",
        "--disable-quic",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
      ],
    },
  },
});
