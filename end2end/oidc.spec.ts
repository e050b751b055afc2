// Sign-in by the button of an OpenID provider: a certified one, as others made it.
import { type ChildProcess, spawn } from "node:child_process";
import { createServer } from "node:net";
import readline from "node:readline";
import { fileURLToPath } from "node:url";
import type { Page } from "@playwright/test";
import { violations } from "./accessibility.ts";
import { Company, expect, test } from "./company.ts";
import { Server } from "./server.ts";

const PROVIDER = fileURLToPath(new URL("../tests/access/oidc/provider.mjs", import.meta.url));
const SECRET = "a-secret-of-both-that-nobody-guesses";

/** A port that nobody listens on: the provider and the server each want to know the other's address first. */
async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await new Promise((done) => server.once("listening", done));
  const { port } = server.address() as { port: number };
  await new Promise((done) => server.close(done));
  return port;
}

/** Starts the provider; its process and its issuer. */
async function startProvider(url: string): Promise<[ChildProcess, string]> {
  const child = spawn(process.execPath, [PROVIDER, `${url}/oidc/callback`], {
    env: { ...process.env, SECRET },
    stdio: ["ignore", "pipe", "ignore"],
  });
  const issuer = await new Promise<string>((found, lost) => {
    child.once("exit", (code) => lost(new Error(`the provider ended with ${code}`)));
    readline.createInterface({ input: child.stdout! }).on("line", (line) => line.startsWith("http://") && found(line));
  });
  return [child, issuer];
}

/** Signs in at the provider, which then asks whether this server may know who they are. */
async function signInThere(page: Page, login: string) {
  await page.locator('input[name="login"]').fill(login);
  await page.locator('input[name="password"]').fill("any");
  await page.locator('button[type="submit"]').click();
  await page.getByRole("button", { name: "Continue" }).click();
}

test("people sign in by their provider, and are told where it did not let them", async ({ browser }) => {
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const [provider, issuer] = await startProvider(url);
  // The provider knows one address of it, and no other leads there.
  const settings = {
    LOCKSTEP_ACCESS: "accounts",
    LOCKSTEP_ADDR: `127.0.0.1:${port}`,
    LOCKSTEP_PUBLIC_URL: url,
    LOCKSTEP_OIDC_ISSUER: issuer,
    LOCKSTEP_OIDC_CLIENT_ID: "lockstep",
    LOCKSTEP_OIDC_CLIENT_SECRET: SECRET,
    LOCKSTEP_OIDC_NAME: "House Keys",
  };
  const server = await Server.start(settings, { behind: "" });
  try {
    const company = new Company(server, browser);
    const admin = await company.setUp();
    const grace = await company.visit("/account?from=mail", "Grace");
    const page = grace.page;
    // The provider's own pages want letters of another server.
    await grace.context.route("https://**", (route) => route.abort());
    const button = page.getByTestId("sign-in-provider");
    await expect(button).toHaveText("Sign in with House Keys");
    expect(await violations(page)).toEqual([]);

    // Who cancels there is back, knows why, and may try again.
    await button.click();
    await expect(page).toHaveURL((at) => at.origin === issuer);
    await page.getByRole("link", { name: /cancel/i }).click();
    await expect(page.getByRole("heading", { level: 1 })).toHaveText("You are not signed in");
    await expect(page.getByTestId("sign-in-reference")).not.toBeEmpty();
    expect(await violations(page)).toEqual([]);
    await page.getByTestId("sign-in-again").click();

    await page.goto("/account?from=mail");
    await button.click();
    await signInThere(page, "grace");
    await expect(page).toHaveURL(`${url}/account?from=mail`);
    await expect(page.getByTestId("account-name")).toHaveValue("grace of the provider");
    await expect(page.getByTestId("account-email")).toHaveText("grace@example.com");
    expect(await violations(page)).toEqual([]);

    // Signed out here, the provider knows them still: the button is enough.
    await page.getByTestId("sign-out").click();
    await expect(page).toHaveURL(/\/sign-in/);
    await button.click();
    await expect(page.getByTestId("me")).toHaveAttribute("title", /grace of the provider/);
    await admin.page.goto("/admin");
    await expect(admin.page.getByTestId("person").filter({ hasText: "grace@example.com" })).toHaveCount(1);
    await expect(admin.page.getByTestId("sign-in-issuer")).toHaveText(issuer);
    for (const person of [admin, grace]) await person.leave();
  } finally {
    await server.stop();
    provider.kill();
  }
});
