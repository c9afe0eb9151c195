import { useEffect, useState } from 'react';
import type { InsideTrace } from '../../engine/inside/inside-api.ts';
import type { StoredLook, StoredLooks } from '../../engine/inside/stored-looks.ts';
import type { SharedImage } from '../state/image-slice.ts';
import { KINDS, type Looks } from './cells.ts';

export interface Stored {
  about: InsideTrace;
  looks: Looks;
  worth: number[][];
}

const files = new Map<string, Promise<StoredLooks | null>>();

/** What is stored of an example's first question, to be shown until the model is there; null where nothing is. */
export function useStored(model: string, image: SharedImage | null, question: string, wanted: boolean): Stored | null {
  const [stored, setStored] = useState<Stored | null>(null);
  const example = image?.origin.kind === 'example' ? image.origin.id : null;
  useEffect(() => {
    setStored(null);
    if (!wanted || example === null || !/^nano-[dxh]$/.test(model)) return;
    let gone = false;
    void fileOf(model).then((looks) => {
      const look = looks && Object.hasOwn(looks, example) ? looks[example]! : null;
      if (!gone && look?.question === question) setStored(unpacked(look));
    });
    return () => {
      gone = true;
    };
  }, [model, example, question, wanted]);
  return stored;
}

/** Fetched once; without it the screen waits for the model like any other. */
function fileOf(model: string): Promise<StoredLooks | null> {
  let file = files.get(model);
  if (!file) {
    file = fetch(new URL(`inside/${model}.json`, document.baseURI))
      .then((response) => (response.ok ? (response.json() as Promise<StoredLooks>) : null))
      .catch(() => null);
    files.set(model, file);
  }
  return file;
}

function unpacked({ about, looks, worth }: StoredLook): Stored {
  const rows: Looks = { self: null, cross: null };
  for (const kind of KINDS) {
    const look = looks[kind];
    if (look)
      rows[kind] = { values: Float32Array.from(look.values, (value) => value * look.step), rows: about.answer.length, keys: look.keys };
  }
  return { about: { ...about, trace: 0 }, looks: rows, worth };
}
