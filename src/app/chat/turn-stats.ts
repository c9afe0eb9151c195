import { formatCount, formatDuration, formatRate, plural } from '../format.ts';
import type { BaseAnswer } from '../state/chat-slice.ts';

export interface TurnStat {
  label: string;
  value: string;
  /** What is counted, for the tooltip. */
  hint: string;
}

/** Tokens a second while decoding; the first token belongs to the prefill. null: too few tokens to tell. */
export function decodeRate(turn: BaseAnswer): number | null {
  const { result } = turn;
  if (result) return rate(result.usage.completionTokens - 1, result.timings.decodeMs);
  if (turn.firstTokenAt === null || turn.lastTokenAt === null) return null;
  return rate(turn.tokens - 1, turn.lastTokenAt - turn.firstTokenAt);
}

function rate(tokens: number, ms: number): number | null {
  return tokens > 0 && ms > 0 ? (tokens * 1000) / ms : null;
}

/** The figures below an answer, those that are known so far. */
export function turnStats(turn: BaseAnswer): TurnStat[] {
  const stats: TurnStat[] = [];
  const perSecond = decodeRate(turn);
  if (perSecond !== null) {
    stats.push({
      label: 'Speed',
      value: `${formatRate(perSecond)} tokens/s`,
      hint: 'Tokens after the first, by the time they took',
    });
  }
  const firstTokenMs = turn.result?.timings.firstTokenMs ?? (turn.firstTokenAt === null ? null : turn.firstTokenAt - turn.askedAt);
  if (firstTokenMs !== null) {
    stats.push({
      label: 'First token',
      value: `first after ${formatDuration(firstTokenMs)}`,
      hint: 'From the question to the first token',
    });
  }
  if (turn.result) {
    const { promptTokens, visualTokens, completionTokens } = turn.result.usage;
    stats.push({
      label: 'Written',
      value: `${plural(completionTokens, 'token')} written`,
      hint: 'Tokens of the answer',
    });
    stats.push({
      label: 'Read',
      value: `${formatCount(promptTokens)} read, ${formatCount(visualTokens)} visual`,
      hint: 'Tokens of the prompt, and how many visual tokens the picture made',
    });
  }
  return stats;
}
