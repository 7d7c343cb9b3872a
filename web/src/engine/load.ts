// The engine and the models, each from a script beside the page: a page that was opened from a file may load no others.
import { Library } from "./library";

declare global {
  var elmanAssets: Record<string, string> | undefined;
}

const waiting = new Map<string, Promise<ArrayBuffer>>();

/** The bytes of an asset of `web/models/build.py`, by name; asked for once. */
export function asset(name: string): Promise<ArrayBuffer> {
  let found = waiting.get(name);
  if (!found) waiting.set(name, (found = read(name)));
  return found;
}

async function read(name: string): Promise<ArrayBuffer> {
  await new Promise<void>((done, fail) => {
    const script = document.createElement("script");
    script.src = `./${name}.js`;
    script.onload = () => done();
    script.onerror = () => fail(new Error(`${name}.js, which lies beside this page, cannot be loaded`));
    document.head.append(script);
  });
  const packed = globalThis.elmanAssets?.[name];
  if (!packed) throw new Error(`${name}.js holds no ${name}`);
  delete globalThis.elmanAssets![name];
  const bytes = Uint8Array.from(atob(packed), (character) => character.charCodeAt(0));
  return new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"))).arrayBuffer();
}

let library: Promise<Library> | null = null;

/** The engine, made once. */
export function engine(): Promise<Library> {
  return (library ??= asset("engine").then((bytes) => Library.load(bytes)));
}

export interface Model<Facts> {
  facts: Facts & { H: number; quality: string };
  tensors: Record<string, Float32Array>;
}

/** A trained model: its facts, and its weights by name. */
export async function model<Facts>(name: string): Promise<Model<Facts>> {
  const bytes = await asset(name);
  const length = new DataView(bytes).getUint32(0, true);
  const { tensors: places, ...facts } = JSON.parse(new TextDecoder().decode(new Uint8Array(bytes, 4, length)));
  const numbers = new Float32Array(bytes.slice(4 + length));
  const tensors = Object.fromEntries(
    Object.entries(places as Record<string, [number, number]>).map(([key, [at, count]]) => [key, numbers.subarray(at, at + count)]),
  );
  return { facts, tensors };
}
