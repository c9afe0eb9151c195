import { useEffect, useState } from 'react';
import type { SegmentKind } from '../../text/types.ts';
import styles from './ink.module.css';

const NAMES = [
  'textFill',
  'textInk',
  'tagFill',
  'tagInk',
  'visualFill',
  'visualInk',
  'answerFill',
  'answerInk',
  'focus',
  'surface',
  'faint',
  'label',
] as const;

/** Colours for canvases, and the font of token words, as the style sheet has them now. */
export type Ink = Record<(typeof NAMES)[number] | 'font', string>;

export function inkOf(ink: Ink, kind: SegmentKind): { fill: string; ink: string } {
  return { fill: ink[`${kind}Fill`], ink: ink[`${kind}Ink`] };
}

/** A canvas knows no custom properties and no `light-dark()`: an element computes each colour for it. */
function readInk(): Ink {
  const probe = document.createElement('span');
  probe.hidden = true;
  document.body.append(probe);
  const ink = { font: '' } as Ink;
  for (const name of NAMES) {
    probe.className = styles[name] ?? '';
    ink[name] = getComputedStyle(probe).color;
  }
  ink.font = getComputedStyle(probe).fontFamily;
  probe.remove();
  return ink;
}

/** Read anew when the theme changes, by the system or by the page's own switch. */
export function useInk(): Ink {
  const [ink, setInk] = useState(readInk);
  useEffect(() => {
    const update = () => setInk(readInk());
    const query = window.matchMedia('(prefers-color-scheme: dark)');
    const observer = new MutationObserver(update);
    observer.observe(document.documentElement, { attributes: true, attributeFilter: ['data-theme'] });
    query.addEventListener('change', update);
    update();
    return () => {
      observer.disconnect();
      query.removeEventListener('change', update);
    };
  }, []);
  return ink;
}
