import type { TurnStage } from '../state/chat-slice.ts';

/** What is going on, in words: nobody waits without knowing for what. */
export function stageText(stage: TurnStage | null, model: string): string {
  switch (stage?.stage) {
    case undefined:
      return 'Handing the question to the engine';
    case 'model':
      return `Waiting for ${model} to load`;
    case 'image':
      return 'Decoding the picture and cutting it into tiles';
    case 'vision':
      return `Vision encoder: tile ${Math.min(stage.done + 1, stage.total)} of ${stage.total}`;
    case 'prefill':
      return stage.total > 1 ? `Prefill: reading ${stage.total} tokens` : 'Prefill: reading picture and question';
    case 'decode':
      return stage.done === 0 ? 'Writing the first token' : `Writing token ${stage.done + 1}`;
  }
}
