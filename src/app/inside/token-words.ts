/** A token's text as it can be seen: blanks and line ends have signs of their own. */
export function tokenWords(text: string): string {
  return text.replace(/ /g, '␣').replace(/\n/g, '⏎').replace(/\t/g, '⇥') || '∅';
}

export function percent(share: number): string {
  const value = 100 * share;
  if (value > 0 && value < 0.05) return '< 0.1 %';
  return `${value >= 99.95 ? Math.round(value) : value.toFixed(1)} %`;
}

/** A difference of logarithms of probabilities, in nats. */
export function nats(value: number): string {
  const rounded = Math.abs(value) < 0.005 ? 0 : value;
  return `${rounded < 0 ? '−' : ''}${Math.abs(rounded).toFixed(2)}`;
}
