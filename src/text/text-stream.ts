import type { Tokenizer } from './types.ts';

export interface TextStream {
  /** Text that this token completed; empty while it ends inside a character. */
  push(id: number): string;
  /** What is still held back (an unfinished character becomes U+FFFD); the stream starts afresh. */
  flush(): string;
}

const REPLACEMENT = '\ufffd';

/**
 * Incremental detokeniser: everything pushed and flushed, joined, equals `decode` of all ids with
 * `skipSpecialTokens`.
 *
 * A decoder may treat the first token differently (SentencePiece drops its blank), so each decode starts at the last
 * piece of text that ended on a whole character and only what follows it is new. A trailing U+FFFD may still become a
 * character with the next token and waits; whatever stands before it is settled.
 */
export function createTextStream(tokenizer: Tokenizer): TextStream {
  const decode = (ids: number[]): string => tokenizer.decode(ids, { skipSpecialTokens: true });
  let context: number[] = [];
  let pending: number[] = [];
  let contextText = '';
  let emitted = 0;

  const take = (hold: boolean): string => {
    const fresh = decode([...context, ...pending]).slice(contextText.length);
    const incomplete = fresh.endsWith(REPLACEMENT);
    const text = fresh.slice(emitted, hold && incomplete ? -1 : undefined);
    emitted += text.length;
    if (!incomplete && fresh !== '') {
      context = pending;
      contextText = decode(context);
      pending = [];
      emitted = 0;
    }
    return text;
  };

  return {
    push: (id) => {
      pending.push(id);
      return take(true);
    },
    flush: () => {
      const text = take(false);
      context = [];
      pending = [];
      contextText = '';
      emitted = 0;
      return text;
    },
  };
}
