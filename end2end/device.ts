// What a browser keeps of dashboards, and whether it can open pages without a network.
import type { Page } from "@playwright/test";

/** Waits until the service worker has taken over: all later pages come by it. */
export async function opensOffline(page: Page) {
  await page.evaluate(async () => {
    await navigator.serviceWorker.ready;
    while (!navigator.serviceWorker.controller) {
      await new Promise((done) => navigator.serviceWorker.addEventListener("controllerchange", done, { once: true }));
    }
  });
}

/** The copy of a dashboard that the device has now, as it is stored; `undefined` while it has none. */
export async function keptCopy(page: Page, dashboard: string): Promise<{ revision: number; dashboard: any } | undefined> {
  return page.evaluate(async (id) => {
    const { base = "" } = document.documentElement.dataset;
    const request = indexedDB.open(`lockstep${base.replaceAll("/", "~")}`);
    await new Promise((done) => (request.onsuccess = done));
    const read = request.result.transaction("dashboards").objectStore("dashboards").get(id);
    await new Promise((done) => (read.onsuccess = done));
    request.result.close();
    // Its head stands before it.
    return read.result && JSON.parse(read.result.split("\n")[1]);
  }, dashboard);
}
