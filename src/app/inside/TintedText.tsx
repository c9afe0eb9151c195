import type { CSSProperties } from 'react';
import type { InsideTrace } from '../../engine/inside/inside-api.ts';
import styles from './TintedText.module.css';
import { percent, tokenWords } from './token-words.ts';

interface Props {
  about: InsideTrace;
  /** By position: how strongly a token is tinted; nothing for those of which nothing is known. */
  tint: ReadonlyMap<number, number>;
  title: string;
}

/** Strongest tints on which every ink of either theme is still read easily. */
const STRONGEST = { light: 66, dark: 42 } as const;

/** Bent, so that small numbers can be seen beside a large one. @param share of the largest */
function tintOf(share: number): CSSProperties {
  const percent = (most: number) => `${Math.round(most * Math.sqrt(share))}%`;
  return { '--tint': percent(STRONGEST.light), '--tint-dark': percent(STRONGEST.dark) } as CSSProperties;
}

/** Prompt and answer, token by token, each tinted by its number; where the picture's cells stand there is a gap. */
export function TintedText({ about, tint, title }: Props) {
  const answerStart = about.promptTokens;
  const largest = Math.max(...tint.values(), 1e-9);
  const tokens = [
    ...about.prompt.map(({ position, text, kind }) => ({ position, text, kind: kind as string })),
    ...about.answer.map(({ text }, at) => ({ position: answerStart + at, text, kind: 'answer' })),
  ];
  return (
    <section aria-label={title}>
      <h3 className={styles.title}>{title}</h3>
      <p className={styles.text}>
        {tokens.map(({ position, text, kind }, at) => {
          const value = tint.get(position);
          const gap = at > 0 && position > tokens[at - 1]!.position + 1 ? position - tokens[at - 1]!.position - 1 : 0;
          return (
            <span key={position}>
              {gap > 0 && <span className={styles.cells} title={`${gap} cells of the picture`}>{`▦ ${gap}`}</span>}
              <span
                className={styles.token}
                data-kind={kind}
                title={value === undefined ? undefined : percent(value)}
                style={value === undefined ? undefined : tintOf(value / largest)}
              >
                {tokenWords(text)}
              </span>
            </span>
          );
        })}
      </p>
    </section>
  );
}
