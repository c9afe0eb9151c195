/** Put into the built page by `offline.ts`. A browser without service workers only loses the offline use. */
if ('serviceWorker' in navigator && window.isSecureContext) {
  // Filling the cache would compete with the first model, and finds in the browser's own what the page has fetched until then.
  window.addEventListener('first-model', () => {
    void navigator.serviceWorker.register(new URL('./service-worker.js', document.baseURI)).catch(() => {});
  });
}
