/** 16-px line icons. Always decorative: the control around one carries the words. */
const PATHS = {
  chat: 'M2.5 4a1.5 1.5 0 0 1 1.5-1.5h8A1.5 1.5 0 0 1 13.5 4v5.5A1.5 1.5 0 0 1 12 11H7l-3.2 2.6V11A1.4 1.4 0 0 1 2.5 9.5z',
  tiles: 'M2.5 2.5h4.6v4.6H2.5zM8.9 2.5h4.6v4.6H8.9zM2.5 8.9h4.6v4.6H2.5zM8.9 8.9h4.6v4.6H8.9z',
  inside: 'M1.8 8S4 3.6 8 3.6 14.2 8 14.2 8 12 12.4 8 12.4 1.8 8 1.8 8zM8 10a2 2 0 1 0 0-4 2 2 0 0 0 0 4z',
  compare: 'M2.5 3h3v10h-3zM6.6 3h3v10h-3zM10.7 3h3v10h-3z',
  finetune: 'M2.5 2.5v11h11M4.8 5.2c.6 4.2 2.6 5.4 8.4 5.6M11 4.2l2.4 0M12.2 3v2.4',
  lab: 'M6 2.5h4M6.7 2.5v4L3 12.4a.8.8 0 0 0 .7 1.1h8.6a.8.8 0 0 0 .7-1.1L9.3 6.5v-4M5 9.5h6',
  models: 'M8 1.9 13.6 5v6L8 14.1 2.4 11V5zM2.6 5.1 8 8.2l5.4-3.1M8 8.2v5.7',
  device: 'M4 4h8v8H4zM6.5 6.5h3v3h-3zM6 4V2M10 4V2M6 14v-2M10 14v-2M4 6H2M4 10H2M14 6h-2M14 10h-2',
  image: 'M2.5 3.5h11v9h-11zM2.8 11.2l3.4-3.4 2.6 2.6 1.8-1.8 2.6 2.6M10.4 6.2h.01',
  paste: 'M5.5 3H4v10.5h8V3h-1.5M5.8 2h4.4v2.4H5.8z',
  camera: 'M2 5h2.8l1-1.7h4.4l1 1.7H14v8H2zM8 11.2a2.4 2.4 0 1 0 0-4.8 2.4 2.4 0 0 0 0 4.8z',
  pencil: 'M3 13l.6-2.8L10.9 3 13 5.1l-7.2 7.3zM9.6 4.3l2.1 2.1',
  send: 'M8 13V3M3.8 7.2 8 3l4.2 4.2',
  stop: 'M4.5 4.5h7v7h-7z',
  play: 'M5 3.2v9.6L12.6 8z',
  pause: 'M5.5 3.5v9M10.5 3.5v9',
  retry: 'M13 8a5 5 0 1 1-1.5-3.6L13 5.9M13 2.6v3.3H9.7',
  copy: 'M5.5 5.5h8v8h-8zM10.5 5.5v-3h-8v8h3',
  check: 'M3 8.5l3.2 3.2L13 4.8',
  close: 'M4 4l8 8M12 4l-8 8',
  sliders: 'M2.5 5h6M11.5 5h2M10 3.4v3.2M2.5 11h2M7.5 11h6M6 9.4v3.2',
  sun: 'M8 10.8a2.8 2.8 0 1 0 0-5.6 2.8 2.8 0 0 0 0 5.6zM8 1.5v1.4M8 13.1v1.4M1.5 8h1.4M13.1 8h1.4M3.4 3.4l1 1M11.6 11.6l1 1M12.6 3.4l-1 1M4.4 11.6l-1 1',
  moon: 'M13.2 9.6A5.6 5.6 0 0 1 6.4 2.8a5.6 5.6 0 1 0 6.8 6.8z',
  half: 'M8 13.5a5.5 5.5 0 1 0 0-11zM8 2.5a5.5 5.5 0 1 0 0 11',
  help: 'M8 14a6 6 0 1 0 0-12 6 6 0 0 0 0 12zM6.2 6.3A1.8 1.8 0 0 1 8 4.9c1 0 1.8.7 1.8 1.6C9.8 7.8 8 7.9 8 9.2M8 11.2h.01',
  plus: 'M8 3v10M3 8h10',
  warning: 'M8 2.3 14.4 13.4H1.6zM8 6.4v3.4M8 11.6h.01',
  trash: 'M3 4.5h10M6.2 4.3V2.6h3.6v1.7M4.3 4.5l.6 9h6.2l.6-9M6.7 7v4M9.3 7v4',
  download: 'M8 2.5v8M4.6 7.3 8 10.7l3.4-3.4M3 13.5h10',
  arrow: 'M3 8h10M9 4l4 4-4 4',
} as const;

export type IconName = keyof typeof PATHS;

export function Icon({ name, size = 16 }: { name: IconName; size?: number }) {
  return (
    <svg
      viewBox="0 0 16 16"
      width={size}
      height={size}
      fill="none"
      stroke="currentColor"
      strokeWidth="1.4"
      strokeLinecap="round"
      strokeLinejoin="round"
      aria-hidden="true"
      focusable="false"
    >
      <path d={PATHS[name]} />
    </svg>
  );
}
