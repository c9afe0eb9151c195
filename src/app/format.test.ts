import { describe, expect, it } from 'vitest';
import { formatBytes, formatDuration, formatParameters, plural } from './format.ts';

describe('format', () => {
  it.each([
    [0, '0 B'],
    [999, '999 B'],
    [1000, '1 kB'],
    [1536, '1.5 kB'],
    [6_111_552, '6.1 MB'],
    [999_600, '1 MB'],
    [158_000_000_000, '158 GB'],
  ])('%d bytes are %s', (bytes, text) => expect(formatBytes(bytes)).toBe(text));

  it.each([
    [0.2, '< 1 ms'],
    [412.4, '412 ms'],
    [999.7, '1.00 s'],
    [12_340, '12.3 s'],
    [61_000, '1 min 1 s'],
  ])('%d ms are %s', (ms, text) => expect(formatDuration(ms)).toBe(text));

  it('counts parameters and things', () => {
    expect(formatParameters(3_051_000)).toBe('3.05 M');
    expect(formatParameters(79_400_000_000)).toBe('79.4 B');
    expect(plural(1, 'tile')).toBe('1 tile');
    expect(plural(1234, 'tile')).toBe('1,234 tiles');
  });
});
