// The page below a path through nginx, and over TLS of the server itself.
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { Company, newDashboard } from "./company.ts";
import { opensOffline } from "./device.ts";
import { expect, test } from "./fixtures.ts";
import { Person } from "./person.ts";
import { Server } from "./server.ts";

// What Chromium itself writes about a network that a test has taken away.
const CUT = /WebSocket connection|net::ERR_|Failed to load resource/;

test("below a path through nginx, people edit together, by a link too, and offline", async ({ browser }) => {
  const server = await Server.start({ LOCKSTEP_ACCESS: "accounts" }, { behind: "nginx" });
  try {
    const base = new URL(server.url).pathname;
    expect(base).not.toBe("/");
    const company = new Company(server, browser);
    const ada = await company.setUp();
    const id = await newDashboard(ada, "Orders");
    await ada.page.goto("/");
    await ada.page.getByRole("link", { name: "Orders" }).click();
    await expect(ada.page).toHaveURL(`${server.url}/d/${id}`);
    const widget = await ada.add("stat");
    await ada.page.keyboard.press("Escape");
    await ada.saved();

    await ada.page.getByTestId("share-open").click();
    const dialog = ada.page.getByTestId("share-dialog");
    await dialog.getByTestId("link-new").click();
    await dialog.getByTestId("link-role").selectOption("editor");
    await dialog.getByTestId("link-make").click();
    const address = await dialog.getByTestId("once-address").inputValue();
    expect(address).toMatch(new RegExp(`^${server.url}/s/[\\w-]{24}$`));
    await ada.page.keyboard.press("Escape");
    const guest = await company.visit(address, "Guest");
    await expect(guest.page).toHaveURL(`${server.url}/d/${id}`);
    await guest.saved();
    await guest.rename(widget, "By the guest");
    await expect(ada.title(widget)).toHaveText("By the guest");
    await ada.rename(widget, "By Ada");
    await expect(guest.title(widget)).toHaveText("By Ada");

    await opensOffline(ada.page);
    const kept = await ada.page.evaluate(async () => ({
      scope: (await navigator.serviceWorker.ready).scope,
      names: [
        ...(await indexedDB.databases()).map(({ name }) => name!),
        ...(await caches.keys()),
        ...Object.keys(localStorage),
        ...Object.keys(sessionStorage),
      ],
    }));
    expect(kept.scope).toBe(`${server.url}/`);
    expect(kept.names.length).toBeGreaterThan(2);
    expect(kept.names.filter((name) => !name.endsWith(base.replaceAll("/", "~")))).toEqual([]);
    await ada.saved();
    await ada.context.setOffline(true);
    await ada.page.reload();
    await expect(ada.title(widget)).toHaveText("By Ada");
    await ada.rename(widget, "Without a network");
    await ada.context.setOffline(false);
    await ada.saved();
    await expect(guest.title(widget)).toHaveText("Without a network");
    ada.expectQuiet(CUT);
    // The panel of a widget asks for names of series, which are not for guests.
    guest.expectQuiet(/status of 401/);
    for (const person of [ada, guest]) await person.leave();
  } finally {
    await server.stop();
  }
});

test("over TLS of the server itself two people edit together", async ({ browser }) => {
  const dir = mkdtempSync(path.join(tmpdir(), "lockstep-tls-"));
  const files = { LOCKSTEP_TLS_CERT: path.join(dir, "cert.pem"), LOCKSTEP_TLS_KEY: path.join(dir, "key.pem") };
  const request = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
  const names = ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"];
  const out = ["-days", "1", "-out", files.LOCKSTEP_TLS_CERT, "-keyout", files.LOCKSTEP_TLS_KEY];
  execFileSync("openssl", [...request, ...names, ...out], { stdio: "ignore" });
  const server = await Server.start(files, { behind: "" });
  try {
    expect(server.url).toMatch(/^https:/);
    const options = { ignoreHTTPSErrors: true };
    const [ada, grace] = [
      await Person.arrive(browser, server.url, "Ada", options),
      await Person.arrive(browser, server.url, "Grace", options),
    ];
    const made = await ada.context.request.post("/api/v1/dashboards", {
      data: { title: "Orders" },
      headers: { origin: server.origin },
    });
    const { id } = await made.json();
    await ada.open(id);
    await grace.open(id);
    const widget = await ada.add("stat");
    await ada.page.keyboard.press("Escape");
    await grace.rename(widget, "By Grace");
    await expect(ada.title(widget)).toHaveText("By Grace");
    const cookies = await ada.context.cookies();
    expect(cookies.length).toBeGreaterThan(0);
    expect(cookies.every((cookie) => cookie.secure)).toBe(true);
    // Chromium lets no worker come over a certificate that nobody vouches for.
    for (const person of [ada, grace]) {
      person.expectQuiet(/SSL certificate error|net::ERR_CERT/);
      await person.leave();
    }
  } finally {
    await server.stop();
    rmSync(dir, { recursive: true, force: true });
  }
});
