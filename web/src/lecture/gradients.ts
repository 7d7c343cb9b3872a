// Section 6: how large dC_T/dh_t is, t steps from the beginning, for a random network on random input.
// T steps, B sequences, H hidden units; numbers are doubles.
import { gatedBackward, gatedForward } from "../engine/gated";
import type { Library } from "../engine/library";
import { backward, forward, type Nonlinearity } from "../engine/recurrence";
import { Random } from "../nn/random";

export interface GradientSettings {
  rho: number;
  f: Nonlinearity;
  T: number;
  H: number;
  seed: number;
  input: number; // the size of the drive
  orthogonal: boolean;
  residual: boolean;
  reset: boolean;
  update: boolean;
  keep: number; // the update gate's bias
  clip: number; // 0: none
}

export interface GradientFlow {
  norms: number[]; // T + 1, mean over the sequences, of dC_T/dh_t
  slopes: number[]; // T, mean of f'(a_t)
  saturated: number; // share of states whose slope is below 0.05
  weights: number; // norm of dC_T/dW_hh, mean over the sequences
  clipped: number; // the same after clipping
}

const B = 4;

/** The largest |eigenvalue|, by Gelfand's formula: |W^n|^(1/n) for n = 1024, by squaring. */
export function spectralRadius(matrix: Float64Array, n: number): number {
  let power = matrix.slice();
  let log = 0; // of what has been divided out, for the power of now
  let exponent = 1;
  for (let k = 0; k < 10; k++) {
    const norm = Math.sqrt(power.reduce((sum, value) => sum + value * value, 0));
    if (norm === 0) return 0;
    power = power.map((value) => value / norm);
    log = 2 * (log + Math.log(norm));
    const squared = new Float64Array(n * n);
    for (let i = 0; i < n; i++)
      for (let j = 0; j < n; j++) {
        const value = power[i * n + j];
        for (let m = 0; m < n; m++) squared[i * n + m] += value * power[j * n + m];
      }
    power = squared;
    exponent *= 2;
  }
  const norm = Math.sqrt(power.reduce((sum, value) => sum + value * value, 0));
  return norm ? Math.exp((log + Math.log(norm)) / exponent) : 0;
}

function recurrentWeights({ rho, H, seed, orthogonal }: GradientSettings): Float64Array {
  const random = new Random(seed, 1);
  const start = orthogonal ? random.orthogonal(H) : random.spread(H * H, 1);
  const radius = orthogonal ? 1 : spectralRadius(start, H);
  return start.map((value) => (value * rho) / (radius || 1));
}

export function gradientFlow(library: Library, settings: GradientSettings): GradientFlow {
  return settings.reset || settings.update ? gatedFlow(settings) : vanillaFlow(library, settings);
}

function vanillaFlow(library: Library, settings: GradientSettings): GradientFlow {
  const { T, H, f, residual, seed, input, clip } = settings;
  const random = new Random(seed, 2);
  const w = recurrentWeights(settings);
  return library.scope(() => {
    const f64 = (values: number | ArrayLike<number>) => library.tensor("f64", values);
    const eye = Float64Array.from({ length: H * H }, (_, i) => (i % (H + 1) === 0 ? 1 : 0)); // the drive itself comes in
    const inputs = { x: f64(random.spread(T * B * H, input)), w_ih: f64(eye), w_hh: f64(w) };
    const shape = { T, B, I: H, H };
    const options = { nonlinearity: f, residual };
    const [h, h_last, grad_x, grad_w] = [f64(T * B * H), f64(B * H), f64(T * B * H), f64(H * H)];
    forward(library, shape, inputs, h, h_last, options);
    const last = f64(random.spread(B * H, 1));
    backward(library, shape, inputs, h, null, last, { x: grad_x, w_hh: grad_w }, options);
    const [states, delta] = [h.copy(), grad_x.copy()];
    let g = last.copy();
    const norms = [meanNorm(g, H)];
    const slopes: number[] = [];
    let flat = 0;
    for (let t = T - 1; t >= 0; t--) {
      let total = 0;
      for (let i = 0; i < B * H; i++) {
        const y = states[t * B * H + i] - (residual && t ? states[(t - 1) * B * H + i] : 0);
        const slope = f === "tanh" ? 1 - y * y : f === "relu" ? (y > 0 ? 1 : 0) : 1;
        total += slope / (B * H);
        flat += slope < 0.05 ? 1 / (T * B * H) : 0;
      }
      slopes.unshift(total);
      const before = residual ? g.slice() : new Float64Array(B * H);
      for (let b = 0; b < B; b++)
        for (let i = 0; i < H; i++) {
          const d = delta[(t * B + b) * H + i];
          for (let j = 0; j < H; j++) before[b * H + j] += d * w[i * H + j];
        }
      g = before;
      norms.unshift(meanNorm(g, H));
    }
    const weights = meanNorm(grad_w.copy(), H * H) / B;
    return { norms, slopes, saturated: flat, weights, clipped: clip > 0 ? Math.min(clip, weights) : weights };
  });
}

function gatedFlow(settings: GradientSettings): GradientFlow {
  const { T, H, seed, input, reset, update, keep, clip } = settings;
  const random = new Random(seed, 2);
  const own = recurrentWeights(settings);
  const gates = new Random(seed, 3).spread(2 * H * H, 1 / Math.sqrt(H));
  const bias = new Float64Array(3 * H).fill(keep, H, 2 * H);
  const eye = Float64Array.from({ length: 3 * H * H }, (_, i) => (i >= 2 * H * H && (i - 2 * H * H) % (H + 1) === 0 ? 1 : 0));
  const weights = { I: H, H, w_ih: eye, w_hh: Float64Array.from([...gates, ...own]), b_ih: bias, b_hh: new Float64Array(3 * H), reset, update };
  const norms = new Array(T + 1).fill(0);
  const slopes = new Array(T).fill(0);
  let [flat, size] = [0, 0];
  for (let b = 0; b < B; b++) {
    const x = random.spread(T * H, input);
    const steps = gatedForward(weights, x);
    const grads = gatedBackward(weights, x, steps, random.spread(H, 1));
    grads.h.forEach((g, t) => (norms[t] += meanNorm(g, H) / B));
    steps.forEach(({ n }, t) =>
      n.forEach((value) => {
        slopes[t] += (1 - value * value) / (B * H);
        flat += 1 - value * value < 0.05 ? 1 / (T * B * H) : 0;
      }),
    );
    size += meanNorm(grads.w_hh.slice(2 * H * H), H * H) / B;
  }
  return { norms, slopes, saturated: flat, weights: size, clipped: clip > 0 ? Math.min(clip, size) : size };
}

/** The mean norm of rows of n numbers. */
function meanNorm(values: Float64Array, n: number): number {
  let total = 0;
  for (let start = 0; start < values.length; start += n) {
    let squares = 0;
    for (let i = 0; i < n; i++) squares += values[start + i] ** 2;
    total += Math.sqrt(squares);
  }
  return total / (values.length / n);
}
