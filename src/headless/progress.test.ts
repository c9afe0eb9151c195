import { describe, expect, it } from 'vitest';
import { Progress } from './progress.ts';

function watch(isTTY: boolean) {
  const written: string[] = [];
  let ms = 0;
  const stream = { isTTY, columns: 60, write: (text: string) => written.push(text) > 0 };
  return { written, progress: new Progress(stream as never, () => ms), at: (time: number) => (ms = time) };
}

describe('progress', () => {
  it('says nothing about work under a second', () => {
    const { written, progress, at } = watch(false);
    for (const time of [0, 500, 999]) {
      at(time);
      progress.update('Loading', time, 1000, 'B');
    }
    expect(written).toEqual([]);
  });

  it('gives share, amount, rate and time left, in a log every few seconds', () => {
    const { written, progress, at } = watch(false);
    for (let second = 0; second <= 8; second++) {
      at(second * 1000);
      progress.update('Loading nano', second * 1e6, 20e6, 'B');
    }
    expect(written).toEqual([
      'Loading nano  5 %  1.00 MB of 20.0 MB  1.00 MB/s  19 s left\n',
      'Loading nano  30 %  6.00 MB of 20.0 MB  1.00 MB/s  14 s left\n',
    ]);
  });

  it('rewrites one line on a terminal and takes it back', () => {
    const { written, progress, at } = watch(true);
    for (const time of [0, 2000, 4000]) {
      at(time);
      progress.update('Asking', time / 100, 50, 'questions');
    }
    progress.clear();
    expect(written[0]).toMatch(/^\rAsking {2}40 % {2}20 of 50 questions {2}10\/s {2}3 s left$/);
    expect(written[1]).toMatch(/^\rAsking {2}80 %/);
    expect(written[2]).toMatch(/^\r +\r$/);
    progress.clear();
    expect(written).toHaveLength(3);
  });

  it('starts anew with the next piece of work', () => {
    const { written, progress, at } = watch(false);
    at(0);
    progress.update('One', 0, 10, 'tiles');
    at(1500);
    progress.update('Two', 0, 10, 'tiles');
    at(2000);
    progress.update('Two', 5, 10, 'tiles');
    expect(written).toEqual([]);
  });
});
