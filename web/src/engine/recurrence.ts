// The recurrence h_t = f(W_ih x_t + b + W_hh h_(t-1)) and its adjoint: one call of the library each.
// T steps, B sequences, I inputs, H hidden units; every tensor is contiguous.
import type { Library, Tensor } from "./library";

export type Real = "f32" | "f64";
export type Nonlinearity = "tanh" | "relu" | "identity";
const DTYPES = { f32: 0, f64: 1 };
const NONLINEARITIES = { tanh: 0, relu: 1, identity: 7 }; // the last is the general recurrence's

export interface Shape {
  T: number;
  B: number;
  I: number;
  H: number;
}

export interface Inputs {
  x: Tensor<Real>; // (T, B, I)
  h0?: Tensor<Real> | null; // (B, H); without it zeros
  w_ih: Tensor<Real>; // (H, I)
  w_hh: Tensor<Real>; // (H, H)
  bias?: Tensor<Real> | null; // (H)
  lengths?: Tensor<"i64"> | null; // (B)
  mask?: Tensor<Real> | null; // (B, H), multiplies h_(t-1) on its way into W_hh
}

export interface Options {
  nonlinearity?: Nonlinearity;
  reverse?: boolean;
  residual?: boolean;
}

/** The gradients that are wanted: tensors to write to. */
export interface Gradients {
  x?: Tensor<Real> | null; // (T, B, I)
  h0?: Tensor<Real> | null; // (B, H)
  w_ih?: Tensor<Real> | null;
  w_hh?: Tensor<Real> | null;
  bias?: Tensor<Real> | null;
}

function common(shape: Shape, inputs: Inputs, h: Tensor<Real>, options: Options) {
  const { T, B, I, H } = shape;
  return {
    ...{ T, B, I, H, dtype: DTYPES[inputs.x.kind], nonlinearity: NONLINEARITIES[options.nonlinearity ?? "tanh"] },
    ...{ reverse: options.reverse ?? false, residual: options.residual ?? false, threads: 1 },
    ...{ x: inputs.x, x_stride: [B * I, I, 1], h0: inputs.h0 ?? null, w_ih: inputs.w_ih, w_hh: inputs.w_hh },
    ...{ bias: inputs.bias ?? null, lengths: inputs.lengths ?? null, mask: inputs.mask ?? null },
    ...{ h, h_stride: [B * H, H] },
  };
}

/** Writes h (T, B, H) and h_last (B, H). */
export function forward(library: Library, shape: Shape, inputs: Inputs, h: Tensor<Real>, h_last: Tensor<Real>, options: Options = {}): void {
  library.scope(() => {
    const call = { ...common(shape, inputs, h, options), h_last };
    if (options.nonlinearity === "identity") library.check(library.exports.elman_general_forward(library.packGeneral(call, {}).at, 1n));
    else library.check(library.exports.elman_forward(library.pack("elman_call", call).at, 1n));
  });
}

/** Writes the wanted gradients of a loss, from its gradients of h (T, B, H) and of h_last (B, H). */
export function backward(
  library: Library,
  shape: Shape,
  inputs: Inputs,
  h: Tensor<Real>,
  grad_h: Tensor<Real> | null,
  grad_h_last: Tensor<Real> | null,
  wanted: Gradients,
  options: Options = {},
): void {
  const { B, I, H } = shape;
  library.scope(() => {
    const call = {
      ...common(shape, inputs, h, options),
      ...{ grad_h, grad_h_stride: [B * H, H, 1], grad_h_last },
      ...{ grad_x: wanted.x ?? null, grad_x_stride: [B * I, I], grad_h0: wanted.h0 ?? null },
      ...{ grad_w_ih: wanted.w_ih ?? null, grad_w_hh: wanted.w_hh ?? null, grad_bias: wanted.bias ?? null },
    };
    if (options.nonlinearity === "identity") library.check(library.exports.elman_general_backward(general(library, shape, inputs, h, call).at, 1n));
    else library.check(library.exports.elman_backward(library.pack("elman_call", call).at, 1n));
  });
}

/** The call of the general recurrence, which with the identity connection reads f(a_t) = h_t - h_(t-1) again. */
function general(library: Library, { T, B, H }: Shape, inputs: Inputs, h: Tensor<Real>, call: ReturnType<typeof common>) {
  if (!call.residual) return library.packGeneral(call, {});
  const extra = library.tensor(h.kind, T * B * H);
  for (let t = 0; t < T; t++)
    for (let i = 0; i < B * H; i++) {
      const before = t ? h.data[(t - 1) * B * H + i] : (inputs.h0?.data[i] ?? 0);
      extra.data[t * B * H + i] = h.data[t * B * H + i] - before;
    }
  return library.packGeneral(call, { extra, extra_stride: [B * H, H] });
}
