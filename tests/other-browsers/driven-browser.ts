/** A browser that the suite drives, whatever protocol it speaks. */
export interface DrivenBrowser {
  name: 'Firefox' | 'WebKit';
  version: string;
  open(url: string): Promise<void>;
  /** Runs `code`, the body of an async function of `args`, in the page; its result as JSON. @throws Error with what it threw */
  run<T>(code: string, ...args: unknown[]): Promise<T>;
  close(): Promise<void>;
}

/** An expression that runs `code` and gives what came of it as text: each protocol has its own way with exceptions. */
export function asExpression(code: string, args: unknown[]): string {
  return `(async (args) => {
    try {
      return JSON.stringify({ value: await (async () => { ${code} })() });
    } catch (error) {
      return JSON.stringify({ error: String(error?.message ?? error) });
    }
  })(${JSON.stringify(args)})`;
}

export function resultOf<T>(text: string): T {
  const { value, error } = JSON.parse(text) as { value: T; error?: string };
  if (error !== undefined) throw new Error(error);
  return value;
}
