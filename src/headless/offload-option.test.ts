import { Command } from 'commander';
import { expect, it } from 'vitest';
import { offloadOf, withOffloadOptions, type OffloadFlags } from './offload-option.ts';

function budgetOf(...args: string[]): number | undefined {
  const command = withOffloadOptions(new Command().exitOverride().configureOutput({ writeErr: () => undefined }));
  return offloadOf(command.parse(args, { from: 'user' }).opts<OffloadFlags>())?.budgetBytes;
}

it('takes a budget in MB or GB, 2 GB when none is given, and none without offloading', () => {
  expect(budgetOf()).toBeUndefined();
  expect(budgetOf('--offload')).toBe(2e9);
  expect(budgetOf('--offload', '--device-budget', '800MB')).toBe(8e8);
  expect(budgetOf('--offload', '--device-budget', '1.5gb')).toBe(1.5e9);
});

it.each(['800', '0MB', '-1GB', '1TB', 'MB', '1e3MB', ''])('refuses a budget of “%s”', (size) => {
  expect(() => budgetOf('--offload', '--device-budget', size)).toThrow('Give a size such as 800MB or 2GB.');
});

it('refuses a budget of what is not offloaded', () => {
  expect(() => budgetOf('--device-budget', '1GB')).toThrow('--offload is missing');
});
