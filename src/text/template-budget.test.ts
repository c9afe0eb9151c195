import { Template } from '@huggingface/jinja';
import { describe, expect, it } from 'vitest';
import { parseTemplate, renderWithinBudget } from './template-budget.ts';

const MESSAGES = [
  { role: 'user', content: 'Hello\nthere' },
  { role: 'assistant', content: '  <think>\nhm</think>\n\n Yes\n' },
];
const render = (source: string): string => renderWithinBudget(parseTemplate(source), { messages: MESSAGES });
const grow = (times: number, step: string): string =>
  `{% set ns = namespace(a='xy', b=[1]) %}{% for i in range(${times}) %}${step}{% endfor %}`;

describe('a template of a stranger', () => {
  it.each([
    ['a long loop', '{% for i in range(1000000000) %}x{% endfor %}'],
    [
      'loops in loops',
      '{% for a in range(9999) %}{% for b in range(9999) %}{% for c in range(9999) %}x{% endfor %}{% endfor %}{% endfor %}',
    ],
    ['empty loops in loops', '{% for a in range(49999) %}{% for b in range(49999) %}{% endfor %}{% endfor %}'],
    ['a macro that calls itself', '{% macro m(n) %}{{ m(n) }}{{ m(n) }}{% endmacro %}{{ m(1) }}'],
    ['a text that doubles', grow(60, '{% set ns.a = ns.a + ns.a %}') + '{{ ns.a }}'],
    ['a text that doubles otherwise', grow(60, '{% set ns.a = ns.a ~ ns.a %}') + '{{ ns.a|length }}'],
    ['a text that is repeated', "{{ 'x' * 1000000000 }}"],
    ['a list that doubles', grow(60, '{% set ns.b = ns.b + ns.b %}') + '{{ ns.b }}'],
    ['a list of itself twice', grow(60, '{% set ns.b = [ns.b, ns.b] %}') + '{{ ns.b }}'],
    ['a list of itself', grow(5000, '{% set ns.b = [ns.b] %}') + '{{ ns.b|tojson(indent=100) }}'],
    ['a mapping of itself twice', grow(60, "{% set ns.b = {'a': ns.b, 'b': ns.b} %}") + '{{ ns.b|tojson }}'],
    ['namespaces in each other', '{% set a = namespace() %}{% set b = namespace() %}{% set a.x = b %}{% set b.x = a %}{{ a }}'],
    ['namespaces in lists', '{% set a = namespace() %}{% set a.x = [a, a] %}{{ a }}'],
    ['a wide indent', "{{ ('x\n' * 3)|indent(1000000000) }}{{ 'x\ny'|indent(400000000) }}"],
    ['an unpacked indent', "{{ 'x\ny'|indent(*[400000000]) }}"],
    ['an indent of JSON', '{{ [[1]]|tojson(indent=400000000) }}'],
    ['an indented block', '{% filter indent(400000000) %}x\ny{% endfilter %}'],
    ['a text in every place', grow(18, '{% set ns.a = ns.a + ns.a %}') + "{{ ns.a|replace('', ns.a) }}"],
    ['the same as a method', grow(18, '{% set ns.a = ns.a + ns.a %}') + "{{ ns.a.replace('', ns.a) }}"],
    ['a joined text', grow(18, '{% set ns.a = ns.a + ns.a %}') + '{{ ns.a|join(ns.a) }}'],
    ['too long a text', grow(25, '{% set ns.a = ns.a + ns.a %}') + '{{ ns.a|upper|lower|title }}'],
  ])('with %s is stopped within its budget', (_, source) => {
    const start = performance.now();
    expect(() => render(source)).toThrow();
    expect(performance.now() - start).toBeLessThan(5000);
  });

  it.each([
    ['too long', 'x'.repeat(300_000)],
    ['blank for long', ' '.repeat(200_000)],
    ['of too many tokens', `{{ a${'.b'.repeat(100_000)} }}`],
    ['nested too deeply', `{{ ${'('.repeat(15_000)}1 }}`],
    ['open at its end', '{% for m in messages %}'],
  ])('that is %s is refused unread', (_, source) => {
    const start = performance.now();
    expect(() => parseTemplate(source)).toThrow();
    expect(performance.now() - start).toBeLessThan(5000);
  });

  it('has nothing of the program to reach for', () => {
    for (const name of ['constructor', '__proto__', 'process', 'globalThis', 'Function'])
      expect(render(`{{ ${name} is defined }}`)).toBe('false');
    expect(render("{{ messages.constructor is defined }}{{ ''.constructor is defined }}{{ range.constructor is defined }}")).toBe(
      'falsefalsefalse',
    );
  });
});

describe('within its budget', () => {
  it.each([
    "{% for m in messages %}{{ '<' + m.role + '>' + m['content'] | trim }}{% if not loop.last %};{% endif %}{% endfor %}",
    '{% for m in messages[::-1] %}{{ loop.index0 }}{{ m.content.split("</think>")[-1] }}{% endfor %}',
    '{% macro say(m, end="!") %}{{ m.role }}{{ end }}{% endmacro %}{{ say(messages[0]) }}{{ say(messages[1], end="?") }}',
    '{% set ns = namespace(n=0) %}{% for m in messages %}{% set ns.n = ns.n + 1 %}{% endfor %}{{ ns.n }}',
    '{{ messages | tojson(indent=2) }}{{ messages | map(attribute="role") | join(", ") }}',
    '{% filter upper %}{{ messages[0].role }}{% endfilter %}{{ strftime_now("%Y") | length }}{{ [] | first }}',
    '{% for i in range(3, 9, 2) %}{{ i }}{% else %}none{% endfor %}{% for i in range(9, 3, -2) %}{{ i }}{% endfor %}{{ True and not False }}{{ None }}',
    "{{ messages[0].content.replace('l', 'L', 1) }}{{ 'a b'.split() }}{{ messages[0].content | indent(2) }}",
  ])('%s gives what the library gives', (source) => {
    let expected: string | null = null;
    try {
      expected = new Template(source).render({ messages: MESSAGES });
    } catch {
      // What the library cannot do is no template either way.
    }
    if (expected === null) expect(() => render(source)).toThrow();
    else expect(render(source)).toBe(expected);
  });

  it('strips the characters that it is asked to strip, as Python does', () => {
    expect(render("[{{ '\n a\n'.lstrip('\n') }}][{{ 'a \n'.rstrip('\n') }}][{{ 'xyaxy'.strip('yx') }}][{{ ' a '.strip() }}]")).toBe(
      '[ a\n][a ][a][a]',
    );
  });

  it('a long conversation is an ordinary one', () => {
    const messages = Array.from({ length: 600 }, (_, i) => ({ role: i % 2 ? 'assistant' : 'user', content: 'word '.repeat(200) }));
    const source =
      "{% for m in messages %}{% set c = m.content | trim %}{% if '</think>' in c %}{% set c = c.split('</think>')[-1] %}{% endif %}" +
      "{{ '<|im_start|>' + m.role + '\n' + c + '<|im_end|>\n' }}{% endfor %}";
    expect(renderWithinBudget(parseTemplate(source), { messages }).length).toBeGreaterThan(600_000);
  });
});
