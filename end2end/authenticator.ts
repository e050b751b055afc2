// An authenticator app: codes as RFC 6238 makes them, six digits, another one every 30 s.
import { createHmac } from "node:crypto";

const LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
const STEP_MS = 30_000;

export class Authenticator {
  private readonly key: Buffer;
  private used = 0;

  /** Takes the key as a page shows it. */
  constructor(shown: string) {
    const letters = shown.replace(/[\s=]/g, "").toUpperCase();
    const bits = [...letters].map((letter) => LETTERS.indexOf(letter).toString(2).padStart(5, "0")).join("");
    this.key = Buffer.from(bits.match(/.{8}/g)!.map((byte) => parseInt(byte, 2)));
  }

  /** A code that counts now and that was not used: of this step, or of the next one, where clocks may differ. */
  next(): string {
    this.used = Math.max(Math.floor(Date.now() / STEP_MS), this.used + 1);
    return this.code(this.used);
  }

  /** A code that does not count: another than that of any step near to now. */
  wrong(): string {
    const now = Math.floor(Date.now() / STEP_MS);
    const near = [-2, -1, 0, 1, 2, 3].map((steps) => this.code(now + steps));
    return ["000000", "111111", "222222", "333333", "444444", "555555", "666666"].find((code) => !near.includes(code))!;
  }

  private code(step: number): string {
    const counter = Buffer.alloc(8);
    counter.writeBigUInt64BE(BigInt(step));
    const digest = createHmac("sha1", this.key).update(counter).digest();
    const number = digest.readUInt32BE(digest[digest.length - 1] & 0xf) & 0x7fffffff;
    return String(number % 1_000_000).padStart(6, "0");
  }
}
