import type { Command } from 'commander';
import type { Run } from './command.ts';
import { addDataCheck } from './data-check-command.ts';
import { addDataDesk } from './data-desk-command.ts';

export function addData(program: Command, run: Run): void {
  const data = program.command('data').description('Make data sets, and look at what is read of them.');
  addDataDesk(data, run);
  addDataCheck(data, run);
}
