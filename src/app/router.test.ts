import { afterEach, describe, expect, it, vi } from 'vitest';
import { formatRoute, hrefFor, hrefWith, parseRoute, patchParams, setParams, subscribeRoute } from './router.ts';

describe('route', () => {
  it('opens Chat for an empty, broken or unknown address', () => {
    for (const hash of ['', '#', '#/', '#/nowhere', '#/%E0%A4%A', '#?x=1']) expect(parseRoute(hash).screen).toBe('chat');
  });

  it('survives the way to the address bar and back', () => {
    const route = {
      screen: 'tiles' as const,
      params: { model: 'nano-h', prompt: 'Größe & 100 % = ?#/', tags: '2d-bbox' },
    };
    expect(parseRoute(formatRoute(route))).toEqual(route);
  });

  it('writes readable links', () => {
    expect(formatRoute({ screen: 'chat', params: { model: 'nano-d', picture: 'note/1' } })).toBe('#/chat?model=nano-d&picture=note/1');
    expect(formatRoute({ screen: 'models', params: {} })).toBe('#/models');
  });

  it('has one address for one view, in whatever order its parts were set', () => {
    const params = { adapters: 'a1:0', picture: 'note/1', model: 'nano-d' };
    expect(formatRoute({ screen: 'chat', params })).toBe('#/chat?model=nano-d&picture=note/1&adapters=a1:0');
  });

  it('carries model, backend and picture to another screen, and nothing else', () => {
    const route = parseRoute('#/chat?model=nano-h&picture=sign&own=1');
    expect(hrefWith('tiles', { geometry: 'nano-h', prompt: null }, route)).toBe('#/tiles?model=nano-h&picture=sign&geometry=nano-h');
    expect(hrefFor('models', route)).toBe('#/models?model=nano-h&picture=sign');
    expect(hrefFor('chat', route)).toBe('#/chat?model=nano-h&picture=sign&own=1');
  });

  it('removes parameters that are set to nothing', () => {
    expect(patchParams({ a: '1', b: '2', c: '3' }, { a: null, b: '', c: 4, d: undefined })).toEqual({ c: '4' });
  });
});

describe('an address that changes by the page and by its visitor', () => {
  afterEach(() => void vi.unstubAllGlobals());

  it('is the visitor’s when both do at once', () => {
    const location = { hash: '#/tiles?max=6' };
    const write = (_state: unknown, _title: string, hash?: string) => void (location.hash = hash ?? location.hash);
    const events = new EventTarget();
    vi.stubGlobal(
      'window',
      Object.assign(events, { location, history: { state: null, pushState: vi.fn(write), replaceState: vi.fn(write) } }),
    );
    const told: string[] = [];
    const end = subscribeRoute(() => told.push(location.hash));
    setParams({ max: 9 });
    expect(location.hash).toBe('#/tiles?max=9');

    // A link was pressed; its event comes a moment later.
    location.hash = '#/tiles?max=3';
    setParams({ max: 12 });
    expect(location.hash).toBe('#/tiles?max=3');
    events.dispatchEvent(new Event('hashchange'));
    setParams({ max: 4 });
    expect(location.hash).toBe('#/tiles?max=4');
    expect(told).toEqual(['#/tiles?max=9', '#/tiles?max=3', '#/tiles?max=4']);
    end();
  });
});
