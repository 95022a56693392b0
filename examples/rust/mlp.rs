//! A multilayer perceptron's gradient in Rust, as a program that the oracle asks: docs/protocol.md.
//!
//!     rustc --edition 2021 -O -o mlp examples/rust/mlp.rs
//!     python -m verify check --exec ./mlp --hidden sigmoid
//!
//! and, where no Python runs, by files of known gradients (docs/vectors.md): `./mlp --vectors DIRECTORY`.
//!
//! `./mlp --wrong` makes a mistake: the slope of the activation is left out in the first layer.

use std::io::{BufRead, Write};

// The gradient of the mean cross-entropy of a softmax, for one type of float.
//
// `sizes`: numbers of units, inputs first. `params`: weight (n_in, n_out) and bias (n_out) of each layer; `x` is (batch,
// n_in), `y` (batch, n_out): rows one after the other.
macro_rules! network {
    ($gradient:ident, $real:ty) => {
        fn $gradient(hidden: &str, sizes: &[usize], params: &[Vec<$real>], x: &[$real], y: &[$real], wrong: bool) -> Vec<Vec<$real>> {
            let activated = |z: $real| match hidden {
                "sigmoid" => 1.0 / (1.0 + (-z).exp()),
                "tanh" => z.tanh(),
                "relu" => if z > 0.0 { z } else { 0.0 },
                _ => z,
            };
            let slope = |a: $real| match hidden {
                "sigmoid" => a * (1.0 - a),
                "tanh" => (1.0 - a) * (1.0 + a),
                "relu" => if a > 0.0 { 1.0 } else { 0.0 }, // 0 at z = 0
                _ => 1.0,
            };
            let (layers, batch) = (sizes.len() - 1, x.len() / sizes[0]);

            let mut a = vec![x.to_vec()];
            for i in 0..layers {
                let (n_in, n_out, weight) = (sizes[i], sizes[i + 1], &params[2 * i]);
                let mut z = params[2 * i + 1].repeat(batch);
                for (row, out) in a[i].chunks(n_in).zip(z.chunks_mut(n_out)) {
                    for (value, from) in row.iter().zip(weight.chunks(n_out)) {
                        for k in 0..n_out { out[k] += value * from[k]; }
                    }
                    if i + 1 < layers {
                        for value in out.iter_mut() { *value = activated(*value); }
                    } else {
                        let top = out.iter().fold(<$real>::NEG_INFINITY, |top, &value| top.max(value));
                        for value in out.iter_mut() { *value = (*value - top).exp(); }
                        let sum: $real = out.iter().sum();
                        for value in out.iter_mut() { *value /= sum; }
                    }
                }
                a.push(z);
            }

            let mut dz: Vec<$real> = a[layers].iter().zip(y).map(|(p, y)| (p - y) / batch as $real).collect();
            let mut grads: Vec<Vec<$real>> = params.iter().map(|tensor| vec![0.0; tensor.len()]).collect();
            for i in (0..layers).rev() {
                let (n_in, n_out, weight) = (sizes[i], sizes[i + 1], &params[2 * i]);
                let mut da = vec![0.0; batch * n_in];
                for r in 0..batch {
                    for k in 0..n_out {
                        let delta = dz[r * n_out + k];
                        grads[2 * i + 1][k] += delta;
                        for j in 0..n_in {
                            grads[2 * i][j * n_out + k] += a[i][r * n_in + j] * delta;
                            da[r * n_in + j] += delta * weight[j * n_out + k];
                        }
                    }
                }
                if !(wrong && i == 1) {
                    for (value, &activation) in da.iter_mut().zip(&a[i]) { *value *= slope(activation); }
                }
                dz = da;
            }
            grads
        }
    };
}
network!(gradient_f64, f64);
network!(gradient_f32, f32);

const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

fn encoded(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() / 3 * 4 + 4);
    for part in bytes.chunks(3) {
        let bits = part.iter().fold(0u32, |bits, &byte| bits << 8 | byte as u32) << (8 * (3 - part.len()));
        for i in 0..4 {
            text.push(if i <= part.len() { DIGITS[(bits >> (18 - 6 * i)) as usize & 63] as char } else { '=' });
        }
    }
    text
}

fn decoded(text: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len() / 4 * 3);
    for part in text.trim_end_matches('=').as_bytes().chunks(4) {
        let digit = |c: &u8| DIGITS.iter().position(|d| d == c).expect("base64") as u32;
        let bits = part.iter().fold(0u32, |bits, c| bits << 6 | digit(c)) << (6 * (4 - part.len()));
        bytes.extend_from_slice(&bits.to_be_bytes()[1..part.len()]);
    }
    bytes
}

/// What stands between the next `from` and the `to` after it, and the rest: the runner writes keys in one order.
fn between<'a>(text: &'a str, from: &str, to: &str) -> (&'a str, &'a str) {
    let start = text.find(from).unwrap_or_else(|| panic!("the request has no {from}")) + from.len();
    let end = start + text[start..].find(to).expect("the value ends");
    (&text[start..end], &text[end..])
}

