// elman's native library (src/elman/kernels/native) as a WebAssembly module: memory, structs and calls.
//
// The structs are packed by the layout that the library itself tells (elman_layout), so that this file knows no offset.

export type Numbers = "f32" | "f64" | "i64" | "u32";
type ArrayOf = { f32: Float32Array; f64: Float64Array; i64: BigInt64Array; u32: Uint32Array };
const BYTES = { f32: 4, f64: 8, i64: 8, u32: 4 };

/** A C double among the fields of a struct, whose other numbers are 64-bit integers. */
export class Double {
  constructor(readonly value: number) {}
}
type Value = number | bigint | boolean | readonly number[] | Double | Tensor | null;
type Fields = Record<string, Value>;

interface Exports {
  memory: WebAssembly.Memory;
  malloc(bytes: number): number;
  free(at: number): void;
  _initialize?(): void;
  elman_abi(): number;
  elman_layout(): number;
  elman_isa(): number;
  elman_forward(calls: number, count: bigint): number;
  elman_backward(calls: number, count: bigint): number;
  elman_cross_entropy(call: number): number;
  elman_step(call: number): number;
  elman_sample(logits: number, S: bigint, V: bigint, params: number, tokens: number): number;
  elman_decoder_new(spec: number): number;
  elman_decoder_free(decoder: number): void;
  elman_decoder_step(decoder: number, S: bigint, x: number, state: number, threads: bigint): number;
  elman_decoder_generate(decoder: number, S: bigint, length: bigint, first: number, state: number, params: number, tokens: number, threads: bigint): number;
  elman_general_forward(calls: number, count: bigint): number;
  elman_general_backward(calls: number, count: bigint): number;
}

/** Numbers in the library's memory. `data` is a view made anew after the memory has grown; do not keep it. */
export class Tensor<K extends Numbers = Numbers> {
  private view: ArrayOf[K] | null = null;
  constructor(
    private readonly library: Library,
    readonly kind: K,
    readonly length: number,
    readonly at: number,
  ) {}

  get data(): ArrayOf[K] {
    const memory = this.library.memory.buffer;
    if (this.view?.buffer !== memory) {
      const types = { f32: Float32Array, f64: Float64Array, i64: BigInt64Array, u32: Uint32Array };
      this.view = new types[this.kind](memory as ArrayBuffer, this.at, this.length) as ArrayOf[K];
    }
    return this.view as ArrayOf[K];
  }

  /** Fill from numbers, and give the tensor itself. */
  set(values: ArrayLike<number>): this {
    if (values.length !== this.length) throw new Error(`a tensor of ${this.length} numbers was given ${values.length}`);
    if (this.kind === "i64") for (let i = 0; i < values.length; i++) (this.data as BigInt64Array)[i] = BigInt(values[i]);
    else (this.data as Float32Array).set(values);
    return this;
  }

  /** A copy outside the library's memory. */
  copy(): Float64Array {
    return this.kind === "i64" ? Float64Array.from(this.data as BigInt64Array, Number) : new Float64Array(this.data as Float32Array);
  }

  free(): void {
    this.library.exports.free(this.at);
  }
}

const ABI = 8; // ELMAN_ABI in native/elman.h
const STATUS = ["", "the library refuses this call", "the page has no memory left for this"];

export class Library {
  readonly exports: Exports;
  private readonly structs = new Map<string, { size: number; fields: Map<string, [offset: number, size: number]> }>();
  private taken: Tensor[] | null = null;

  private constructor(instance: WebAssembly.Instance) {
    this.exports = instance.exports as unknown as Exports;
    this.exports._initialize?.();
    if (this.exports.elman_abi() !== ABI) throw new Error("the engine was built from another version of elman");
    for (const line of this.text(this.exports.elman_layout()).trim().split("\n")) {
      const [name, size, ...fields] = line.split(" ");
      const places = fields.map((field): [string, [number, number]] => {
        const [key, offset, bytes] = field.split(":");
        return [key, [Number(offset), Number(bytes)]];
      });
      this.structs.set(name, { size: Number(size), fields: new Map(places) });
    }
  }

