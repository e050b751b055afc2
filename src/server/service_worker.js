// The page without a network: the files of one build, and its shell, which shows what this device keeps.
// BUILD stands above these lines: { id, base, suffix, shell, files: { address: integrity } }.

const PREFIX = "lockstep-build-";
// Servers at one origin and different base paths share no name: each has its own suffix, from a `~` on.
const named = (name) => name + BUILD.suffix;
const FILES = named(PREFIX + BUILD.id);
// Addresses of pages that were there the last time: only for these is there anything to show instead.
const VISITED = named("lockstep-visited");
const MAX_VISITED = 500;
// Whose copies this device has: the id of an account, or nothing where nobody signs in.
const ACCOUNT = named("lockstep-account");
// A line that has not brought a page by then is as good as none, where this device keeps a copy of it.
const PATIENCE_MS = 4000;
// What stands in front of a server that is not there answers so. The server's own pages name their build.
const ABSENT = [502, 503, 504];

self.addEventListener("install", (event) => event.waitUntil(install()));
self.addEventListener("activate", (event) => event.waitUntil(activate()));
// Asked by a page that is in no worker's hands, or told whose copies this device has.
self.addEventListener("message", (event) => {
  const { account } = event.data ?? {};
  event.waitUntil(account === undefined ? self.clients.claim() : noteAccount(account));
});
self.addEventListener("fetch", (event) => {
  const { request } = event;
  const { origin, pathname } = new URL(request.url);
  if (request.method !== "GET" || origin !== location.origin || !pathname.startsWith(BUILD.base + "/")) return;
  const path = pathname.slice(BUILD.base.length);
  if (request.mode === "navigate") {
    // Also of what is no page here: the browser has asked for it already, and would ask a second time. Signing in at a
    // provider counts once.
    event.respondWith(isPage(path) ? page(event, path) : ask(event));
  } else if (isFile(path)) {
    event.respondWith(file(request));
  }
});

// All of a build or nothing: a server in the middle of an update must not have two of them mixed.
async function install() {
  const cache = await caches.open(FILES);
  try {
    const add = async ([address, integrity]) => {
      if (await cache.match(address)) return;
      const response = await fetch(address, { integrity }).catch((error) => error);
      if (!response.ok) throw new Error(`${address}: ${response.status ?? response.message}`);
      await cache.put(address, response);
    };
    await Promise.all(Object.entries(BUILD.files).map(add));
    const shell = await fetch(BUILD.shell, { cache: "no-store", credentials: "omit" });
    if (shell.headers.get("lockstep-build") !== BUILD.id) throw new Error("the shell is of another build");
    await cache.put(BUILD.shell, shell);
  } catch (error) {
    // Pages learn of a worker only that it was given up.
    const pages = await self.clients.matchAll({ includeUncontrolled: true });
    for (const page of pages) page.postMessage({ message: error.message });
    await caches.delete(FILES);
    throw error;
  }
  await self.skipWaiting();
}

async function activate() {
  const isOwn = (name) => name.startsWith(PREFIX) && name.replace(/^[^~]*/, "") === BUILD.suffix;
  const others = (await caches.keys()).filter((name) => isOwn(name) && name !== FILES);
  // The build before this one stays: pages of it may be open still.
  await Promise.all(others.slice(0, -1).map((name) => caches.delete(name)));
  await self.registration.navigationPreload?.enable();
  await self.clients.claim();
}

function isPage(path) {
  return path === "/" || path === "/bin" || path === "/status" || isShell(path) || path.startsWith("/d/");
}

function isShell(path) {
  return BUILD.base + path === BUILD.shell;
}

function isFile(path) {
  return path.startsWith("/pkg/") || path.startsWith("/vendor/") || BUILD.base + path in BUILD.files;
}

// An address carries the hash of what is in it, so whichever build has it has the right one. What no
// build has is the server's to answer, and never a page.
async function file(request) {
  const own = await caches.match(request, { cacheName: FILES, ignoreVary: true });
  return own ?? (await caches.match(request, { ignoreVary: true })) ?? fetch(request);
}

// A page comes from the server, and where the server cannot be had, from this device.
async function page(event, path) {
  const shell = () => caches.match(BUILD.shell, { cacheName: FILES, ignoreVary: true });
  const answer = ask(event);
  // At once: later the browser may count this event as done.
  event.waitUntil(answer.then((response) => note(path, response), () => {}));
  const late = isKept(path).then((kept) => new Promise((done) => kept && setTimeout(done, PATIENCE_MS)));
  try {
    const response = await Promise.race([answer, late]);
    const instead = () => ABSENT.includes(response.status) && !response.headers.has("lockstep-build");
    const absent = !response || (instead() && (await wasThere(path)));
    return (absent && (await shell())) || (await answer);
  } catch {
    return (await shell()) ?? Response.error();
  }
}

async function ask(event) {
  return (await event.preloadResponse) ?? fetch(event.request);
}

// Whether this device has something to show for an address: its store is that of browser/storage.rs.
async function isKept(path) {
  if (path === "/status") return true;
  const account = await (await caches.match(ACCOUNT, { cacheName: ACCOUNT }))?.text();
  const found = new Promise((done) => {
    const opening = indexedDB.open(named(account ? `lockstep-${account}` : "lockstep"));
    // There is none, and to make one is for the page.
    opening.onupgradeneeded = () => opening.transaction.abort();
    opening.onerror = () => done(false);
    opening.onsuccess = () => {
      const database = opening.result;
      try {
        const copies = database.transaction("dashboards").objectStore("dashboards");
        const counting = path === "/" ? copies.count() : copies.count(path.replace("/d/", ""));
        counting.onsuccess = () => done(counting.result > 0);
        counting.onerror = () => done(false);
      } catch {
        done(false);
      }
      database.close();
    };
  });
  // A browser that lets nobody at its store has nothing there.
  return found.catch(() => false);
}

// Pages that another account visited are not there for this one.
async function noteAccount(account) {
  const kept = await caches.open(ACCOUNT);
  const before = await (await kept.match(ACCOUNT))?.text();
  if (before === account) return;
  await kept.put(ACCOUNT, new Response(account));
  if (before !== undefined) await caches.delete(VISITED);
}

async function wasThere(path) {
  return !!(await caches.match(path, { cacheName: VISITED }));
}

async function note(path, { ok, status }) {
  if (!ok && status !== 404) return;
  const visited = await caches.open(VISITED);
  await visited.delete(path);
  if (!ok) return;
  await visited.put(path, new Response());
  const all = await visited.keys();
  await Promise.all(all.slice(0, -MAX_VISITED).map((oldest) => visited.delete(oldest)));
}