fn answer(request: &str, wrong: bool) -> String {
    let (id, rest) = between(request, "\"id\":", ",");
    let (dtype, rest) = between(rest, "\"dtype\":\"", "\"");
    let (sizes, rest) = between(rest, "\"sizes\":[", "]");
    let sizes: Vec<usize> = sizes.split(',').map(|n| n.parse().expect("a size")).collect();
    let (hidden, mut rest) = between(rest, "\"hidden\":\"", "\"");
    let mut tensors = Vec::new();
    for _ in 0..2 * sizes.len() {
        let (data, after) = between(rest, "\"data\":\"", "\"");
        tensors.push(decoded(data));
        rest = after;
    }
    macro_rules! answered {
        ($gradient:ident, $real:ty, $size:expr) => {{
            let read = |bytes: &Vec<u8>| bytes.chunks($size).map(|b| <$real>::from_le_bytes(b.try_into().unwrap())).collect();
            let given: Vec<Vec<$real>> = tensors.iter().map(read).collect();
            let (params, batch) = given.split_at(given.len() - 2);
            let grads = $gradient(hidden, &sizes, params, &batch[0], &batch[1], wrong);
            grads.iter().map(|g| encoded(&g.iter().flat_map(|v| v.to_le_bytes()).collect::<Vec<u8>>())).collect()
        }};
    }
    let data: Vec<String> =
        if dtype == "float64" { answered!(gradient_f64, f64, 8) } else { answered!(gradient_f32, f32, 4) };
    let tensor = |(i, data): (usize, &String)| {
        let n_out = sizes[i / 2 + 1];
        let shape = if i % 2 == 0 { format!("{},{n_out}", sizes[i / 2]) } else { format!("{n_out}") };
        format!("{{\"shape\":[{shape}],\"dtype\":\"{dtype}\",\"data\":\"{data}\"}}")
    };
    let tensors: Vec<String> = data.iter().enumerate().map(tensor).collect();
    format!("{{\"type\":\"answer\",\"id\":{id},\"tensors\":[{}]}}", tensors.join(","))
}

/// Judge by files of known gradients; how many fail. A line of the index has an id, the dtype, the spec, batch, layers,
/// sizes, and where the numbers begin: params, x, y, expected, bound.
fn judged(directory: &str, wrong: bool) -> usize {
    let (mut passed, mut failed, mut others) = (0, 0, 0);
    for line in std::fs::read_to_string(format!("{directory}/index.txt")).expect("an index").lines() {
        let words: Vec<&str> = line.split(' ').collect();
        if words[2] == "leaky_relu" || words[3..7] != ["softmax", "cross_entropy", "mean", "0x0p+0"] {
            others += 1;
            continue;
        }
        let numbers: Vec<usize> = words[7..].iter().map(|n| n.parse().expect("a size")).collect();
        let (batch, sizes, begin) = (numbers[0], &numbers[2..numbers.len() - 1], numbers[numbers.len() - 1]);
        let shapes: Vec<usize> = (1..sizes.len()).flat_map(|i| [sizes[i - 1] * sizes[i], sizes[i]]).collect();
        macro_rules! right {
            ($gradient:ident, $real:ty, $size:expr) => {{
                let bytes = std::fs::read(format!("{directory}/{}.bin", words[1])).expect("numbers");
                let mut rest = bytes[begin * $size..].chunks($size).map(|b| <$real>::from_le_bytes(b.try_into().unwrap()));
                let mut next = |n: &usize| rest.by_ref().take(*n).collect::<Vec<$real>>();
                let params: Vec<Vec<$real>> = shapes.iter().map(&mut next).collect();
                let (x, y) = (next(&(batch * sizes[0])), next(&(batch * sizes[sizes.len() - 1])));
                let expected: Vec<Vec<$real>> = shapes.iter().map(&mut next).collect();
                let bounds = shapes.iter().flat_map(&mut next);
                let got = $gradient(words[2], sizes, &params, &x, &y, wrong);
                got.concat().iter().zip(expected.concat()).zip(bounds).all(|((got, e), b)| (got - e).abs() <= b)
            }};
        }
        let right = if words[1] == "float64" { right!(gradient_f64, f64, 8) } else { right!(gradient_f32, f32, 4) };
        if !right { println!("test {} is wrong", words[0]); }
        *(if right { &mut passed } else { &mut failed }) += 1;
    }
    println!("{passed} passed, {failed} failed, {others} are for other networks");
    failed
}

fn main() {
    let wrong = std::env::args().any(|argument| argument == "--wrong");
    if let Some(at) = std::env::args().position(|argument| argument == "--vectors") {
        std::process::exit((judged(&std::env::args().nth(at + 1).expect("a directory"), wrong) > 0) as i32);
    }
    let mut out = std::io::stdout();
    for line in std::io::stdin().lock().lines() {
        let line = line.expect("a line of text");
        if line.starts_with("{\"type\":\"stop\"") {
            break;
        }
        let reply = if line.starts_with("{\"type\":\"hello\"") {
            String::from(
                "{\"type\":\"hello\",\"protocol\":1,\"name\":\"mlp.rs\",\"hidden\":[\"sigmoid\",\"tanh\",\"relu\",\"identity\"],\
                 \"outputs\":[[\"softmax\",\"cross_entropy\"]],\"reductions\":[\"mean\"],\"l2\":false}",
            )
        } else {
            answer(&line, wrong)
        };
        writeln!(out, "{reply}").and_then(|()| out.flush()).expect("the runner reads");
    }
}
