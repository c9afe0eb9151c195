import type { AnswerToken, TokenOdds } from './inside-api.ts';

const ALTERNATIVES = 5;

/**
 * The odds of one place of the answer.
 *
 * @param logits [V]
 * @param id what was said there
 * @param banned what can never be said: it has no probability
 */
export function oddsOf(logits: Float32Array, id: number, banned: number | null, textOf: (id: number) => string): AnswerToken {
  let largest = -Infinity;
  const top: number[] = [];
  for (let at = 0; at < logits.length; at++) {
    if (at === banned) continue;
    const value = logits[at]!;
    if (value > largest) largest = value;
    if (top.length === ALTERNATIVES && value <= logits[top[ALTERNATIVES - 1]!]!) continue;
    let place = top.length;
    while (place > 0 && logits[top[place - 1]!]! < value) place--;
    top.splice(place, 0, at);
    if (top.length > ALTERNATIVES) top.pop();
  }
  let sum = 0;
  for (let at = 0; at < logits.length; at++) if (at !== banned) sum += Math.exp(logits[at]! - largest);
  const log = largest + Math.log(sum);
  const odds = (token: number): TokenOdds => ({ id: token, text: textOf(token), logp: logits[token]! - log });
  return { ...odds(id), top: top.map(odds) };
}
