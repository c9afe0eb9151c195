import styles from './MethodPicture.module.css';
import type { Method } from './run-form.ts';

/**
 * The parts of a model in the order of the data, the trained ones filled.
 * @param crosses the model has gated cross-attention
 */
export function MethodPicture({ method, crosses }: { method: Method; crosses: boolean }) {
  const connector = method === 'connector' || method === 'decoder';
  const cross = method === 'cross-attention' || (method === 'decoder' && crosses);
  const decoder = method === 'decoder';
  return (
    <svg viewBox="0 0 150 54" className={styles.picture} aria-hidden="true">
      <path d="M38 27h8M74 27h8" className={styles.wire} />
      <rect x="2" y="13" width="36" height="28" rx="4" />
      <text x="20" y="30">
        vision
      </text>
      <rect x="46" y="17" width="28" height="20" rx="4" data-on={connector || undefined} />
      <text x="60" y="30">
        conn.
      </text>
      <rect x="82" y="4" width="64" height="46" rx="4" data-on={decoder || undefined} />
      <text x="114" y={method === 'lora' ? 16 : crosses ? 18 : 30}>
        decoder
      </text>
      {crosses && (
        <>
          <rect x="88" y="25" width="52" height="9" rx="2" data-on={cross || undefined} className={styles.part} />
          {method !== 'lora' && (
            <text x="114" y="45">
              cross-att.
            </text>
          )}
        </>
      )}
      {method === 'lora' && (
        <>
          <path d="M90 21h20l-6 5h-8zM90 31h20l-6-5h-8z" className={styles.adapter} transform="translate(0 12)" />
          <path d="M90 21h20l-6 5h-8zM90 31h20l-6-5h-8z" className={styles.adapter} transform="translate(28 12)" />
        </>
      )}
    </svg>
  );
}
