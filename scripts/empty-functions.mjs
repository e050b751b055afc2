// Empties functions of a linked WebAssembly module that are never called, so that what only they reach can be
// dropped by the steps after the linker. Leptos keeps in each erased view a way to hydrate it bit by bit
// (`leptos::mount::hydrate_lazy`); a page that is hydrated at once never takes it, but no compiler can know that.
//
//     node scripts/empty-functions.mjs MODULE PATTERN
//
// MODULE is changed in place; it still has its `name` section, and its relocations if it is to be split.
// PATTERN is a regular expression on the names as the linker wrote them. A call of an emptied function traps. Of
// functions with the same body the linker keeps one, with any of their names: PATTERN is for functions whose bodies
// are like no other's, as those that name a type's own code.
// It fails where that saves next to nothing any more: then it is to go.
import { readFileSync, writeFileSync } from "node:fs";

/** Bytes of bodies that are worth it. */
const WORTHWHILE = 10_000;

const [file, pattern] = process.argv.slice(2);
const bytes = readFileSync(file);
const wanted = new RegExp(pattern);

/** An unsigned LEB128 at `at`: its value, and where it ends. */
function leb(at) {
  let value = 0;
  for (let shift = 0; ; shift += 7) {
    const byte = bytes[at++];
    value += (byte & 0x7f) * 2 ** shift;
    if (byte < 0x80) return [value, at];
  }
}

function name(at) {
  const [length, start] = leb(at);
  return [bytes.toString("utf8", start, start + length), start + length];
}

/** An unsigned LEB128 as bytes. */
function encoded(value) {
  const out = [];
  do {
    const rest = Math.floor(value / 128);
    out.push((value % 128) | (rest ? 0x80 : 0));
    value = rest;
  } while (value);
  return Buffer.from(out);
}

/** The sections: what they are, and where header, payload and end stand. */
function sections() {
  const found = [];
  for (let at = 8; at < bytes.length; ) {
    const [size, payload] = leb(at + 1);
    const section = { id: bytes[at], head: at, payload, end: payload + size };
    if (section.id === 0) [section.name, section.content] = name(payload);
    found.push(section);
    at = section.end;
  }
  return found;
}

/** How many functions are imported: the first indices are theirs. */
function importedFunctions({ payload }) {
  let [count, at] = leb(payload);
  let functions = 0;
  const limits = () => {
    const flags = bytes[at++];
    [, at] = leb(at);
    if (flags & 1) [, at] = leb(at);
  };
  for (; count > 0; count--) {
    [, at] = name(at);
    [, at] = name(at);
    const kind = bytes[at++];
    if (kind === 0) [, at] = leb(at), functions++;
    else if (kind === 1) at++, limits();
    else if (kind === 2) limits();
    else if (kind === 3) at += 2;
    else throw new Error(`an import of kind ${kind}, which this does not know`);
  }
  return functions;
}

/** The indices of the functions whose names are wanted. */
function named({ content, end }) {
  const indices = new Set();
  for (let at = content; at < end; ) {
    const kind = bytes[at];
    const [size, start] = leb(at + 1);
    if (kind === 1) {
      let [count, here] = leb(start);
      for (; count > 0; count--) {
        let index, called;
        [index, here] = leb(here);
        [called, here] = name(here);
        if (wanted.test(called)) indices.add(index);
      }
    }
    at = start + size;
  }
  return indices;
}

/** Overwrites the bodies, keeping their lengths: no other function moves. Answers where they stand in the section. */
function empty({ payload }, indices, first) {
  const ranges = [];
  let [count, at] = leb(payload);
  for (let index = first; index < first + count; index++) {
    const [size, body] = leb(at);
    at = body + size;
    if (!indices.has(index)) continue;
    // No locals, `unreachable`, as many `nop` as there is room for, `end`.
    bytes.fill(0x01, body, at);
    bytes.set([0x00, 0x00], body);
    bytes[at - 1] = 0x0b;
    ranges.push([body - payload, at - payload]);
  }
  return ranges;
}

/** Relocation types that carry an addend. */
const WITH_ADDEND = new Set([3, 4, 5, 8, 9, 11, 14, 15, 16, 17, 21, 22, 23, 25]);

/** The section of the code's relocations without those in the ranges. */
function relocations({ payload, content }, ranges) {
  let [target, at] = leb(content);
  let count;
  [count, at] = leb(at);
  const kept = [];
  let next = 0;
  for (let left = count; left > 0; left--) {
    const start = at;
    const type = bytes[at++];
    let offset;
    [offset, at] = leb(at);
    [, at] = leb(at);
    if (WITH_ADDEND.has(type)) [, at] = leb(at);
    while (next < ranges.length && ranges[next][1] <= offset) next++;
    if (!(next < ranges.length && offset >= ranges[next][0])) kept.push(bytes.subarray(start, at));
  }
  const inner = Buffer.concat([bytes.subarray(payload, content), encoded(target), encoded(kept.length), ...kept]);
  return Buffer.concat([Buffer.from([0]), encoded(inner.length), inner]);
}

const all = sections();
const names = all.find((section) => section.name === "name");
const indices = names ? named(names) : new Set();
if (indices.size === 0) {
  console.error(`no function of ${file} is called ${pattern}: nothing was emptied`);
  process.exit(1);
}
const ranges = empty(all.find((section) => section.id === 10), indices, importedFunctions(all.find((section) => section.id === 2)));
const out = [bytes.subarray(0, 8)];
for (const section of all) {
  out.push(section.name === "reloc.CODE" ? relocations(section, ranges) : bytes.subarray(section.head, section.end));
}
const saved = ranges.reduce((sum, [start, end]) => sum + end - start, 0);
if (saved < WORTHWHILE) {
  console.error(`the functions of ${file} called ${pattern} have ${saved} bytes: emptying them saves nothing any more`);
  process.exit(1);
}
writeFileSync(file, Buffer.concat(out));
console.error(`${ranges.length} functions that are never called are empty now: ${saved} bytes`);
