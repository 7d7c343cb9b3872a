// A decoder: a stack of layers whose weights are packed once, for many single steps without gradients.
// S sequences, I inputs, H hidden units, V vocabulary.
import { Double, type Library, type Tensor } from "./library";
import type { Nonlinearity } from "./recurrence";

export interface LayerWeights {
  w_ih: ArrayLike<number> | null; // (H, I or H); null in the first layer where there is a table
  w_hh: ArrayLike<number>; // (H, H)
  bias: ArrayLike<number>; // (H)
}

export interface DecoderWeights {
  H: number;
  I?: number; // without a table
  V?: number; // with an output layer
  nonlinearity?: Nonlinearity;
  table?: ArrayLike<number>; // (V, H): embedding W_ih^T + bias of the first layer
  layers: readonly LayerWeights[];
  w_out?: ArrayLike<number>; // (V, H)
  b_out?: ArrayLike<number>; // (V)
}

export interface SamplingParams {
  temperature: number; // 0 is greedy
  top_k: number; // 0 is all
  top_p: number; // 1 is all
  seed: number;
  first_draw: number;
}

/** A decoder and the state of its S sequences, (layers, S, H). */
export class Decoder {
  readonly state: Tensor<"f32">;
  private readonly at: number;
  private readonly kept: Tensor[] = [];

  constructor(
    private readonly library: Library,
    readonly weights: DecoderWeights,
    readonly S = 1,
  ) {
    const { H, I = 0, V = 0, layers } = weights;
    // the table and b_out outlive this scope, since the decoder reads them at every step
    const table = weights.table ? this.keep(weights.table) : null;
    const b_out = weights.b_out ? this.keep(weights.b_out) : null;
    this.at = library.scope(() => {
      const f32 = (values: ArrayLike<number>) => library.tensor("f32", values);
      const pointers = (each: readonly (ArrayLike<number> | null)[]) =>
        library.tensor("u32", each.map((values) => (values ? f32(values).at : 0)));
      const spec = library.pack("elman_decoder_spec", {
        ...{ layers: layers.length, I: table ? 0 : I, H, V, nonlinearity: weights.nonlinearity === "relu" ? 1 : 0, table },
        w_ih: pointers(layers.map((layer) => layer.w_ih)),
        w_hh: pointers(layers.map((layer) => layer.w_hh)),
        bias: pointers(layers.map((layer, l) => (table && !l ? null : layer.bias))),
        w_out: weights.w_out ? f32(weights.w_out) : null,
        b_out,
      });
      return library.exports.elman_decoder_new(spec.at);
    });
    if (!this.at) throw new Error("the page has no memory left for this network");
    this.state = this.keep(new Float32Array(layers.length * S * H));
  }

  private keep(values: ArrayLike<number>): Tensor<"f32"> {
    const tensor = this.library.lasting("f32", values);
    this.kept.push(tensor);
    return tensor;
  }

  reset(): void {
    this.state.data.fill(0);
  }

  /** One step from x (S, I); the last layer's new state is the last part of `state`. */
  step(x: ArrayLike<number>): void {
    this.library.scope(() => {
      const at = this.library.tensor("f32", x).at;
      this.library.check(this.library.exports.elman_decoder_step(this.at, BigInt(this.S), at, this.state.at, 1n));
    });
  }

  /** `length` tokens (length, S), going on from one token for each sequence. */
  generate(first: readonly number[], length: number, params: SamplingParams): number[] {
    return this.library.scope(() => {
      const tokens = this.library.tensor("i64", length * this.S);
      const packed = pack(this.library, params);
      const from = this.library.tensor("i64", first);
      const { exports } = this.library;
      this.library.check(
        exports.elman_decoder_generate(this.at, BigInt(this.S), BigInt(length), from.at, this.state.at, packed.at, tokens.at, 1n),
      );
      return Array.from(tokens.data, Number);
    });
  }

  free(): void {
    this.library.exports.elman_decoder_free(this.at);
    for (const tensor of this.kept) tensor.free();
  }
}

function pack(library: Library, { temperature, top_k, top_p, seed, first_draw }: SamplingParams): Tensor {
  const doubles = { temperature: new Double(temperature), top_p: new Double(top_p) };
  return library.pack("elman_sampling_params", { ...doubles, top_k, seed, first_draw });
}

/** One token for each row of logits (S, V). */
export function sample(library: Library, logits: ArrayLike<number>, S: number, params: SamplingParams): number[] {
  return library.scope(() => {
    const packed = pack(library, params);
    const tokens = library.tensor("i64", S);
    const at = library.tensor("f32", logits).at;
    library.check(library.exports.elman_sample(at, BigInt(S), BigInt(logits.length / S), packed.at, tokens.at));
    return Array.from(tokens.data, Number);
  });
}
