// Section 4: an expression that the reader writes, as a graph; its values, and backpropagation through it.
//
//   sum = product (("+" | "-") product)*    product = sign (("*" | "/") sign)*    sign = "-" sign | power
//   power = atom ("^" sign)?                atom = number | name | function "(" sum ")" | "(" sum ")"
//
// A name is one node however often it is written: its gradient is then a sum.

export interface Node {
  op: string; // "variable", "number", an operator, or a function's name
  label: string;
  inputs: readonly number[]; // the nodes it is computed from, all before it
  number?: number;
}

export interface Graph {
  nodes: readonly Node[];
  variables: readonly string[]; // names, in the order in which they are met
  root: number;
}

type Rule = { value(inputs: readonly number[]): number; slopes(inputs: readonly number[], value: number): number[] };
const sigmoid = (a: number) => 1 / (1 + Math.exp(-a));

const RULES: Record<string, Rule> = {
  "+": { value: ([a, b]) => a + b, slopes: () => [1, 1] },
  "-": { value: ([a, b]) => a - b, slopes: () => [1, -1] },
  "*": { value: ([a, b]) => a * b, slopes: ([a, b]) => [b, a] },
  "/": { value: ([a, b]) => a / b, slopes: ([a, b]) => [1 / b, -a / (b * b)] },
  "^": { value: ([a, b]) => a ** b, slopes: ([a, b], y) => [b === 0 ? 0 : b * a ** (b - 1), a > 0 ? y * Math.log(a) : a === 0 ? 0 : NaN] },
  neg: { value: ([a]) => -a, slopes: () => [-1] },
  tanh: { value: ([a]) => Math.tanh(a), slopes: (_, y) => [1 - y * y] },
  sigmoid: { value: ([a]) => sigmoid(a), slopes: (_, y) => [y * (1 - y)] },
  relu: { value: ([a]) => Math.max(0, a), slopes: ([a]) => [a > 0 ? 1 : 0] },
  exp: { value: ([a]) => Math.exp(a), slopes: (_, y) => [y] },
  log: { value: ([a]) => Math.log(a), slopes: ([a]) => [1 / a] },
  sin: { value: ([a]) => Math.sin(a), slopes: ([a]) => [Math.cos(a)] },
  cos: { value: ([a]) => Math.cos(a), slopes: ([a]) => [-Math.sin(a)] },
  sqrt: { value: ([a]) => Math.sqrt(a), slopes: (_, y) => [1 / (2 * y)] },
};
export const FUNCTIONS = Object.keys(RULES).filter((name) => /^[a-z]+$/.test(name) && name !== "neg");
const MOST_NODES = 40;

/** The graph of an expression; throws an Error that says what is wrong, and where. */
export function parse(text: string): Graph {
  const tokens = [...text.matchAll(/\s*(\d+\.?\d*(?:e[+-]?\d+)?|\.\d+|[A-Za-z_]\w*|[-+*/^()]|\S)/g)].map((found) => ({ text: found[1], at: found.index + found[0].length - found[1].length + 1 }));
  const nodes: Node[] = [];
  const variables: string[] = [];
  const places = new Map<string, number>();
  let at = 0;
  let depth = 0;

  const fail = (what: string): never => {
    const token = tokens[at];
    throw new Error(`${what} at ${token ? `place ${token.at}, “${token.text}”` : "the end"}`);
  };
  const add = (node: Node): number => {
    if (nodes.length >= MOST_NODES) throw new Error(`more than ${MOST_NODES} nodes: too many to look at`);
    return nodes.push(node) - 1;
  };
  const take = (...wanted: string[]): string | null => (tokens[at] && wanted.includes(tokens[at].text) ? tokens[at++].text : null);
  const expect = (wanted: string) => take(wanted) ?? fail(`“${wanted}” is missing`);

  function chain(next: () => number, ...operators: string[]): number {
    let left = next();
    for (let op = take(...operators); op; op = take(...operators)) left = add({ op, label: op === "*" ? "×" : op === "-" ? "−" : op, inputs: [left, next()] });
    return left;
  }
  const sum = (): number => chain(product, "+", "-");
  const product = (): number => chain(sign, "*", "/");
  function sign(): number {
    if (++depth > 60) throw new Error("brackets within brackets, too deep to look at");
    const result = take("-") ? add({ op: "neg", label: "−", inputs: [sign()] }) : power();
    depth--;
    return result;
  }
  function power(): number {
    const base = atom();
    return take("^") ? add({ op: "^", label: "^", inputs: [base, sign()] }) : base;
  }
  function atom(): number {
    const token = tokens[at];
    if (!token) return fail("something is missing");
    if (take("(")) {
      const inner = sum();
      expect(")");
      return inner;
    }
    if (/^[\d.]/.test(token.text)) {
      at++;
      return add({ op: "number", label: token.text, inputs: [], number: Number(token.text) });
    }
    if (!/^[A-Za-z_]/.test(token.text)) return fail("a number, a name or a bracket belongs");
    at++;
    if (FUNCTIONS.includes(token.text)) {
      expect("(");
      const inner = sum();
      expect(")");
      return add({ op: token.text, label: token.text, inputs: [inner] });
    }
    if (tokens[at]?.text === "(") {
      at--;
      return fail(`no such function; there are ${FUNCTIONS.join(", ")}`);
    }
    let place = places.get(token.text);
    if (place === undefined) {
      if (variables.length >= 8) throw new Error("more than 8 names: too many to look at");
      variables.push(token.text);
      places.set(token.text, (place = add({ op: "variable", label: token.text, inputs: [] })));
    }
    return place;
  }

  if (!tokens.length) throw new Error("write an expression, such as (a*b + c)^2");
  const root = sum();
  if (at < tokens.length) fail("the expression should have ended");
  return { nodes, variables, root };
}

