import { useMemo, useSyncExternalStore } from 'react';

export const SCREENS = ['chat', 'tiles', 'inside', 'compare', 'finetune', 'lab', 'models', 'device'] as const;
export type Screen = (typeof SCREENS)[number];
export type RouteParams = Record<string, string>;

export interface Route {
  screen: Screen;
  params: RouteParams;
}

/** Parameters that keep their meaning on every screen; all others belong to the screen that set them. */
const SHARED_PARAMS = ['model', 'backend', 'picture'] as const;

/**
 * The address lives in the hash (`#/tiles?max=6`): a static host needs no rewrite rule and any base path works.
 * Unknown screens fall back to Chat; what cannot be decoded is left out.
 */
export function parseRoute(hash: string): Route {
  const [path = '', query = ''] = hash.replace(/^#\/?/, '').split('?', 2);
  const screen = SCREENS.find((name) => name === path) ?? 'chat';
  return { screen, params: Object.fromEntries(new URLSearchParams(query)) };
}

/** One view has one address, whatever order its parts were set in: the shared parameters come first. */
export function formatRoute({ screen, params }: Route): string {
  const ordered = { ...sharedOf({ screen, params }), ...params };
  // Slashes, colons and commas are legal in a fragment's query; leaving them bare keeps shared links readable.
  const query = new URLSearchParams(ordered).toString().replaceAll('%2F', '/').replaceAll('%3A', ':').replaceAll('%2C', ',');
  return `#/${screen}${query ? `?${query}` : ''}`;
}

/** `patch` over `params`; null, undefined and '' remove a parameter. */
export function patchParams(params: RouteParams, patch: Record<string, string | number | null | undefined>): RouteParams {
  const next = { ...params };
  for (const [name, value] of Object.entries(patch)) {
    if (value === null || value === undefined || value === '') delete next[name];
    else next[name] = String(value);
  }
  return next;
}

/** `fresh`: a link or a typed address; otherwise back, forward or the page itself. */
type RouteListener = (fresh: boolean) => void;

const listeners = new Set<RouteListener>();
/** The last parameters of each screen, so that coming back to one finds it as it was left. */
const lastParams = new Map<Screen, RouteParams>();

/** The address that the listeners were told of last. Another one is a visitor's, whose `hashchange` is still on its way. */
let toldHash: string | null = null;

/** Set on history entries that were on show once. */
const SEEN = { seen: true };

function announce(fresh: boolean): void {
  toldHash = window.location.hash;
  const { screen, params } = currentRoute();
  lastParams.set(screen, params);
  for (const listener of listeners) listener(fresh);
}

function onHashChange(): void {
  const seen = (window.history.state as Partial<typeof SEEN> | null)?.seen === true;
  window.history.replaceState(SEEN, '');
  announce(!seen);
}

export function currentRoute(): Route {
  return parseRoute(window.location.hash);
}

export function subscribeRoute(listener: RouteListener): () => void {
  if (listeners.size === 0) {
    toldHash = window.location.hash;
    window.history.replaceState(SEEN, '');
    window.addEventListener('hashchange', onHashChange);
  }
  listeners.add(listener);
  return () => {
    listeners.delete(listener);
    if (listeners.size === 0) window.removeEventListener('hashchange', onHashChange);
  };
}

/**
 * Changes parameters of the current screen; `push` makes a history entry (default: none, for sliders and switches). Does nothing when a
 * visitor has just gone elsewhere: the change was meant for what was on show before.
 */
export function setParams(patch: Record<string, string | number | null | undefined>, options: { push?: boolean } = {}): void {
  if (listeners.size > 0 && window.location.hash !== toldHash) return;
  const { screen, params } = currentRoute();
  const hash = formatRoute({ screen, params: patchParams(params, patch) });
  if (hash === window.location.hash) return;
  if (options.push) window.history.pushState(SEEN, '', hash);
  else window.history.replaceState(SEEN, '', hash);
  announce(false);
}

/** Where a link to `screen` goes: that screen's last own parameters and today's shared ones. */
export function hrefFor(screen: Screen, route: Route = currentRoute()): string {
  if (screen === route.screen) return formatRoute(route);
  return formatRoute({ screen, params: patchParams(lastParams.get(screen) ?? {}, sharedOf(route)) });
}

/** As {@link hrefFor}, but with these parameters in place of the screen's last ones. */
export function hrefWith(screen: Screen, params: Record<string, string | null>, route: Route = currentRoute()): string {
  return formatRoute({ screen, params: patchParams(patchParams({}, sharedOf(route)), params) });
}

function sharedOf({ params }: Route): RouteParams {
  return Object.fromEntries(SHARED_PARAMS.flatMap((name) => (params[name] === undefined ? [] : [[name, params[name]]])));
}

export function navigate(screen: Screen): void {
  window.location.hash = hrefFor(screen);
}

export function useRoute(): Route {
  const hash = useSyncExternalStore(subscribeRoute, () => window.location.hash);
  return useMemo(() => parseRoute(hash), [hash]);
}
