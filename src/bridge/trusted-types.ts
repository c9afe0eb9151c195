/** Not in TypeScript's own types yet. */
interface TrustedTypes {
  createPolicy(name: string, rules: { createScriptURL(address: string): string }): unknown;
}

/**
 * What the site's security policy leaves to the page, and to the worker that starts others, where browsers have Trusted Types: workers
 * are started from their own site alone. There is no rule for HTML or script in text, so neither can be made from anything.
 */
const { trustedTypes } = globalThis as { trustedTypes?: TrustedTypes };
trustedTypes?.createPolicy('default', {
  createScriptURL(address) {
    if (new URL(address, location.href).origin === location.origin) return address;
    throw new TypeError(`${address} is not a script of this page.`);
  },
});

export {};
