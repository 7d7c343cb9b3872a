// Section 8: a network that reads tokens, its weights from a trained model, over a whole sequence at once.
// T steps, V tokens, H hidden units, O outputs.
import type { Library } from "../engine/library";
import { linear } from "../engine/linear";
import { forward } from "../engine/recurrence";
import { softmax } from "./unrolled";

export interface TokenWeights {
  table: Float32Array; // (V, H): each token's share of the sum, the bias with it
  w_hh: Float32Array; // (H, H)
  w_out?: Float32Array; // (O, H)
  b_out?: Float32Array; // (O)
}

export interface Read {
  h: Float64Array[]; // T states
  p: Float64Array[]; // T probabilities, where there is an output
}

export function read(library: Library, weights: TokenWeights, ids: readonly number[], h0?: ArrayLike<number>): Read {
  const H = Math.round(Math.sqrt(weights.w_hh.length));
  const T = ids.length;
  if (!T) return { h: [], p: [] };
  return library.scope(() => {
    const f32 = (values: number | ArrayLike<number>) => library.tensor("f32", values);
    const drive = new Float32Array(T * H);
    ids.forEach((id, t) => drive.set(weights.table.subarray(id * H, (id + 1) * H), t * H));
    const eye = Float32Array.from({ length: H * H }, (_, i) => (i % (H + 1) === 0 ? 1 : 0)); // the drive is there already
    const h = f32(T * H);
    forward(library, { T, B: 1, I: H, H }, { x: f32(drive), h0: h0 ? f32(h0) : null, w_ih: f32(eye), w_hh: f32(weights.w_hh) }, h, f32(H));
    const states = h.copy();
    const rows = (values: Float64Array, n: number) => Array.from({ length: T }, (_, t) => values.slice(t * n, (t + 1) * n));
    if (!weights.w_out || !weights.b_out) return { h: rows(states, H), p: [] };
    const O = weights.b_out.length;
    const y = f32(T * O);
    linear(library, T, h, { weight: f32(weights.w_out), bias: f32(weights.b_out) }, y);
    return { h: rows(states, H), p: rows(y.copy(), O).map(softmax) };
  });
}
