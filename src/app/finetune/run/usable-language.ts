/*
 * The chart library makes a number format of the browser's language as it loads. Some browsers name a language that is
 * none (`en-US@posix`, from the system's locale), and then its script would fail.
 */
try {
  new Intl.NumberFormat(navigator.language);
} catch {
  Object.defineProperty(navigator, 'language', { value: 'en-US', configurable: true });
}
