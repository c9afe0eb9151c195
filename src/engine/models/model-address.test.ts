import { describe, expect, it } from 'vitest';
import { modelAddress, modelTitle, parseModelAddress, sourceFromText } from './model-address.ts';

describe('model addresses', () => {
  it.each([
    ['hf:org/name', { kind: 'hub', repository: 'org/name', revision: 'main' }],
    ['hf:org/name@v1', { kind: 'hub', repository: 'org/name', revision: 'v1' }],
    ['url:https://host/a/b?x=1', { kind: 'url', url: 'https://host/a/b?x=1' }],
    ['run:2026-a', { kind: 'run', id: '2026-a' }],
  ] as const)('%s is read back', (address, source) => {
    expect(parseModelAddress(address)).toEqual(source);
    expect(modelAddress(source)).toBe(address);
  });

  it.each(['nano-d', 'files:mine', 'hf:../x', 'hf:a/b@../c', 'url:javascript:alert(1)', 'url:x', 'run:../a', ''])(
    '“%s” leads nowhere',
    (address) => expect(parseModelAddress(address)).toBeNull(),
  );

  it.each([
    [' org/name ', 'hf:org/name'],
    ['https://huggingface.co/org/name/tree/v1', 'hf:org/name@v1'],
    ['https://huggingface.co/org/name', 'hf:org/name'],
    ['https://host/models/a', 'url:https://host/models/a'],
    ['https://host/models/a/config.json?k=1', 'url:https://host/models/a/?k=1'],
  ])('“%s” is %s', (text, address) => expect(modelAddress(sourceFromText(text))).toBe(address));

  it.each(['name', 'ftp://host/a', 'https://me:secret@host/a'])('“%s” is refused, without being repeated', (text) => {
    expect(() => sourceFromText(text)).toThrow(expect.objectContaining({ code: 'usage' }));
    expect(() => sourceFromText(text)).not.toThrow(/secret/);
  });

  it('a title is the last part of the name', () => {
    expect(modelTitle({ kind: 'hub', repository: 'org/name', revision: 'main' })).toBe('name');
    expect(modelTitle({ kind: 'url', url: 'https://host/a/b/?x=/c' })).toBe('b');
    expect(modelTitle({ kind: 'folder', path: '/home/me/model' })).toBe('model');
  });
});
