import { describe, expect, it } from 'vitest';
import type { RunRecord } from '../../../engine/runs/training-api.ts';
import { reportHtml, reportJson } from './report.ts';

const EVIL = '</td><script>alert(1)</script><img src=x onerror=alert(2)>';

const record: RunRecord = {
  summary: {
    id: 'r1',
    title: EVIL,
    request: {
      title: EVIL,
      model: { kind: 'bundled', id: 'nano-d' },
      run: { model: 'nano-d', data: 'cards', steps: 3, note: EVIL },
      sampleEvery: 1,
      samples: 1,
      heldOutEvery: 1,
    },
    state: 'finished',
    step: 3,
    steps: 3,
    createdAt: Date.UTC(2026, 0, 2, 3, 4),
    changedAt: 0,
    bytes: 10,
    note: null,
    result: 'adapter',
    needsModel: false,
  },
  log: [0, 1, 2].map((step) => ({
    step,
    loss: 3 - step,
    lr: 0.001,
    gradNorm: 1,
    tokens: 10,
    ms: 5,
    heldOutLoss: 2 - step / 2,
  })),
  samples: [
    { step: 0, record: 'a', question: EVIL, picture: 'p.png', expected: 'a star', answer: EVIL },
    { step: 3, record: 'a', question: EVIL, picture: 'p.png', expected: 'a star', answer: 'a star' },
    { step: 3, record: 'b', question: 'q', picture: 'evil', expected: 'x', answer: 'y' },
  ],
};
const pictures = new Map([
  ['p.png', 'data:image/png;base64,AAAA'],
  ['evil', 'javascript:alert(1)'],
]);

describe('report of a run', () => {
  const html = reportHtml({ record, device: null, pictures });

  it('draws the course and says the figures', () => {
    expect(html.match(/<svg/g)!.length).toBeGreaterThanOrEqual(4);
    expect(html).toContain('0.001');
    expect(html).toContain('Lowest held-out loss');
    expect(html).toContain('1 at step 3');
    expect(html).toContain('2026-01-02 03:04 UTC');
    expect(html).not.toContain('NaN');
  });

  it('shows text as text, takes data URLs of images alone, and needs nothing from elsewhere', () => {
    expect(html).not.toContain('<script');
    expect(html).not.toMatch(/<img(?! src="data:image\/)/);
    expect(html).not.toMatch(/(?:src|href)="(?!data:image\/)/);
    expect(html).toContain('&lt;script&gt;');
    expect(html.match(/<img/g)).toHaveLength(1);
  });

  it('is also JSON, whole', () => {
    const json = JSON.parse(reportJson({ record, device: null, pictures })) as RunRecord & { format: string };
    expect(json.format).toBe('nvlm-run-report');
    expect(json.log).toHaveLength(3);
    expect(json.samples).toEqual(record.samples);
  });

  it('counts right answers by question and label, in both forms', () => {
    const answers = [
      ['a', 'cat', 'cat'],
      ['b', 'cat', 'dog'],
      ['c', 'dog', '<i>bird</i>'],
    ];
    const samples = [0, 3].flatMap((step) =>
      answers.map(([name, expected, answer]) => ({
        step,
        record: name!,
        question: '<image>\nWhich <pet>?',
        picture: null,
        expected: expected!,
        answer: step === 0 ? 'nothing' : answer!,
      })),
    );
    const { accuracy } = JSON.parse(reportJson({ record: { ...record, samples }, device: null, pictures })) as {
      accuracy: Record<'base' | 'tuned', unknown[]>;
    };
    expect(accuracy.base).toMatchObject([
      {
        asked: 3,
        right: 0,
        confusion: {
          counts: [
            [0, 0, 2],
            [0, 0, 1],
          ],
        },
      },
    ]);
    expect(accuracy.tuned).toMatchObject([
      {
        question: 'Which <pet>?',
        asked: 3,
        right: 1,
        labels: [
          { label: 'cat', asked: 2, right: 1 },
          { label: 'dog', asked: 1, right: 0 },
        ],
        confusion: {
          labels: ['cat', 'dog'],
          counts: [
            [1, 1, 0],
            [0, 0, 1],
          ],
        },
      },
    ]);
    const table = reportHtml({ record: { ...record, samples }, device: null, pictures });
    expect(table).toContain('<td>Which &lt;pet&gt;?</td><td>0 of 3 (0 %)</td><td>1 of 3 (33 %)</td>');
    expect(table).toContain('<tr><th>cat</th><td>1</td><td>1</td><td>0</td><td>1 of 2 (50 %)</td></tr>');
    expect(table).not.toContain('<i>');
  });

  it('is there for a run without a single step too', () => {
    const empty = { ...record, log: [], samples: [] };
    expect(reportHtml({ record: empty, device: null, pictures })).not.toContain('undefined');
  });
});
