import { RE2JS } from 're2js';
import { unsupportedPattern } from './tokenizer-json.ts';

/**
 * Split patterns of published tokenizers, which run on the engine's own regular expressions: their alternatives take
 * what they begin, so none of them goes back over the text again and again.
 */
const PUBLISHED: ReadonlySet<string> = new Set([
  // GPT-2
  "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+",
  // cl100k: GPT-4, Llama 3, Phi-4
  "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+",
  // Qwen2, Qwen2.5, Qwen3 and InternVL on them
  "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+",
]);

/** White space but for the last before a word, then white space: the end of most split patterns, as the library writes it. */
const BLANKS_BEFORE_WORDS = '|\\p{White_Space}+(?!\\P{White_Space})|\\p{White_Space}+';

/** Far longer than any published one. */
const MAX_PATTERN = 4000;

/** A search for the next match is linear, one for all of them may not be: what it may take, and for each character. */
const [MS, MS_EACH] = [1000, 0.02];

/**
 * Refuses patterns that are longer than any tokenizer needs, before the library reads them.
 *
 * @param part normaliser, pre-tokeniser or decoder of a tokenizer.json, untrusted
 * @throws NvlmError `unsupported-model`
 */
export function checkPatterns(part: unknown): void {
  if (typeof part !== 'object' || part === null) return;
  for (const [key, value] of Object.entries(part)) {
    const isLong = key === 'Regex' && typeof value === 'string' && value.length > MAX_PATTERN;
    if (isLong) throw unsupportedPattern(value, `it is ${value.length} characters long`);
    checkPatterns(value);
  }
}

/**
 * Has the patterns of a tokenizer take a time in proportion to the text, whatever they are: published ones stay as they
 * are, all others run on RE2, which never goes back over what it has read.
 *
 * @param part normaliser, pre-tokeniser or decoder as the library has built it
 * @throws NvlmError `unsupported-model` for what RE2 cannot do: looking around, back-references
 */
export function makePatternsLinear(part: unknown, seen = new Set<unknown>()): void {
  // The library's parts are functions with properties.
  if ((typeof part !== 'object' && typeof part !== 'function') || part === null || seen.has(part)) return;
  seen.add(part);
  const { config, pattern } = part as { config?: { pattern?: { Regex?: unknown } }; pattern?: unknown };
  const written = config?.pattern?.Regex;
  if (typeof written === 'string' && pattern instanceof RegExp && !PUBLISHED.has(written)) {
    (part as { pattern: unknown }).pattern = new LinearPattern(written, pattern.source);
  }
  for (const [key, value] of Object.entries(part)) {
    if (key !== 'config' && (Array.isArray(value) || typeof value === 'function')) makePatternsLinear(value, seen);
  }
}

/** A pattern in all that strings ask of a regular expression with `g`. */
class LinearPattern {
  readonly flags = 'gu';
  private readonly pattern: RE2JS;
  /** The last alternative takes blanks, and leaves the last of them to the word that follows. */
  private readonly blanksGroup: number | null = null;

  /** @param source of the expression that the library has made of it */
  constructor(
    private readonly written: string,
    source: string,
  ) {
    const leavesBlank = source.endsWith(BLANKS_BEFORE_WORDS);
    const body = leavesBlank ? `(?:${source.slice(0, -BLANKS_BEFORE_WORDS.length)})|(\\p{White_Space}+)` : source;
    try {
      this.pattern = RE2JS.compile(toRe2(body));
    } catch (error) {
      throw unsupportedPattern(written, error instanceof Error ? error.message : String(error));
    }
    if (leavesBlank) this.blanksGroup = this.pattern.groupCount();
  }

  [Symbol.match](text: string): string[] | null {
    const found = [...this.spans(text)].map(([start, end]) => text.slice(start, end));
    return found.length > 0 ? found : null;
  }

  *[Symbol.matchAll](text: string): Generator<{ 0: string; index: number }> {
    for (const [start, end] of this.spans(text)) yield { 0: text.slice(start, end), index: start };
  }

  /** `content` is what tokenizers mean by it: plain text. */
  [Symbol.replace](text: string, content: string): string {
    let replaced = '';
    let from = 0;
    for (const [start, end] of this.spans(text)) {
      replaced += text.slice(from, start) + content;
      from = end;
    }
    return replaced + text.slice(from);
  }

  [Symbol.split](text: string): string[] {
    const parts: string[] = [];
    let from = 0;
    for (const [start, end] of this.spans(text)) {
      if (end === start) continue;
      parts.push(text.slice(from, start));
      from = end;
    }
    return [...parts, text.slice(from)];
  }

  private *spans(text: string): Generator<[start: number, end: number]> {
    const matcher = this.pattern.matcher(text);
    const deadline = performance.now() + MS + MS_EACH * text.length;
    let at = 0;
    while (at <= text.length && matcher.find(at)) {
      const start = matcher.start();
      let end = matcher.end();
      const isBlank = this.blanksGroup !== null && matcher.start(this.blanksGroup) >= 0;
      // White space has one code unit each.
      if (isBlank && end - start > 1 && end < text.length) end -= 1;
      yield [start, end];
      if (performance.now() > deadline) throw unsupportedPattern(this.written, 'it takes far too long');
      at = end > start ? end : end + (text.codePointAt(end)! > 0xffff ? 2 : 1);
    }
  }
}

/** How the library spells the ends of lines and of the text, and how RE2 does. */
const ANCHORS: readonly [javaScript: string, re2: string][] = [
  ['(?:(?<![\\s\\S])|(?<=\\n))', '(?m:^)'],
  ['(?:(?=\\n)|(?![\\s\\S]))', '(?m:$)'],
  ['(?<![\\s\\S])', '\\A'],
  ['(?![\\s\\S])', '\\z'],
];

/** The library's JavaScript as RE2 spells it. */
function toRe2(source: string): string {
  return ANCHORS.reduce((text, [javaScript, re2]) => text.replaceAll(javaScript, re2), source)
    .replace(/\\u\{([0-9A-Fa-f]+)\}/g, '\\x{$1}')
    .replace(/\\u([0-9A-Fa-f]{4})/g, '\\x{$1}')
    .replace(/\\([pP])\{(?:Script|sc|General_Category|gc)=(\w+)\}/g, '\\$1{$2}')
    .replace(/\[\^\]/g, '[\\s\\S]');
}
