// Keeps the pages' own files on the phone, so that they open without a network: SHELL, a line put in front of this file,
// says which and in which version. Alerts, who is logged in, anything else: never kept, never even looked at here.
// A new version is fetched as a whole beside the old one, so that a page never gets half of each.
const PREFIX = "haihe-";
const CACHE = PREFIX + SHELL.version;

self.addEventListener("install", (event) => {
  const fresh = SHELL.paths.map((path) => new Request(path, { cache: "reload" }));
  event.waitUntil(caches.open(CACHE).then((cache) => cache.addAll(fresh)).then(() => self.skipWaiting()));
});

self.addEventListener("activate", (event) => {
  const tidy = async () => {
    const former = (await caches.keys()).filter((name) => name.startsWith(PREFIX) && name !== CACHE);
    await Promise.all(former.map((name) => caches.delete(name)));
    await self.clients.claim();
  };
  event.waitUntil(tidy());
});

self.addEventListener("fetch", (event) => {
  const { origin, pathname } = new URL(event.request.url);
  if (event.request.method !== "GET" || origin !== self.location.origin || !SHELL.paths.includes(pathname)) return;
  event.respondWith(
    caches.match(pathname, { cacheName: CACHE }).then((kept) => kept || fetch(event.request)),
  );
});
