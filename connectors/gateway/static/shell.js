// The pages' files on the phone: fetched in the background by the service worker, taken over when nobody looks.
export function install() {
  if (!("serviceWorker" in navigator)) return () => {};
  const workers = navigator.serviceWorker;
  let stale = false;
  const had = Boolean(workers.controller);
  workers.addEventListener("controllerchange", () => { stale = had; });
  document.addEventListener("visibilitychange", () => {
    if (stale && document.visibilityState === "hidden") location.reload();
  });
  const registered = workers.register("/sw.js", { scope: "/", updateViaCache: "none" }).catch(() => null);
  // Looks for a new version; for when the gateway was away, which is when it gets one.
  return () => registered.then((worker) => worker?.update()).catch(() => {});
}
