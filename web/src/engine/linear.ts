// y = x W^T + b by the library: its general recurrence, one step with the identity for f and nothing recurrent.
// N rows, I inputs, O outputs.
import type { Library, Tensor } from "./library";
import type { Real } from "./recurrence";

const IDENTITY = 7; // ELMAN_IDENTITY in native/elman_general.h

export interface LinearWeights {
  weight: Tensor<Real>; // (O, I)
  bias: Tensor<Real>; // (O)
}

function call(N: number, x: Tensor<Real>, weights: LinearWeights, zeros: Tensor<Real>, y: Tensor<Real>) {
  const O = weights.bias.length;
  const I = weights.weight.length / O;
  return {
    ...{ T: 1, B: N, I, H: O, dtype: x.kind === "f64" ? 1 : 0, nonlinearity: IDENTITY, threads: 1 },
    ...{ x, x_stride: [N * I, I, 1], w_ih: weights.weight, w_hh: zeros, bias: weights.bias, h: y, h_stride: [N * O, O] },
  };
}

/** Writes y (N, O) for x (N, I). */
export function linear(library: Library, N: number, x: Tensor<Real>, weights: LinearWeights, y: Tensor<Real>): void {
  library.scope(() => {
    const O = weights.bias.length;
    const zeros = library.tensor(x.kind, O * O);
    const h_last = library.tensor(x.kind, N * O);
    const packed = library.packGeneral({ ...call(N, x, weights, zeros, y), h_last }, {});
    library.check(library.exports.elman_general_forward(packed.at, 1n));
  });
}

/** From grad_y (N, O): writes grad_x (N, I) where wanted, and the gradients of the weights. */
export function linearBackward(
  library: Library,
  N: number,
  x: Tensor<Real>,
  weights: LinearWeights,
  y: Tensor<Real>,
  grad_y: Tensor<Real>,
  grad_x: Tensor<Real> | null,
  grad: LinearWeights,
): void {
  library.scope(() => {
    const O = weights.bias.length;
    const I = weights.weight.length / O;
    const zeros = library.tensor(x.kind, O * O);
    const packed = library.packGeneral(
      {
        ...call(N, x, weights, zeros, y),
        ...{ grad_h: grad_y, grad_h_stride: [N * O, O, 1], grad_x, grad_x_stride: [N * I, I] },
        ...{ grad_w_ih: grad.weight, grad_bias: grad.bias },
      },
      {},
    );
    library.check(library.exports.elman_general_backward(packed.at, 1n));
  });
}
