import type { Command } from 'commander';
import { withCommonOptions, type CommonOptions, type Context, type Run } from './command.ts';
import { formatTable } from './format.ts';
import { deviceName, warnOfSoftwareAdapter } from './open-engine.ts';
import { commandDevices, keptFolder } from './node-platform.ts';

export function addVerify(program: Command, run: Run): void {
  withCommonOptions(
    program.command('verify').description('Compare every op, forward and gradient, with its reference on this device.'),
  ).action((options: CommonOptions) => run(options, verify));
}

async function verify(context: Context) {
  const [{ openDevice }, { verifyAndNote, wrongVariants }] = await Promise.all([
    import('../device/open-device.ts'),
    import('../engine/measure/verify.ts'),
  ]);
  const device = await openDevice(context.backend, commandDevices(context));
  warnOfSoftwareAdapter(device.info, context);
  const ops = await verifyAndNote(device, await keptFolder(), {
    signal: context.signal,
    onProgress: ({ done, total }) => context.progress.update('Verifying', done, total, 'ops'),
  });
  const wrong = ops.filter((result) => !result.ok);
  // A variant that is wrong here is not used here.
  const failed = wrong.filter(({ variant }) => variant === null);
  const refused = [...wrongVariants(ops)];
  const ok = failed.length === 0;
  const figure = (value: number | null) => (value === null ? 'none' : value.toExponential(1));
  const rows = ops.map((result) => [
    result.op,
    result.case,
    figure(result.forwardError),
    figure(result.gradientError),
    figure(result.bound),
    result.ok ? 'ok' : result.variant ? 'refused' : 'FAILED',
  ]);
  const verdict = ok
    ? `All ${refused.length > 0 ? 'other ' : ''}${ops.length - wrong.length} cases agree`
    : `${failed.length} of ${ops.length} cases fail`;
  const without = refused.length > 0 ? `\nRefused here, the default takes their place: ${refused.join(', ')}` : '';
  const table = formatTable([['op', 'case', 'forward', 'gradient', 'bound', ''], ...rows]);
  return {
    document: { ops, ok, refused, adapter: device.info.adapter },
    text: `${table}\n${verdict} on ${deviceName(device.info)}${without}`,
    failed: !ok,
  };
}
