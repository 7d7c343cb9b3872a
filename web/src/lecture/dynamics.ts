// Section 2: two hidden units h' = tanh(W_hh h + W_ih x + b) as a map of the plane. The states come from the engine; fixed
// points by Newton's method from many starts, their eigenvalues from the Jacobian diag(1 - h^2) W_hh.
import type { Library } from "../engine/library";
import { forward } from "../engine/recurrence";

export interface Unit {
  w_hh: readonly number[]; // (2, 2)
  w_ih: readonly number[]; // (2)
  bias: readonly number[]; // (2)
  x: number;
}

export type Point = readonly [number, number];

/** Where each of the points goes in T steps: (T, points, 2). */
export function states(library: Library, unit: Unit, starts: readonly Point[], T: number): Point[][] {
  return library.scope(() => {
    const B = starts.length;
    const f64 = (values: number | ArrayLike<number>) => library.tensor("f64", values);
    const h = f64(T * B * 2);
    const inputs = { x: f64(new Array(T * B).fill(unit.x)), h0: f64(starts.flat()), w_ih: f64(unit.w_ih), w_hh: f64(unit.w_hh), bias: f64(unit.bias) };
    forward(library, { T, B, I: 1, H: 2 }, inputs, h, f64(B * 2));
    const values = h.copy();
    return Array.from({ length: T }, (_, t) => starts.map((_, b): Point => [values[(t * B + b) * 2], values[(t * B + b) * 2 + 1]]));
  });
}

export interface FixedPoint {
  at: Point;
  eigenvalues: readonly [real: number, imaginary: number][];
  kind: "attractor" | "saddle" | "repeller";
  turns: boolean;
}

function step(unit: Unit, [a, b]: Point): Point {
  const { w_hh: w, w_ih: u, bias, x } = unit;
  return [Math.tanh(w[0] * a + w[1] * b + u[0] * x + bias[0]), Math.tanh(w[2] * a + w[3] * b + u[1] * x + bias[1])];
}

/** Every fixed point that Newton's method finds from a grid of starts. */
export function fixedPoints(unit: Unit): FixedPoint[] {
  const found: FixedPoint[] = [];
  for (let i = -6; i <= 6; i++)
    for (let j = -6; j <= 6; j++) {
      const at = newton(unit, [i / 6, j / 6]);
      if (at && !found.some((one) => Math.hypot(one.at[0] - at[0], one.at[1] - at[1]) < 1e-4)) found.push(describe(unit, at));
    }
  return found.sort((one, other) => one.at[0] - other.at[0]);
}

function newton(unit: Unit, start: Point): Point | null {
  let [a, b] = start;
  for (let n = 0; n < 60; n++) {
    const [fa, fb] = step(unit, [a, b]);
    const [ra, rb] = [fa - a, fb - b];
    if (Math.hypot(ra, rb) < 1e-12) return [a, b];
    const [sa, sb] = [1 - fa * fa, 1 - fb * fb];
    const { w_hh: w } = unit;
    const [p, q, r, s] = [sa * w[0] - 1, sa * w[1], sb * w[2], sb * w[3] - 1];
    const det = p * s - q * r;
    if (Math.abs(det) < 1e-14) return null;
    a -= (s * ra - q * rb) / det;
    b -= (p * rb - r * ra) / det;
    if (!(Math.abs(a) < 3 && Math.abs(b) < 3)) return null;
  }
  return null;
}

function describe(unit: Unit, at: Point): FixedPoint {
  const { w_hh: w } = unit;
  const [sa, sb] = [1 - at[0] ** 2, 1 - at[1] ** 2];
  const [p, q, r, s] = [sa * w[0], sa * w[1], sb * w[2], sb * w[3]];
  const eigenvalues = eigenvaluesOf(p, q, r, s);
  const inside = eigenvalues.filter(([re, im]) => Math.hypot(re, im) < 1).length;
  return { at, eigenvalues, kind: inside === 2 ? "attractor" : inside === 1 ? "saddle" : "repeller", turns: eigenvalues[0][1] !== 0 };
}

export function eigenvaluesOf(p: number, q: number, r: number, s: number): readonly [number, number][] {
  const [half, under] = [(p + s) / 2, ((p - s) / 2) ** 2 + q * r];
  const root = Math.sqrt(Math.abs(under));
  return under >= 0 ? [[half + root, 0], [half - root, 0]] : [[half, root], [half, -root]];
}
