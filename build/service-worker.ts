/**
 * Keeps the files of one build and answers from them. A new build is fetched in the background and takes over once every tab
 * of the old one is closed, so that a page never meets files of another build.
 *
 * A host of plain files sends no headers; the page and its scripts get those of isolation here, so that it has threads from its second
 * visit on. Nothing is reloaded for it.
 */

import { isolationHeaders } from './isolation.ts';

/** The part of the worker's global scope that the DOM types lack. */
interface ServiceWorkerScope {
  readonly registration: { readonly scope: string };
  readonly clients: { claim(): Promise<void> };
  addEventListener(type: 'install' | 'activate', listener: (event: LifeEvent) => void): void;
  addEventListener(type: 'fetch', listener: (event: RequestEvent) => void): void;
}
interface LifeEvent {
  waitUntil(work: Promise<unknown>): void;
}
interface RequestEvent {
  readonly request: Request;
  respondWith(response: Promise<Response>): void;
}

/** All are written in by the build. */
declare const __PRECACHED_FILES__: string[];
declare const __PRECACHE_VERSION__: string;
declare const __PAGE_SHA256__: string;

const scope = self as unknown as ServiceWorkerScope;
const addressOf = (file: string) => new URL(file, scope.registration.scope).href;
const page = addressOf('index.html');
const models = addressOf('models/');
// The cache storage is one an origin, and another copy of the site may live under another path.
const prefix = `nvlm-playground ${scope.registration.scope} `;
const cacheName = prefix + __PRECACHE_VERSION__;
const kept = new Set(__PRECACHED_FILES__.map(addressOf));

scope.addEventListener('install', (event) => event.waitUntil(fill()));
scope.addEventListener('activate', (event) => event.waitUntil(takeOver()));
scope.addEventListener('fetch', (event) => {
  const { request } = event;
  if (request.method !== 'GET') return;
  if (request.mode === 'navigate') event.respondWith(answer(page, request));
  else if (!kept.has(request.url)) return;
  else if (request.url.startsWith(models)) event.respondWith(newestDescription(request));
  else event.respondWith(answer(request.url, request));
});

/**
 * Configuration, tokenizer and manifest of a bundled model: from the network, so that they fit the weights, which the engine
 * fetches and stores itself; without a network, as they were last seen.
 */
async function newestDescription(request: Request): Promise<Response> {
  const cache = await caches.open(cacheName);
  try {
    const response = await fetch(request);
    if (response.ok) await cache.put(request.url, response.clone());
    return response;
  } catch (error) {
    const last = await cache.match(request.url);
    if (last) return last;
    throw error;
  }
}

/**
 * Nothing that the page has just fetched is fetched again: names under assets/ change with their content, models are described by a
 * manifest of hashes, and the page itself, whose name says nothing of what is in it, is compared with the one of this build.
 */
async function fill(): Promise<void> {
  const cache = await caches.open(cacheName);
  const others = [...kept].filter((address) => address !== page);
  await Promise.all([
    keepPage(cache),
    cache.addAll(others.map((address) => new Request(address, { cache: isImmutable(address) ? 'force-cache' : 'no-cache' }))),
  ]);
}

function isImmutable(address: string): boolean {
  return address.startsWith(addressOf('assets/')) || address.startsWith(models);
}

async function keepPage(cache: Cache): Promise<void> {
  const held = await fetch(scope.registration.scope, { cache: 'force-cache' });
  const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', await held.clone().arrayBuffer()));
  const isThis = held.ok && [...digest].map((byte) => byte.toString(16).padStart(2, '0')).join('') === __PAGE_SHA256__;
  const response = isThis ? held : await fetch(page, { cache: 'no-cache' });
  if (!response.ok) throw new Error(`${page}: ${response.status}`);
  await cache.put(page, response);
}

async function takeOver(): Promise<void> {
  const names = await caches.keys();
  await Promise.all(names.filter((name) => name.startsWith(prefix) && name !== cacheName).map((name) => caches.delete(name)));
  // Not waited for: Firefox asks every worker of the page, and holds all requests while this one is not active.
  void scope.clients.claim();
}

async function answer(address: string, request: Request): Promise<Response> {
  const cache = await caches.open(cacheName);
  return isolated((await cache.match(address)) ?? (await fetch(request)));
}

function isolated(response: Response): Response {
  // Such a response can only be handed on as it is.
  if (response.type === 'opaqueredirect' || response.type === 'error') return response;
  const { status, statusText } = response;
  const headers = new Headers(response.headers);
  for (const [name, value] of Object.entries(isolationHeaders)) headers.set(name, value);
  return new Response(response.body, { status, statusText, headers });
}
