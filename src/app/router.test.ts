import { describe, expect, it } from 'vitest';
import { formatRoute, hrefFor, hrefWith, parseRoute, patchParams } from './router.ts';

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
