import { expect, test } from 'vitest';
import { ThreadChoice } from './thread-choice.ts';

/** Times jobs until one is chosen, as a machine would on which so many threads take so long. */
function measure(choice: ThreadChoice, ms: (threads: number, sample: number) => number, samples = 8): number {
  for (let sample = 0; sample < samples; sample++) {
    expect(choice.isDue()).toBe(true);
    choice.note(choice.candidates.map((threads) => ms(threads, sample)));
  }
  return choice.threads;
}

test('what is fastest is chosen, and one thread until then', () => {
  const choice = new ThreadChoice(8, () => 0);
  expect(choice.candidates).toEqual([8, 4, 1]);
  expect(choice.threads).toBe(1);
  expect(measure(choice, (threads) => 8 / threads)).toBe(8);
  // Half of them are real cores.
  expect(measure(new ThreadChoice(8, () => 0), (threads) => (threads === 8 ? 3 : 8 / threads))).toBe(4);
  expect(new ThreadChoice(2, () => 0).candidates).toEqual([2, 1]);
});

test('on a machine whose cores are taken one thread stays', () => {
  expect(measure(new ThreadChoice(4, () => 0), (threads) => (threads === 1 ? 10 : 10.5))).toBe(1);
  expect(measure(new ThreadChoice(4, () => 0), (threads) => (threads === 1 ? 10 : 9.5))).toBe(1);
  // Fast, but for the few times that a thread is not let run.
  expect(measure(new ThreadChoice(2, () => 0), (threads, sample) => (threads === 1 ? 1 : sample === 7 ? 8 : 0.5))).toBe(1);
});

test('a measurement that has cost too much already ends, and is made less often', () => {
  let now = 0;
  const choice = new ThreadChoice(2, () => now);
  for (const holds of [10_000, 20_000, 40_000, 80_000, 80_000]) {
    expect(measure(choice, (threads) => (threads === 1 ? 1 : 7), 1)).toBe(1);
    now += holds - 1;
    expect(choice.isDue()).toBe(false);
    now += 1;
  }
  expect(measure(choice, (threads) => 8 / threads)).toBe(2);
  now += 5000;
  expect(choice.isDue()).toBe(true);
});

test('it is measured again after some seconds, and dropped when it does not help any more', () => {
  let now = 0;
  const choice = new ThreadChoice(2, () => now);
  expect(measure(choice, (threads) => 8 / threads)).toBe(2);
  expect(choice.isDue()).toBe(false);
  now = 4999;
  expect(choice.isDue()).toBe(false);
  now = 5000;
  expect(measure(choice, () => 8)).toBe(1);
  now = 10_000;
  expect(measure(choice, (threads) => 8 / threads)).toBe(2);
});

test('jobs that are late drop it at once', () => {
  const choice = new ThreadChoice(2, () => 0);
  measure(choice, (threads) => 8 / threads);
  choice.noteLate();
  choice.noteLate();
  expect(choice.threads).toBe(2);
  choice.noteLate();
  expect(choice.threads).toBe(1);
  expect(choice.isDue()).toBe(true);
});
