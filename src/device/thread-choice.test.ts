import { expect, test } from 'vitest';
import { ThreadChoice, TIMED_WORK } from './thread-choice.ts';

/** Times calls until one is chosen, as a machine would on which so much work takes so long on so many threads. */
function measure(choice: ThreadChoice, ms: (threads: number, round: number) => number): number {
  for (let round = 0; round < 3; round++) {
    for (const threads of choice.candidates) {
      expect(choice.isDue()).toBe(true);
      expect(choice.next).toBe(threads);
      if (threads > 1) choice.noteTimed(1000, TIMED_WORK);
      for (let call = 0; call < 4; call++) choice.noteTimed(ms(threads, round) / 4, TIMED_WORK / 4);
    }
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

test('threads that bring next to nothing are left to others', () => {
  expect(measure(new ThreadChoice(4, () => 0), (threads) => (threads === 1 ? 10 : 10.5))).toBe(1);
  expect(measure(new ThreadChoice(4, () => 0), (threads) => (threads === 1 ? 10 : 9.5))).toBe(1);
});

test('what it takes to wake them, or one late round, does not count', () => {
  expect(measure(new ThreadChoice(2, () => 0), (threads, round) => (threads === 1 ? 1 : round === 0 ? 8 : 0.5))).toBe(2);
  expect(measure(new ThreadChoice(2, () => 0), (threads, round) => (threads === 1 ? 1 : round === 0 ? 0.5 : 8))).toBe(1);
});

test('it is measured again after some seconds, one thread that is confirmed less and less often', () => {
  let now = 0;
  const choice = new ThreadChoice(2, () => now);
  const holds = (ms: number) => {
    now += ms - 1;
    expect(choice.isDue()).toBe(false);
    now += 1;
  };
  for (const ms of [500, 1000, 2000, 4000, 8000, 16_000, 32_000, 64_000, 80_000, 80_000]) {
    expect(measure(choice, () => 8)).toBe(1);
    holds(ms);
  }
  expect(measure(choice, (threads) => 8 / threads)).toBe(2);
  holds(5000);
  // Once more threads have helped, one is doubted soon.
  expect(measure(choice, () => 8)).toBe(1);
  holds(500);
  expect(measure(choice, (threads) => 8 / threads)).toBe(2);
});

test('when cores are taken threads are dropped and timed again, from the beginning', () => {
  const choice = new ThreadChoice(2, () => 0);
  measure(choice, (threads) => 8 / threads);
  choice.drop();
  expect(choice.threads).toBe(1);
  choice.noteTimed(1, TIMED_WORK);
  choice.drop();
  expect(measure(choice, () => 8)).toBe(1);
  choice.drop();
  expect(choice.isDue()).toBe(false);
});

test('what a call takes undisturbed is the least of many, and follows calls that stay slower', () => {
  const choice = new ThreadChoice(2, () => 0);
  expect(choice.expectedMs(1000)).toBe(0);
  for (const ms of [2, 1, 40]) for (let call = 0; call < 2; call++) choice.noteOnOne(ms / 2, TIMED_WORK / 2);
  expect(choice.expectedMs(TIMED_WORK)).toBeCloseTo(1.05, 9);
  for (let block = 0; block < 100; block++) choice.noteOnOne(3, TIMED_WORK);
  expect(choice.expectedMs(2 * TIMED_WORK)).toBeCloseTo(6, 9);
});