/** Every node's value. */
export function evaluate(graph: Graph, values: Record<string, number>): number[] {
  const found: number[] = [];
  for (const node of graph.nodes) found.push(node.op === "variable" ? values[node.label] : node.op === "number" ? node.number! : RULES[node.op].value(node.inputs.map((i) => found[i])));
  return found;
}

export interface Contribution {
  from: number; // the node whose gradient is handed on
  to: number;
  local: number;
  upstream: number;
}

export interface Backpropagated {
  order: number[]; // nodes with inputs, as their gradients are handed on
  contributions: Contribution[][]; // of each of these steps
  gradients: number[]; // of every node, at the end
}

export function backpropagate(graph: Graph, values: readonly number[]): Backpropagated {
  const gradients = new Array(graph.nodes.length).fill(0);
  gradients[graph.root] = 1;
  const used = new Set([graph.root]);
  const order: number[] = [];
  const contributions: Contribution[][] = [];
  for (let n = graph.nodes.length - 1; n >= 0; n--) {
    const { op, inputs } = graph.nodes[n];
    if (!inputs.length || !used.has(n)) continue;
    const slopes = RULES[op].slopes(inputs.map((i) => values[i]), values[n]);
    order.push(n);
    contributions.push(inputs.map((to, k) => ({ from: n, to, local: slopes[k], upstream: gradients[n] })));
    inputs.forEach((to, k) => {
      gradients[to] += slopes[k] * gradients[n];
      used.add(to);
    });
  }
  return { order, contributions, gradients };
}

/** dL/dname by central differences. */
export function finiteDifference(graph: Graph, values: Record<string, number>, name: string): number {
  const step = 1e-5 * Math.max(1, Math.abs(values[name]));
  const at = (value: number) => evaluate(graph, { ...values, [name]: value })[graph.root];
  return (at(values[name] + step) - at(values[name] - step)) / (2 * step);
}

/** Where to draw each node: columns by depth, from inputs at the left; rows such that few edges cross. */
export function layout(graph: Graph): { x: number; y: number }[] {
  const depth: number[] = [];
  graph.nodes.forEach((node) => depth.push(node.inputs.length ? 1 + Math.max(...node.inputs.map((i) => depth[i])) : 0));
  // a leaf stands just before the first that reads it
  graph.nodes.forEach((node, n) => {
    if (node.inputs.length) return;
    const readers = graph.nodes.flatMap((other, m) => (other.inputs.includes(n) ? [depth[m]] : []));
    if (readers.length) depth[n] = Math.min(...readers) - 1;
  });
  const columns: number[][] = Array.from({ length: Math.max(...depth) + 1 }, () => []);
  depth.forEach((d, n) => columns[d].push(n));
  const row = new Array(graph.nodes.length).fill(0);
  for (const column of columns) column.forEach((n, i) => (row[n] = i - (column.length - 1) / 2));
  for (let sweep = 0; sweep < 4; sweep++)
    for (const column of sweep % 2 ? columns : [...columns].reverse()) {
      const wish = new Map(column.map((n): [number, number] => {
        const near = graph.nodes.flatMap((other, m) => (other.inputs.includes(n) ? [row[m]] : [])).concat(graph.nodes[n].inputs.map((i) => row[i]));
        return [n, near.length ? near.reduce((sum, one) => sum + one, 0) / near.length : row[n]];
      }));
      column.sort((a, b) => wish.get(a)! - wish.get(b)! || a - b);
      column.forEach((n, i) => (row[n] = i - (column.length - 1) / 2));
    }
  return graph.nodes.map((_, n) => ({ x: depth[n], y: row[n] }));
}
