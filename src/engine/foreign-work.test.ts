import { afterEach, expect, it } from 'vitest';
import { foreignWork, onForeignWork, type ForeignWork } from './foreign-work.ts';

afterEach(() => onForeignWork(null));

it('says when it begins and when it is over, also when it fails, and not for every one of many', () => {
  const heard: ForeignWork[] = [];
  onForeignWork((work) => heard.push(work));
  const fail = () => {
    throw new Error('no');
  };
  expect(() => foreignWork('a template', 5, fail)).toThrow('no');
  expect(heard).toEqual([{ what: 'a template', seconds: 5 }, null]);
  for (let i = 0; i < 100; i++) expect(foreignWork('a template', 5, () => i)).toBe(i);
  expect(heard.length).toBeLessThan(20);
});
