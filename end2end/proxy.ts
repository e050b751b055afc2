// A TCP line between a page and the server that a test can cut and mend. Chromium's own offline mode
// leaves open WebSockets alone; a cut line does not.
import net from "node:net";

export class Line {
  private constructor(
    private readonly listener: net.Server,
    private readonly ends: Set<net.Socket>,
    readonly url: string,
    private state: { cut: boolean },
  ) {}

  /** A line to a server on this machine, as `http://host:port`. */
  static async to(server: string): Promise<Line> {
    const target = new URL(server);
    const ends = new Set<net.Socket>();
    const state = { cut: false };
    const listener = net.createServer((near) => {
      if (state.cut) return void near.destroy();
      const far = net.connect(Number(target.port), target.hostname);
      for (const [end, other] of [[near, far], [far, near]]) {
        ends.add(end);
        end.on("error", () => other.destroy());
        end.on("close", () => {
          ends.delete(end);
          other.destroy();
        });
        end.pipe(other);
      }
    });
    await new Promise<void>((done) => listener.listen(0, "127.0.0.1", done));
    const { port } = listener.address() as net.AddressInfo;
    return new Line(listener, ends, `http://127.0.0.1:${port}`, state);
  }

  /** Ends every connection and takes no new one. */
  cut() {
    this.state.cut = true;
    for (const end of this.ends) end.destroy();
  }

  /** Takes connections again. */
  mend() {
    this.state.cut = false;
  }

  async close() {
    this.cut();
    await new Promise((done) => this.listener.close(done));
  }
}
