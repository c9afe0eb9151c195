import type { SliceTools } from './app-state.ts';

export interface Toast {
  id: number;
  text: string;
  /** Usually Undo; the toast goes when it is taken. */
  action?: { label: string; run: () => void };
}

export interface ToastSlice {
  toast: Toast | null;
  showToast(text: string, action?: Toast['action']): void;
  dismissToast(): void;
  /** For screen readers only, politely. */
  announcement: string;
  announce(text: string): void;
}

export function createToastSlice({ set }: SliceTools): ToastSlice {
  let lastId = 0;
  return {
    toast: null,
    showToast: (text, action) => set({ toast: { id: ++lastId, text, action } }),
    dismissToast: () => set({ toast: null }),
    announcement: '',
    announce: (announcement) => set({ announcement }),
  };
}
