// A multilayer perceptron's gradient in JavaScript, as a program that the oracle asks: docs/protocol.md.
//
//     python -m verify check --exec "node examples/javascript/mlp.js" --hidden tanh
//
// and, where no Python runs, by files of known gradients, docs/vectors.md:
//
//     node examples/javascript/mlp.js --vectors DIRECTORY
//
// --wrong makes a mistake: the softmax is differentiated once more, as if it were a sigmoid.
"use strict";

const fs = require("node:fs");
const readline = require("node:readline");

const wrong = process.argv.includes("--wrong");
const ARRAYS = { float64: Float64Array, float32: Float32Array };

// Each activation with its slope at the activation a. The slope of relu at 0 is 0.
const HIDDEN = {
  sigmoid: [(z) => 1 / (1 + Math.exp(-z)), (a) => a * (1 - a)],
  tanh: [Math.tanh, (a) => (1 - a) * (1 + a)],
  relu: [(z) => Math.max(z, 0), (a) => (a > 0 ? 1 : 0)],
  identity: [(z) => z, () => 1],
};

// The gradient of the mean cross-entropy of a softmax.
//
// sizes: numbers of units, inputs first. params: weight (n_in, n_out) and bias (n_out,) of each layer, x (batch, n_in),
// y (batch, n_out): flat arrays of the class Real, rows one after the other. Every sum is rounded to Real when stored.
function gradient(Real, hidden, sizes, batch, params, x, y) {
  const [activation, slope] = HIDDEN[hidden];
  const layers = sizes.length - 1;
  const a = [x];
  for (let i = 0; i < layers; i++) {
    const [n_in, n_out, weight, bias] = [sizes[i], sizes[i + 1], params[2 * i], params[2 * i + 1]];
    const z = new Real(batch * n_out);
    for (let r = 0; r < batch; r++)
      for (let k = 0; k < n_out; k++) {
        let sum = bias[k];
        for (let j = 0; j < n_in; j++) sum += a[i][r * n_in + j] * weight[j * n_out + k];
        z[r * n_out + k] = sum;
      }
    a.push(i + 1 < layers ? z.map(activation) : softmax(z, n_out));
  }

  const p = a[layers];
  let dz = new Real(p.length);
  for (let k = 0; k < p.length; k++) dz[k] = ((p[k] - y[k]) / batch) * (wrong ? p[k] * (1 - p[k]) : 1);
  const grads = [];
  for (let i = layers - 1; i >= 0; i--) {
    const [n_in, n_out, weight] = [sizes[i], sizes[i + 1], params[2 * i]];
    const dweight = new Real(weight.length), dbias = new Real(n_out), da = new Real(batch * n_in);
    for (let r = 0; r < batch; r++)
      for (let k = 0; k < n_out; k++) {
        const delta = dz[r * n_out + k];
        dbias[k] += delta;
        for (let j = 0; j < n_in; j++) {
          dweight[j * n_out + k] += a[i][r * n_in + j] * delta;
          da[r * n_in + j] += delta * weight[j * n_out + k];
        }
      }
    grads.unshift(dweight, dbias);
    dz = da.map((value, k) => value * slope(a[i][k]));
  }
  return grads;
}

function softmax(z, n_out) {
  const p = new z.constructor(z.length);
  for (let start = 0; start < z.length; start += n_out) {
    const row = z.subarray(start, start + n_out);
    const top = Math.max(...row);
    const e = row.map((value) => Math.exp(value - top));
    const sum = e.reduce((total, value) => total + value, 0);
    p.set(e.map((value) => value / sum), start);
  }
  return p;
}

// A tensor's numbers: the little-endian bytes in base64, copied so that they are aligned. (Typed arrays are in the
// machine's order, which is little-endian wherever Node runs, s390x apart.)
function read(tensor) {
  const bytes = Buffer.from(tensor.data, "base64");
  return new ARRAYS[tensor.dtype](bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length));
}

function written(numbers, shape, dtype) {
  return { shape, dtype, data: Buffer.from(numbers.buffer, numbers.byteOffset, numbers.byteLength).toString("base64") };
}

const answers = {
  hello: () => ({
    type: "hello",
    protocol: 1,
    name: "mlp.js",
    hidden: Object.keys(HIDDEN),
    outputs: [["softmax", "cross_entropy"]],
    reductions: ["mean"],
    l2: false,
  }),
  gradient: ({ id, dtype, hidden, sizes, batch, tensors }) => {
    const numbers = tensors.map(read);
    const [x, y] = numbers.slice(-2);
    const grads = gradient(ARRAYS[dtype], hidden, sizes, batch, numbers.slice(0, -2), x, y);
    return { type: "answer", id, tensors: grads.map((found, i) => written(found, tensors[i].shape, dtype)) };
  },
};

// Judge by files of known gradients; how many fail. A line of the index has an id, the dtype, the spec, batch, layers,
// sizes, and where the numbers begin: params, x, y, expected, bound.
function judged(directory) {
  const files = {};
  const counts = { passed: 0, failed: 0, others: 0 };
  for (const line of fs.readFileSync(`${directory}/index.txt`, "utf8").trim().split("\n")) {
    const [id, dtype, hidden, output, loss, reduction, l2, batch, layers, ...rest] = line.split(" ");
    if (!(hidden in HIDDEN) || `${output} ${loss} ${reduction} ${l2}` !== "softmax cross_entropy mean 0x0p+0") {
      counts.others++;
      continue;
    }
    const Real = ARRAYS[dtype], sizes = rest.slice(0, -1).map(Number);
    files[dtype] ??= read({ dtype, data: fs.readFileSync(`${directory}/${dtype}.bin`) });
    let at = Number(rest.at(-1));
    const next = (n) => files[dtype].subarray(at, (at += n));
    const shapes = sizes.slice(1).flatMap((n_out, i) => [sizes[i] * n_out, n_out]);
    const params = shapes.map(next);
    const [x, y] = [next(batch * sizes[0]), next(batch * sizes[layers])];
    const [expected, bound] = [shapes.map(next), shapes.map(next)];
    const got = gradient(Real, hidden, sizes, Number(batch), params, x, y);
    const right = got.every((tensor, i) => tensor.every((value, k) => Math.abs(value - expected[i][k]) <= bound[i][k]));
    if (!right) console.log(`test ${id} is wrong`);
    counts[right ? "passed" : "failed"]++;
  }
  console.log(`${counts.passed} passed, ${counts.failed} failed, ${counts.others} are for other networks`);
  return counts.failed;
}

const vectors = process.argv.indexOf("--vectors");
if (vectors > 0) process.exit(judged(process.argv[vectors + 1]) > 0 ? 1 : 0);
const lines = readline.createInterface({ input: process.stdin });
lines.on("line", (line) => {
  const message = JSON.parse(line);
  if (message.type === "stop") process.exit(0);
  process.stdout.write(JSON.stringify(answers[message.type](message)) + "\n");
});
