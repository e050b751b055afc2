#!/usr/bin/env node
// Writes THIRD-PARTY-NOTICES: the licences of all that is in the program and in its page, out of the
// sources that cargo and npm have. `lockstep --notices` prints it; tests/notices.rs says when to run this.
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
process.chdir(root);

// What ships is built for these, so that the list is the same wherever this runs.
const BUILDS = [
  ["x86_64-unknown-linux-gnu", "ssr"],
  ["aarch64-unknown-linux-gnu", "ssr"],
  ["aarch64-apple-darwin", "ssr"],
  ["x86_64-apple-darwin", "ssr"],
  ["wasm32-unknown-unknown", "hydrate,split"],
];
const NPM = ["uplot"];
const LICENCE = /^(licen[cs]e|copying|copyright|notice|unlicense)([-_. ].*)?$/i;

// For packages that name this licence and have no text of it.
const MIT = `Permission is hereby granted, free of charge, to any person obtaining a copy of this software and associated
documentation files (the "Software"), to deal in the Software without restriction, including without limitation the
rights to use, copy, modify, merge, publish, distribute, sublicense, and/or sell copies of the Software, and to permit
persons to whom the Software is furnished to do so, subject to the following conditions:

The above copyright notice and this permission notice shall be included in all copies or substantial portions of the
Software.

THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR IMPLIED, INCLUDING BUT NOT LIMITED TO THE
WARRANTIES OF MERCHANTABILITY, FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE AUTHORS OR
COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM, DAMAGES OR OTHER LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR
OTHERWISE, ARISING FROM, OUT OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE SOFTWARE.
`;

/** The packages that a build has in it: reached from the root without what only tests or build scripts use. */
function packagesOf([platform, features]) {
  const arguments_ = ["metadata", "--format-version", "1", "--locked", "--features", features];
  const options = { encoding: "utf8", maxBuffer: 1 << 28, stdio: ["ignore", "pipe", "inherit"] };
  const metadata = JSON.parse(execFileSync("cargo", [...arguments_, "--filter-platform", platform], options));
  const nodes = new Map(metadata.resolve.nodes.map((node) => [node.id, node]));
  const reached = new Set([metadata.resolve.root]);
  for (const id of reached) {
    for (const { pkg, dep_kinds } of nodes.get(id).deps) {
      if (dep_kinds.some(({ kind }) => kind === null)) reached.add(pkg);
    }
  }
  reached.delete(metadata.resolve.root);
  return metadata.packages.filter(({ id }) => reached.has(id));
}

const byName = (a, b) => (a.label < b.label ? -1 : a.label > b.label ? 1 : 0);

/** @type {Map<string, {label: string, licence: string, from: string, texts: string[]}>} */
const parts = new Map();
function add(label, licence, from, folder, named, authors) {
  if (parts.has(label)) return;
  const files = readdirSync(folder, { withFileTypes: true }).filter((entry) => entry.isFile());
  const names = new Set(files.map(({ name }) => name).filter((name) => LICENCE.test(name)));
  if (named && existsSync(join(folder, named))) names.add(named);
  const texts = [...names].sort().map((name) => readFileSync(join(folder, name), "utf8"));
  if (texts.length === 0) {
    const by = authors.length > 0 ? ` by ${authors.join(", ")}` : "";
    texts.push(`The package has no text of its licence. It says: ${licence}${by}.\n`);
    if (licence.includes("MIT")) texts.push(MIT);
  }
  parts.set(label, { label, licence, from, texts: texts.map(tidy) });
}

/** Equal for texts that differ in nothing that counts. */
function tidy(text) {
  const lines = text.replaceAll("\r\n", "\n").split("\n").map((line) => line.trimEnd());
  return lines.join("\n").replace(/^\n+|\n+$/g, "").replace(/\n{3,}/g, "\n\n") + "\n";
}

for (const build of BUILDS) {
  for (const one of packagesOf(build)) {
    const { name, version, license, repository, manifest_path, license_file, authors } = one;
    const licence = license ?? "see its text below";
    add(`${name} ${version}`, licence, repository ?? "", dirname(manifest_path), license_file, authors);
  }
}
const ofCargo = new Set(parts.keys());
for (const name of NPM) {
  const folder = join("node_modules", name);
  if (!existsSync(folder)) throw new Error(`${folder} is not there: run scripts/setup.sh first`);
  const { version, license, repository, author } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
  const from = (repository?.url ?? repository ?? "").replace(/^git\+|\.git$/g, "");
  add(`${name} ${version}`, license, from, folder, undefined, [author?.name ?? author ?? ""].filter(Boolean));
}

const lock = readFileSync("Cargo.lock", "utf8");
const locked = [...lock.matchAll(/^name = "([^"]+)"\nversion = "([^"]+)"$/gm)].map(([, name, version]) => `${name} ${version}`);
const others = locked.filter((label) => !ofCargo.has(label) && !/^(lockstep|xtask) /.test(label)).sort();

const texts = new Map();
for (const part of [...parts.values()].sort(byName)) {
  for (const text of part.texts) {
    const key = text.replace(/\s+/g, " ").trim();
    if (!texts.has(key)) texts.set(key, { text, of: [] });
    texts.get(key).of.push(part.label);
  }
}

const out = [
  "Third-party notices of Lockstep",
  "",
  "Lockstep is licensed under the Apache License, Version 2.0 (see LICENSE). It is made with what is listed here,",
  "each under its own licence; the texts follow. SQLite, inside libsqlite3-sys, is in the public domain. The Rust",
  "standard library is by the Rust Project Developers, under MIT OR Apache-2.0.",
  "",
  "This file is written by scripts/notices.mjs.",
  "",
  "# In the program and its page",
  "",
  ...[...parts.values()].sort(byName).map(({ label, licence, from }) => `- ${label}: ${licence}${from ? `, ${from}` : ""}`),
  "",
  "# Only for other machines, for building, or for testing",
  "",
  ...others.map((label) => `- ${label}`),
  "",
  "# Texts",
  "",
];
for (const { text, of } of texts.values()) {
  out.push("-".repeat(100), ...wrap(`Of ${of.join(", ")}:`), "", text);
}
writeFileSync("THIRD-PARTY-NOTICES", out.join("\n"));
console.log(`THIRD-PARTY-NOTICES: ${parts.size} packages, ${texts.size} texts`);

function wrap(text) {
  const lines = [""];
  for (const word of text.split(" ")) {
    if (lines.at(-1).length + word.length > 100) lines.push("");
    lines[lines.length - 1] += (lines.at(-1) ? " " : "") + word;
  }
  return lines;
}
