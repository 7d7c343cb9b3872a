// A network of one recurrent layer and a linear output, its loss and its gradients, all by the engine.
// T steps, B sequences, I inputs, H hidden units, O outputs.
import { crossEntropy } from "../engine/cross_entropy";
import type { Library, Tensor } from "../engine/library";
import { linear, linearBackward } from "../engine/linear";
import { backward, forward, type Nonlinearity } from "../engine/recurrence";
import { Random } from "./random";

export const PARAMETERS = ["w_ih", "w_hh", "bias", "w_out", "b_out"] as const;
export type Parameter = (typeof PARAMETERS)[number];
export type Start = "uniform" | "orthogonal";

export interface NetworkOptions {
  I: number;
  H: number;
  O: number;
  seed: number;
  start?: Start;
  nonlinearity?: Nonlinearity;
  residual?: boolean;
}

/** What a network learns from: sequences, and at every step or only at the last what should come out. */
export interface Batch {
  T: number;
  B: number;
  x: Float32Array; // (T, B, I)
  lengths?: number[]; // (B)
  /** Classes (T, B), or IGNORE_INDEX; or numbers (B, O) that the last output should be. */
  classes?: Int32Array;
  numbers?: Float32Array;
}

export interface Outcome {
  loss: number; // mean over what counts
  outputs: Float64Array; // (T, B, O), or (B, O) where only the last step counts
  h: Float64Array; // (T, B, H); empty while learning
}

export class Network {
  readonly parameters: Record<Parameter, Tensor<"f32">>;
  readonly gradients: Record<Parameter, Tensor<"f32">>;

  constructor(
    readonly library: Library,
    readonly options: NetworkOptions,
    weights?: Record<Parameter, ArrayLike<number>>,
  ) {
    const { I, H, O, seed, start = "uniform" } = options;
    const random = new Random(seed);
    const limit = 1 / Math.sqrt(H);
    const initial = weights ?? {
      w_ih: random.spread(H * I, limit),
      w_hh: start === "orthogonal" ? random.orthogonal(H) : random.spread(H * H, limit),
      bias: random.spread(H, limit),
      w_out: random.spread(O * H, limit),
      b_out: random.spread(O, limit),
    };
    const tensors = (values: (name: Parameter) => number | ArrayLike<number>) =>
      Object.fromEntries(PARAMETERS.map((name) => [name, library.lasting("f32", values(name))])) as Record<Parameter, Tensor<"f32">>;
    this.parameters = tensors((name) => initial[name]);
    this.gradients = tensors((name) => initial[name].length);
  }

  private get output() {
    return { weight: this.parameters.w_out, bias: this.parameters.b_out };
  }

  private get layer() {
    return { nonlinearity: this.options.nonlinearity, residual: this.options.residual };
  }

  /** Outputs and loss; with `learn` the gradients of the mean loss too. */
  run(batch: Batch, learn = false): Outcome {
    const { library, parameters, gradients } = this;
    const { I, H, O } = this.options;
    const { T, B, numbers, classes } = batch;
    const shape = { T, B, I, H };
    return library.scope(() => {
      const f32 = (values: number | ArrayLike<number>) => library.tensor("f32", values);
      const x = f32(batch.x);
      const inputs = { x, ...parameters, lengths: batch.lengths ? library.tensor("i64", batch.lengths) : null };
      const h = f32(T * B * H);
      const h_last = f32(B * H);
      forward(library, shape, inputs, h, h_last, this.layer);
      const [read, N] = numbers ? [h_last, B] : [h, T * B];
      const y = f32(N * O);
      linear(library, N, read, this.output, y);
      const outputs = y.copy();
      let loss = 0;
      let grad_y: Tensor<"f32"> | null = null;
      if (numbers) {
        grad_y = f32(N * O);
        for (let i = 0; i < N * O; i++) {
          const off = outputs[i] - numbers[i];
          loss += (off * off) / N;
          grad_y.data[i] = (2 * off) / N;
        }
      } else if (classes) {
        let count = 0;
        for (const one of classes) count += one >= 0 ? 1 : 0;
        const targets = library.tensor("i64", classes);
        const losses = f32(N);
        const scale = learn ? f32(N) : null;
        scale?.data.fill(1 / Math.max(1, count));
        crossEntropy(library, y, targets, losses, scale);
        for (const one of losses.data) loss += one / Math.max(1, count);
        grad_y = y; // the logits have become their gradient
      }
      if (learn && grad_y) {
        const y_before = f32(outputs);
        const grad_h = f32(N * H);
        linearBackward(library, N, read, this.output, y_before, grad_y, grad_h, { weight: gradients.w_out, bias: gradients.b_out });
        const { w_ih, w_hh, bias } = gradients;
        backward(library, shape, inputs, h, numbers ? null : grad_h, numbers ? grad_h : null, { w_ih, w_hh, bias }, this.layer);
      }
      return { loss, outputs, h: learn ? new Float64Array() : h.copy() };
    });
  }

  /** Copies of the weights, by name. */
  weights(): Record<Parameter, Float64Array> {
    return Object.fromEntries(PARAMETERS.map((name) => [name, this.parameters[name].copy()])) as Record<Parameter, Float64Array>;
  }

  free(): void {
    for (const name of PARAMETERS) {
      this.parameters[name].free();
      this.gradients[name].free();
    }
  }
}
