import type { AddedTokenJson } from './tokenizer-json.ts';
import type { Span } from './types.ts';

/** A stretch of ordinary text, or one added token. */
export type Section = { text: string } | { token: AddedTokenJson };

/**
 * Splits text at added tokens, leftmost and longest first.
 *
 * A token that touches a `literal` span is left as ordinary text, so that `<|im_end|>` typed by a user is ten
 * characters and not the end of the turn. Tokens of white space alone (GPT-NeoX has runs of blanks) control nothing
 * and are always split off.
 */
export function createAddedTokenSplitter(tokens: readonly AddedTokenJson[]): (text: string, literal: readonly Span[]) => Section[] {
  const byFirstUnit = new Map<string, AddedTokenJson[]>();
  for (const token of tokens) {
    const first = token.content.charAt(0);
    const bucket = byFirstUnit.get(first);
    if (bucket) bucket.push(token);
    else byFirstUnit.set(first, [token]);
  }
  for (const bucket of byFirstUnit.values()) bucket.sort((a, b) => b.content.length - a.content.length);

  return (text, literal) => {
    const sections: Section[] = [];
    let from = 0;
    let at = 0;
    let stripNext = false;
    const pushText = (end: number, stripEnd: boolean): void => {
      let piece = text.slice(from, end);
      if (stripNext) piece = piece.trimStart();
      if (stripEnd) piece = piece.trimEnd();
      if (piece) sections.push({ text: piece });
    };
    while (at < text.length) {
      const token = byFirstUnit
        .get(text.charAt(at))
        ?.find(({ content }) => text.startsWith(content, at) && mayControl(content, at, literal));
      if (!token) {
        at += 1;
        continue;
      }
      pushText(at, token.lstrip);
      sections.push({ token });
      at += token.content.length;
      from = at;
      stripNext = token.rstrip;
    }
    pushText(text.length, false);
    return sections;
  };
}

function mayControl(content: string, start: number, literal: readonly Span[]): boolean {
  const end = start + content.length;
  return content.trim() === '' || !literal.some((span) => span.start < end && start < span.end);
}
