/** What a visitor set and would not want to set again. With storage forbidden or full it lasts as long as the page. */
export interface Preferences {
  read<T>(name: string, valid: (value: unknown) => value is T): T | null;
  write(name: string, value: unknown): void;
}

export function createPreferences(storage: Pick<Storage, 'getItem' | 'setItem'> | null = browserStorage()): Preferences {
  return {
    read(name, valid) {
      try {
        const value: unknown = JSON.parse(storage?.getItem(`nvlm.${name}`) ?? 'null');
        return valid(value) ? value : null;
      } catch {
        return null;
      }
    },
    write(name, value) {
      try {
        storage?.setItem(`nvlm.${name}`, JSON.stringify(value));
      } catch {
        // Full or forbidden: the setting still holds in memory.
      }
    },
  };
}

function browserStorage(): Storage | null {
  try {
    return window.localStorage;
  } catch {
    return null;
  }
}
