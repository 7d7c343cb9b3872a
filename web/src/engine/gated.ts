// A recurrence with gates, in TypeScript: the library has no gated cell, and a page needs a few units of one.
// The GRU of Cho et al. (2014) in torch's form, each of whose gates can be left out (its value is then 1, or 0 for z):
//
//   r = sigmoid(W_r x + U_r h + b_r)       z = sigmoid(W_z x + U_z h + b_z)
//   n = tanh(W_n x + b_n + r * (U_n h + c_n))     h' = (1 - z) n + z h
//
// T steps of one sequence, I inputs, H hidden units; numbers are doubles.

export interface GatedWeights {
  I: number;
  H: number;
  w_ih: Float64Array; // (3 H, I): r, z, n
  w_hh: Float64Array; // (3 H, H)
  b_ih: Float64Array; // (3 H)
  b_hh: Float64Array; // (3 H)
  reset: boolean;
  update: boolean;
}

interface Step {
  before: Float64Array;
  r: Float64Array;
  z: Float64Array;
  n: Float64Array;
  u: Float64Array; // U_n h + c_n
  h: Float64Array;
}

const sigmoid = (a: number) => 1 / (1 + Math.exp(-a));

function row(weights: Float64Array, index: number, vector: Float64Array): number {
  let sum = 0;
  for (let j = 0; j < vector.length; j++) sum += weights[index * vector.length + j] * vector[j];
  return sum;
}

/** Every step's values for x (T, I), from h0 or zeros. */
export function gatedForward(weights: GatedWeights, x: Float64Array, h0?: Float64Array): Step[] {
  const { I, H, w_ih, w_hh, b_ih, b_hh } = weights;
  let before: Float64Array = h0 ?? new Float64Array(H);
  const steps: Step[] = [];
  for (let t = 0; t < x.length / I; t++) {
    const x_t = x.subarray(t * I, (t + 1) * I);
    const step: Step = { before, ...Object.fromEntries(["r", "z", "n", "u", "h"].map((k) => [k, new Float64Array(H)])) } as unknown as Step;
    for (let j = 0; j < H; j++) {
      const gate = (g: number) => sigmoid(row(w_ih, g * H + j, x_t) + b_ih[g * H + j] + row(w_hh, g * H + j, before) + b_hh[g * H + j]);
      step.r[j] = weights.reset ? gate(0) : 1;
      step.z[j] = weights.update ? gate(1) : 0;
      step.u[j] = row(w_hh, 2 * H + j, before) + b_hh[2 * H + j];
      step.n[j] = Math.tanh(row(w_ih, 2 * H + j, x_t) + b_ih[2 * H + j] + step.r[j] * step.u[j]);
      step.h[j] = (1 - step.z[j]) * step.n[j] + step.z[j] * before[j];
    }
    steps.push(step);
    before = step.h;
  }
  return steps;
}

export interface GatedGradients {
  h: Float64Array[]; // dC_T/dh_t for t = 0 ... T
  w_ih: Float64Array;
  w_hh: Float64Array;
  b_ih: Float64Array;
  b_hh: Float64Array;
}

/** The adjoint: from the gradient of the last state, that of every state and of the weights. */
export function gatedBackward(weights: GatedWeights, x: Float64Array, steps: readonly Step[], grad_last: Float64Array): GatedGradients {
  const { I, H, w_hh } = weights;
  const grads = {
    ...{ w_ih: new Float64Array(3 * H * I), w_hh: new Float64Array(3 * H * H) },
    ...{ b_ih: new Float64Array(3 * H), b_hh: new Float64Array(3 * H) },
  };
  const carried: Float64Array[] = [grad_last];
  let g = grad_last;
  for (let t = steps.length - 1; t >= 0; t--) {
    const { before, r, z, n, u } = steps[t];
    const back = new Float64Array(H);
    for (let j = 0; j < H; j++) {
      const a_n = g[j] * (1 - z[j]) * (1 - n[j] * n[j]);
      const a_z = weights.update ? g[j] * (before[j] - n[j]) * z[j] * (1 - z[j]) : 0;
      const a_r = weights.reset ? a_n * u[j] * r[j] * (1 - r[j]) : 0;
      back[j] += g[j] * z[j];
      const into = [a_r, a_z, a_n];
      const through = [a_r, a_z, a_n * r[j]];
      for (let k = 0; k < 3; k++) {
        const place = k * H + j;
        grads.b_ih[place] += into[k];
        grads.b_hh[place] += through[k];
        for (let i = 0; i < I; i++) grads.w_ih[place * I + i] += into[k] * x[t * I + i];
        for (let i = 0; i < H; i++) {
          grads.w_hh[place * H + i] += through[k] * before[i];
          back[i] += through[k] * w_hh[place * H + i];
        }
      }
    }
    carried.unshift(back);
    g = back;
  }
  return { h: carried, ...grads };
}
