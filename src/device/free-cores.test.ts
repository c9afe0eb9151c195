import { expect, test } from 'vitest';
import { FreeCores } from './free-cores.ts';

/** Calls of half a millisecond on one thread. */
function compute(cores: FreeCores, ms: number): void {
  for (let spent = 0; spent < ms; spent += 0.5) expect(cores.note(0.5, 0.5, 1)).toBe(false);
}

test('cores are free once calls have run for a while without being interrupted', () => {
  const cores = new FreeCores();
  expect(cores.areThere()).toBe(false);
  compute(cores, 19.5);
  expect(cores.areThere()).toBe(false);
  compute(cores, 0.5);
  expect(cores.areThere()).toBe(true);
  // Another shape may take a few times as long, and is short.
  expect(cores.note(2.4, 0.5, 1)).toBe(false);
  expect(cores.note(3, 0.5, 1)).toBe(true);
  expect(cores.areThere()).toBe(false);
  compute(cores, 20);
  expect(cores.areThere()).toBe(true);
});

test('calls of which nothing is known tell nothing', () => {
  const cores = new FreeCores();
  expect(cores.note(1000, 0, 1)).toBe(false);
  expect(cores.areThere()).toBe(false);
});

test('a call that is interrupted now and then costs less than other threads bring', () => {
  const cores = new FreeCores();
  compute(cores, 20);
  expect(cores.note(3.5, 0.5, 2)).toBe(true);
  expect(cores.areTaken).toBe(false);
  expect(cores.areThere()).toBe(false);
  compute(cores, 20);
  expect(cores.areThere()).toBe(true);
  // 150 ms later that is made up for.
  compute(cores, 130);
  expect(cores.note(5.4, 0.5, 2)).toBe(true);
  expect(cores.areTaken).toBe(false);
  expect(cores.note(3.5, 0.5, 2)).toBe(true);
  expect(cores.areTaken).toBe(true);
});

test('what waiting for other threads has cost too much is a fiftieth of the time until they are tried again', () => {
  const cores = new FreeCores();
  compute(cores, 20);
  expect(cores.note(10.5, 0.5, 2)).toBe(true);
  // 10 ms were lost.
  compute(cores, 499);
  expect(cores.areTaken).toBe(true);
  expect(cores.areThere()).toBe(false);
  compute(cores, 2);
  expect(cores.areTaken).toBe(false);
  expect(cores.areThere()).toBe(true);
});

test('what interrupts one thread alone takes no cores from the others', () => {
  const cores = new FreeCores();
  for (let call = 0; call < 20; call++) expect(cores.note(10, 0.5, 1)).toBe(true);
  expect(cores.areTaken).toBe(false);
  expect(cores.areThere()).toBe(false);
});