  static async load(bytes: BufferSource): Promise<Library> {
    // What the C library asks of its system: no environment, no end.
    const wasi = {
      proc_exit: (code: number) => {
        throw new Error(`the engine has ended with ${code}`);
      },
      environ_sizes_get: (count: number, size: number) => {
        const view = new DataView((instance.exports.memory as WebAssembly.Memory).buffer);
        view.setUint32(count, 0, true);
        view.setUint32(size, 0, true);
        return 0;
      },
      environ_get: () => 0,
    };
    const env = { emscripten_notify_memory_growth: () => {} };
    const { instance } = await WebAssembly.instantiate(bytes, { env, wasi_snapshot_preview1: wasi });
    return new Library(instance);
  }

  get memory(): WebAssembly.Memory {
    return this.exports.memory;
  }

  text(at: number): string {
    const bytes = new Uint8Array(this.memory.buffer);
    return new TextDecoder().decode(bytes.slice(at, bytes.indexOf(0, at)));
  }

  /** A tensor of zeros, or of the given numbers; inside `scope` it lives as long as that does. */
  tensor<K extends Numbers>(kind: K, values: number | ArrayLike<number>): Tensor<K> {
    const tensor = this.lasting(kind, values);
    this.taken?.push(tensor);
    return tensor;
  }

  /** A tensor that lives until it is freed. */
  lasting<K extends Numbers>(kind: K, values: number | ArrayLike<number>): Tensor<K> {
    const length = typeof values === "number" ? values : values.length;
    const at = this.exports.malloc(Math.max(1, length) * BYTES[kind]);
    if (!at) throw new Error(STATUS[2]);
    const tensor = new Tensor(this, kind, length, at);
    if (typeof values === "number") (tensor.data as Float32Array).fill((kind === "i64" ? 0n : 0) as number);
    else tensor.set(values);
    return tensor;
  }

  /** Run `body`; the tensors that it makes are free afterwards. */
  scope<R>(body: () => R): R {
    const outer = this.taken;
    const mine: Tensor[] = (this.taken = []);
    try {
      return body();
    } finally {
      this.taken = outer;
      for (const tensor of mine) tensor.free();
    }
  }

  /** A struct with zero for every field that is not named. */
  pack(name: string, fields: Fields): Tensor<"u32"> {
    const packed = this.tensor("u32", this.struct(name).size / 4);
    this.write(name, packed.at, fields);
    return packed;
  }

  /** A struct that begins with an elman_call. */
  packGeneral(call: Fields, fields: Fields): Tensor<"u32"> {
    const packed = this.pack("elman_general_call", fields);
    this.write("elman_call", packed.at, call);
    return packed;
  }

  private struct(name: string) {
    const struct = this.structs.get(name);
    if (!struct) throw new Error(`the engine has no struct ${name}`);
    return struct;
  }

  private write(name: string, start: number, fields: Fields): void {
    const { size, fields: places } = this.struct(name);
    const view = new DataView(this.memory.buffer, start, size);
    for (const [field, value] of Object.entries(fields)) {
      const place = places.get(field);
      if (!place) throw new Error(`${name} has no field ${field}`);
      if (value === null) continue;
      if (value instanceof Tensor) view.setUint32(place[0], value.at, true);
      else if (value instanceof Double) view.setFloat64(place[0], value.value, true);
      else if (Array.isArray(value)) value.forEach((one, i) => view.setBigInt64(place[0] + 8 * i, BigInt(one), true));
      else view.setBigInt64(place[0], BigInt(value as number), true);
    }
  }

  /** Throw what a status other than 0 means. */
  check(status: number): void {
    if (status) throw new Error(STATUS[status] ?? `the engine answers ${status}`);
  }
}
