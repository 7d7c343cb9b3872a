// The colours of numbers: those of elman/plotting/palette.py (Okabe and Ito 2008), blue below zero and vermillion above.

export const PALETTE = ["var(--blue)", "var(--vermillion)", "var(--green)", "var(--purple)", "var(--orange)", "var(--sky)"];
const BELOW = [0, 114, 178];
const ABOVE = [213, 94, 0];

export interface Colours {
  background: string;
  text: string;
}

/** Background and text of `value` in [-limit, limit]; the text's contrast is at least 4.5. */
export function colours(value: number, limit = 1): Colours {
  const share = Number.isFinite(value) && limit > 0 ? Math.max(-1, Math.min(1, value / limit)) : 0;
  const end = share > 0 ? ABOVE : BELOW;
  const parts = end.map((part) => Math.round(255 + Math.abs(share) * (part - 255)));
  const linear = parts.map((part) => (part / 255 <= 0.03928 ? part / 255 / 12.92 : ((part / 255 + 0.055) / 1.055) ** 2.4));
  const luminance = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2];
  return { background: `rgb(${parts.join(",")})`, text: luminance > 0.179 ? "#000" : "#fff" };
}

/** A number with so many decimals; in powers of ten where these show nothing of it, or too much. */
export function short(value: number, digits = 2): string {
  if (!Number.isFinite(value)) return Number.isNaN(value) ? "not a number" : value > 0 ? "∞" : "−∞";
  const size = Math.abs(value);
  if (size > 1e-12 && (size < 10 ** -digits / 2 || size >= 1e5)) return value.toExponential(1).replaceAll("-", "−").replace("e+", "e");
  return fixed(value, digits);
}

/** A number with so many decimals, whatever they show of it; zero has no sign. */
export function fixed(value: number, digits = 2): string {
  return value.toFixed(digits).replace(/^-(0\.?0*)$/, "$1").replace("-", "−");
}
