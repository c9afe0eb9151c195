import { expect, it } from 'vitest';
import type { RunRequest } from '../../engine/runs/training-api.ts';
import { settingsDiff } from './settings-diff.ts';

const request = (run: Record<string, unknown>, id = 'nano-d'): RunRequest => ({
  title: '',
  model: { kind: 'bundled', id },
  run,
  sampleEvery: 0,
  samples: 0,
  heldOutEvery: 0,
});

it('says what changed, wherever it stands in the run file', () => {
  const before = request({ steps: 10, optimizer: { lr: 1e-3 }, lora: { targets: ['q_proj', 'v_proj'] } });
  expect(settingsDiff(before, before)).toBe('nothing');
  expect(settingsDiff(before, request({ steps: 10, optimizer: { lr: 5e-4 }, lora: { targets: ['q_proj', 'v_proj'] } }))).toBe(
    'lr 0.001 → 0.0005',
  );
  expect(settingsDiff(before, request({ steps: 20, seed: 2, optimizer: { lr: 1e-3 } }, 'nano-x'))).toBe(
    'model nano-d → nano-x, steps 10 → 20, targets q_proj+v_proj → – and 1 more',
  );
});
