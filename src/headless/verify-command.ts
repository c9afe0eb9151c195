import type { Command } from 'commander';
import { withCommonOptions, type CommonOptions, type Context, type Run } from './command.ts';
import { formatTable } from './format.ts';
import { deviceName, warnOfSoftwareAdapter } from './open-engine.ts';
import { commandDevices } from './node-platform.ts';

export function addVerify(program: Command, run: Run): void {
  withCommonOptions(
    program.command('verify').description('Compare every op, forward and gradient, with its reference on this device.'),
  ).action((options: CommonOptions) => run(options, verify));
}

async function verify(context: Context) {
  const [{ openDevice }, { verifyOps }] = await Promise.all([import('../device/open-device.ts'), import('../engine/measure/verify.ts')]);
  const device = await openDevice(context.backend, commandDevices(context));
  warnOfSoftwareAdapter(device.info, context);
  const ops = await verifyOps(device, {
    signal: context.signal,
    onProgress: ({ done, total }) => context.progress.update('Verifying', done, total, 'ops'),
  });
  const ok = ops.every((result) => result.ok);
  const figure = (value: number | null) => (value === null ? 'none' : value.toExponential(1));
  const rows = ops.map((result) => [
    result.op,
    result.case,
    figure(result.forwardError),
    figure(result.gradientError),
    figure(result.bound),
    result.ok ? 'ok' : 'FAILED',
  ]);
  const verdict = ok ? `All ${ops.length} cases agree` : `${ops.filter((result) => !result.ok).length} of ${ops.length} cases fail`;
  const table = formatTable([['op', 'case', 'forward', 'gradient', 'bound', ''], ...rows]);
  return {
    document: { ops, ok, adapter: device.info.adapter },
    text: `${table}\n${verdict} on ${deviceName(device.info)}`,
    failed: !ok,
  };
}
