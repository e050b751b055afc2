// A TCP line between a page and the server that a test can cut, mend, slow down, and tear in the middle
// of a frame. Chromium's own offline mode leaves open WebSockets alone; this line does not.
import net from "node:net";

/** What a line does to the bytes that go over it, either way. */
type Manner = {
  /** So many milliseconds later, and up to `jitter` more; bytes never overtake others. */
  delay?: { ms: number; jitter: number };
  /** No more than so many bytes in so many milliseconds. */
  drip?: { bytes: number; ms: number };
  /** Bytes vanish, and nobody hears of it: both ends look open. */
  hole?: boolean;
};

/** A place in the next WebSocket frame of a type: the line ends there. */
type Tear = { type: string; at: number; done: () => void };

type Way = { from: net.Socket; to: net.Socket; masked: boolean; socket: Socket };
type Socket = { web: boolean; lost: boolean };

// A way that holds more than this does not read on, as a full buffer in a network would not.
const HELD = 64 * 1024;

export class Line {
  /** WebSockets that were asked for over this line so far. */
  opened = 0;
  private readonly ends = new Set<net.Socket>();
  private readonly sockets = new Set<Socket>();
  private readonly target: URL;
  private readonly listener: net.Server;
  private manner: Manner = {};
  private isCut = false;
  private tears: Tear[] = [];
  // The same jitter in each run.
  private random = 1;

  private constructor(server: string) {
    this.target = new URL(server);
    this.listener = net.createServer((near) => this.take(near));
  }

  /** A line to a server on this machine, as `http://host:port`. */
  static async to(server: string): Promise<Line> {
    const line = new Line(server);
    await new Promise<void>((done) => line.listener.listen(0, "127.0.0.1", done));
    return line;
  }

  get url(): string {
    const { port } = this.listener.address() as net.AddressInfo;
    return `http://127.0.0.1:${port}${this.target.pathname.replace(/\/$/, "")}`;
  }

  /** Ends every connection and takes no new one. */
  cut() {
    this.isCut = true;
    for (const end of this.ends) end.destroy();
  }

  /** Takes connections again, and treats them well. Those that fell into a hole stay there. */
  mend() {
    this.isCut = false;
    this.manner = {};
  }

  /** Goes on in another manner, with the connections that are there as well. */
  become(manner: Manner) {
    this.manner = manner;
    if (manner.hole) for (const socket of this.sockets) socket.lost = true;
  }

  /** Ends a connection after a share (0 to 1) of its next WebSocket frame of a type; done when it did. */
  tear(type: string, at: number): Promise<void> {
    return new Promise((done) => this.tears.push({ type, at, done }));
  }

  async close() {
    this.cut();
    await new Promise((done) => this.listener.close(done));
  }

  private take(near: net.Socket) {
    if (this.isCut) return void near.destroy();
    const far = net.connect(Number(this.target.port), this.target.hostname);
    const socket = { web: false, lost: this.manner.hole ?? false };
    this.sockets.add(socket);
    near.once("data", (first) => {
      socket.web = /^GET \S*\/api\/v1\/ws/.test(first.toString("latin1"));
      if (socket.web) this.opened += 1;
    });
    for (const [from, to] of [[near, far], [far, near]]) {
      this.ends.add(from);
      from.setNoDelay(true);
      from.on("error", () => from.destroy());
      from.on("close", () => {
        this.ends.delete(from);
        // Out of a hole nobody hears that the other has gone.
        if (!socket.lost) to.destroy();
        if (near.destroyed && far.destroyed) this.sockets.delete(socket);
      });
      this.carry({ from, to, masked: from === near, socket });
    }
  }

  /** Carries bytes one way, in order, until either end is gone. */
  private carry(way: Way) {
    const { from, to, socket } = way;
    const held: { bytes: Buffer; due: number }[] = [];
    let size = 0;
    let busy = false;
    const go = async () => {
      if (busy) return;
      busy = true;
      for (let next = held.shift(); next; next = held.shift()) {
        await later(next.due - performance.now());
        await this.deliver(way, next.bytes);
        size -= next.bytes.length;
        if (size < HELD) from.resume();
      }
      busy = false;
      if (from.readableEnded && !socket.lost) to.end();
    };
    from.on("data", (bytes) => {
      held.push({ bytes, due: performance.now() + this.delay() });
      size += bytes.length;
      if (size >= HELD) from.pause();
      void go();
    });
    from.on("end", () => void go());
  }

  private async deliver(way: Way, bytes: Buffer) {
    const { to, socket } = way;
    const torn = socket.web && !socket.lost && this.torn(bytes, way.masked);
    const whole = torn ? bytes.subarray(0, torn.end) : bytes;
    let sent = 0;
    while (sent < whole.length && !socket.lost && !to.destroyed) {
      const { drip } = this.manner;
      const part = whole.subarray(sent, sent + (drip?.bytes ?? whole.length));
      sent += part.length;
      if (!to.write(part)) await writable(to);
      if (drip) await later(drip.ms);
    }
    if (torn) {
      // What was written goes out first; then both ends see the end, one of them in the middle of a frame.
      await new Promise<void>((done) => (to.destroyed ? done() : to.end(done)));
      way.from.destroy();
      torn.done();
    }
  }

  /** Where the bytes are to end, if there is a frame in them that is to be torn. */
  private torn(bytes: Buffer, masked: boolean): { end: number; done: () => void } | undefined {
    if (!this.tears.length) return;
    for (const { start, end, type } of frames(bytes, masked)) {
      const found = this.tears.findIndex((tear) => tear.type === type);
      if (found < 0) continue;
      const [{ at, done }] = this.tears.splice(found, 1);
      const place = Math.floor(start + (end - start) * at);
      return { end: Math.min(Math.max(place, start + 1), end - 1), done };
    }
  }

  private delay(): number {
    const { delay } = this.manner;
    if (!delay) return 0;
    this.random = (this.random * 48_271) % 0x7fff_ffff;
    return delay.ms + (delay.jitter * this.random) / 0x7fff_ffff;
  }
}

/** The text frames that begin in bytes which begin with a frame, and the `type` that each names first. */
function* frames(bytes: Buffer, masked: boolean) {
  for (let start = 0; start + 16 < bytes.length; ) {
    const short = bytes[start + 1] & 0x7f;
    let body = start + 2;
    let length = short;
    if (short === 126) [length, body] = [bytes.readUInt16BE(body), body + 2];
    if (short === 127) [length, body] = [Number(bytes.readBigUInt64BE(body)), body + 8];
    const mask = masked ? bytes.subarray(body, body + 4) : undefined;
    if (mask) body += 4;
    const begin = bytes.subarray(body, body + Math.min(length, 40)).map((byte, i) => byte ^ (mask?.[i % 4] ?? 0));
    const type = /^\{"type":"(\w+)"/.exec(Buffer.from(begin).toString("latin1"))?.[1];
    if (type && bytes[start] === 0x81) yield { start, end: Math.min(body + length, bytes.length), type };
    start = body + length;
  }
}

/** Until an end takes bytes again, or is gone. */
function writable(end: net.Socket): Promise<void> {
  return new Promise((done) => {
    const over = () => {
      end.off("drain", over).off("close", over);
      done();
    };
    end.on("drain", over).on("close", over);
  });
}

function later(ms: number): Promise<void> | void {
  if (ms > 0) return new Promise((done) => setTimeout(done, ms));
}
