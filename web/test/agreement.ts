// Runs the cases of tests/web/agreement.py through the engine: node agreement.mjs ENGINE.wasm CASES.json prints, for each,
// how far its numbers are from the reference's, relative to the largest of the tensor.
import { readFileSync } from "node:fs";
import { crossEntropy } from "../src/engine/cross_entropy";
import { Decoder, sample, type DecoderWeights, type SamplingParams } from "../src/engine/decoder";
import { gatedBackward, gatedForward, type GatedWeights } from "../src/engine/gated";
import { Library } from "../src/engine/library";
import { linear, linearBackward } from "../src/engine/linear";
import { backward, forward, type Inputs, type Real, type Shape } from "../src/engine/recurrence";

type Arrays = Record<string, number[]>;
interface Case {
  kind: "recurrence" | "cross_entropy" | "linear" | "decoder" | "generate" | "sample" | "gated";
  name: string;
  dtype: Real;
  shape: Record<string, number>;
  options: Record<string, unknown>;
  given: Arrays;
  want: Arrays;
}

const library = await Library.load(readFileSync(process.argv[2]));
const cases: Case[] = JSON.parse(readFileSync(process.argv[3], "utf8"));

function recurrence({ dtype, shape, options, given, want }: Case): Arrays {
  const { T, B, H } = shape;
  const some = (name: string) => (given[name] ? library.tensor(dtype, given[name]) : null);
  const wanted = (name: string) => library.tensor(dtype, want[name]?.length ?? 0).set(new Array(want[name]?.length ?? 0).fill(NaN));
  const inputs: Inputs = {
    ...{ x: some("x")!, h0: some("h0"), w_ih: some("w_ih")!, w_hh: some("w_hh")!, bias: some("bias"), mask: some("mask") },
    lengths: given.lengths ? library.tensor("i64", given.lengths) : null,
  };
  const h = library.tensor(dtype, T * B * H).set(new Array(T * B * H).fill(NaN)); // what is not written shows
  const h_last = wanted("h_last");
  forward(library, shape as unknown as Shape, inputs, h, h_last, options);
  const gradients = { x: wanted("grad_x"), h0: wanted("grad_h0"), w_ih: wanted("grad_w_ih"), w_hh: wanted("grad_w_hh"), bias: given.bias ? wanted("grad_bias") : null };
  backward(library, shape as unknown as Shape, inputs, h, some("grad_h"), some("grad_h_last"), gradients, options);
  const found: Arrays = { h: [...h.copy()], h_last: [...h_last.copy()] };
  for (const [name, tensor] of Object.entries(gradients)) if (tensor) found[`grad_${name}`] = [...tensor.copy()];
  return found;
}

function loss({ dtype, options, given }: Case): Arrays {
  const logits = library.tensor(dtype, given.logits);
  const losses = library.tensor(dtype, given.targets.length);
  crossEntropy(library, logits, library.tensor("i64", given.targets), losses, library.tensor(dtype, given.scale), options.smoothing as number);
  return { losses: [...losses.copy()], grad_logits: [...logits.copy()] };
}

function product({ dtype, shape, given, want }: Case): Arrays {
  const weights = { weight: library.tensor(dtype, given.weight), bias: library.tensor(dtype, given.bias) };
  const grads = { weight: library.tensor(dtype, want.grad_weight.length), bias: library.tensor(dtype, want.grad_bias.length) };
  const x = library.tensor(dtype, given.x);
  const y = library.tensor(dtype, want.y.length);
  const grad_x = library.tensor(dtype, given.x.length);
  linear(library, shape.N, x, weights, y);
  linearBackward(library, shape.N, x, weights, y, library.tensor(dtype, given.grad_y), grad_x, grads);
  return { y: [...y.copy()], grad_x: [...grad_x.copy()], grad_weight: [...grads.weight.copy()], grad_bias: [...grads.bias.copy()] };
}

function decoderWeights(shape: Record<string, number>, options: Record<string, unknown>, given: Arrays): DecoderWeights {
  const layers = Array.from({ length: shape.layers }, (_, l) => ({ w_ih: given[`w_ih${l}`] ?? null, w_hh: given[`w_hh${l}`], bias: given[`bias${l}`] }));
  return { H: shape.H, I: shape.I, V: shape.V, nonlinearity: options.nonlinearity as "tanh", table: given.table, layers, w_out: given.w_out, b_out: given.b_out };
}

function decode({ shape, options, given }: Case): Arrays {
  const decoder = new Decoder(library, decoderWeights(shape, options, given), shape.S);
  decoder.state.set(given.state);
  decoder.step(given.x);
  const found = { state: [...decoder.state.copy()] };
  decoder.free();
  return found;
}

function write({ shape, options, given, want }: Case): Arrays {
  const decoder = new Decoder(library, decoderWeights(shape, options, given), shape.S);
  const tokens = decoder.generate(given.first, want.tokens.length / shape.S, options as unknown as SamplingParams);
  const found = { tokens, state: [...decoder.state.copy()] };
  decoder.free();
  return found;
}

function gated({ shape, options, given }: Case): Arrays {
  const arrays = Object.fromEntries(Object.entries(given).map(([name, values]) => [name, Float64Array.from(values)]));
  const weights = { I: shape.I, H: shape.H, ...arrays, ...options } as unknown as GatedWeights;
  const steps = gatedForward(weights, arrays.x, arrays.h0);
  const { h, ...grads } = gatedBackward(weights, arrays.x, steps, arrays.grad_h_last);
  const found: Arrays = { h: steps.flatMap((step) => [...step.h]), grad_h0: [...h[0]] };
  for (const [name, values] of Object.entries(grads)) found[`grad_${name}`] = [...values];
  return found;
}

const run = {
  ...{ recurrence, cross_entropy: loss, linear: product, decoder: decode, generate: write, gated },
  sample: ({ shape, options, given }: Case): Arrays => ({ tokens: sample(library, given.logits, shape.S, options as unknown as SamplingParams) }),
};

const distances = cases.map((one) => {
  const found: Arrays = library.scope(() => run[one.kind](one));
  const each = Object.entries(one.want).map(([name, want]): [string, number] => {
    const got = found[name];
    if (got?.length !== want.length) return [name, Infinity];
    const size = Math.max(...want.map(Math.abs), 1e-30);
    const off = want.map((value, i) => (Number.isFinite(got[i]) ? Math.abs(got[i] - value) / size : Infinity));
    return [name, Math.max(0, ...off)];
  });
  return { name: one.name, kind: one.kind, dtype: one.dtype, distances: Object.fromEntries(each.map(([k, v]) => [k, Number.isFinite(v) ? v : 1e9])) };
});
console.log(JSON.stringify(distances));
