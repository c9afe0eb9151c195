/** Longer cells are no lists that anybody wrote. */
const LONGEST = 2 ** 20;

/** A list or object that stands in a cell of text: as JSON, or as Python prints it. Undefined for other text. */
export function listFrom(text: string): unknown {
  if (text.length > LONGEST || !/^\s*[[{(]/.test(text)) return undefined;
  for (const spelling of [text, fromPython(text)]) {
    try {
      return JSON.parse(spelling) as unknown;
    } catch {
      // The other spelling, or ordinary text that begins with a bracket.
    }
  }
  return undefined;
}

const WORDS = new Map([
  ['None', 'null'],
  ['nan', 'null'],
  ['True', 'true'],
  ['False', 'false'],
]);

/** Python's literals in JSON's spelling: quotes, tuples, None; what is none stays as it is. */
function fromPython(text: string): string {
  let out = '';
  for (let at = 0; at < text.length; ) {
    const char = text[at]!;
    if (char === "'" || char === '"') {
      const end = closingQuote(text, at);
      out += JSON.stringify(unescaped(text.slice(at + 1, end)));
      at = end + 1;
    } else if (/[A-Za-z]/.test(char)) {
      const word = /[A-Za-z]*/y;
      word.lastIndex = at;
      const [name] = word.exec(text)!;
      out += WORDS.get(name) ?? name;
      at += name.length;
    } else {
      if (char === ')' || char === ']' || char === '}') out = out.replace(/,\s{0,9}$/, '');
      out += char === '(' ? '[' : char === ')' ? ']' : char;
      at += 1;
    }
  }
  return out;
}

/** Of the quote at `at`; the text's length when it is never closed. */
function closingQuote(text: string, at: number): number {
  for (let i = at + 1; i < text.length; i++) {
    if (text[i] === '\\') i += 1;
    else if (text[i] === text[at]) return i;
  }
  return text.length;
}

const ESCAPES = new Map([
  ['n', '\n'],
  ['t', '\t'],
  ['r', '\r'],
  ['\n', ''],
]);

function unescaped(text: string): string {
  return text.replace(/\\(?:x([0-9a-f]{2})|u([0-9a-f]{4})|(.))/gis, (_, x?: string, u?: string, other?: string) => {
    const code = x ?? u;
    return code === undefined ? (ESCAPES.get(other!) ?? other!) : String.fromCharCode(parseInt(code, 16));
  });
}
