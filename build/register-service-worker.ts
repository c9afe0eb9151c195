/** Put into the built page by `offline.ts`. A browser without service workers only loses the offline use. */
if ('serviceWorker' in navigator && window.isSecureContext) {
  // After the load, so that filling the cache does not compete with the first model.
  window.addEventListener('load', () => {
    void navigator.serviceWorker.register(new URL('./service-worker.js', document.baseURI)).catch(() => {});
  });
}
