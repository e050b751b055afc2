// nginx in front of the program, below a path, with the configuration in packaging/ and its own values filled in.
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import net from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import type { Browser } from "@playwright/test";

const CONFIGURATION = fileURLToPath(new URL("../packaging/nginx.conf", import.meta.url));
const BASE = "/dash";

export class Front {
  private nginx?: ChildProcess;

  private readonly dir = mkdtempSync(path.join(tmpdir(), "lockstep-nginx-"));

  private constructor(private readonly port: number) {}

  /** A front that does not run yet: the server has to know its address first. `at` is that of one that ended. */
  static async choose(at?: string): Promise<Front> {
    if (at) return new Front(Number(new URL(at).port));
    const listener = net.createServer();
    await new Promise<void>((done) => listener.listen(0, "127.0.0.1", done));
    const { port } = listener.address() as net.AddressInfo;
    await new Promise((done) => listener.close(done));
    return new Front(port);
  }

  /** What the server behind it is told. Who may do what stays as it is without a proxy. */
  get settings(): Record<string, string> {
    return {
      LOCKSTEP_BASE_PATH: BASE,
      LOCKSTEP_PUBLIC_URL: `http://127.0.0.1:${this.port}`,
      LOCKSTEP_TRUSTED_PROXIES: "127.0.0.1",
      LOCKSTEP_ACCESS: "open",
    };
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}${BASE}`;
  }

  /** Starts it before a server at `http://host:port/dash`. */
  async start(server: string) {
    const { dir } = this;
    const values = {
      "127.0.0.1:3000": new URL(server).host,
      "443 ssl": `127.0.0.1:${this.port}`,
      "server_name wall.example.com": "server_name 127.0.0.1",
      "/var/log/nginx/access.log": path.join(dir, "access.log"),
      "    ssl_certificate /etc/ssl/wall.example.com.pem;\n": "",
      "    ssl_certificate_key /etc/ssl/wall.example.com.key;\n": "",
    };
    let site = readFileSync(CONFIGURATION, "utf8");
    for (const [from, to] of Object.entries(values)) {
      if (!site.includes(from)) throw new Error(`${from} does not stand in ${CONFIGURATION}`);
      site = site.replaceAll(from, to);
    }
    const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
    const paths = temporary.map((kind) => `${kind}_temp_path ${dir}/${kind};`).join("\n");
    const main = `daemon off; master_process off; pid ${dir}/pid; error_log stderr; events {}\n`;
    writeFileSync(path.join(dir, "nginx.conf"), `${main}http {\naccess_log off;\n${paths}\n${site}}\n`);
    const program = existsSync("/usr/sbin/nginx") ? "/usr/sbin/nginx" : "nginx";
    this.nginx = spawn(program, ["-p", dir, "-e", "stderr", "-c", path.join(dir, "nginx.conf")], {
      stdio: ["ignore", "ignore", "pipe"],
    });
    let said = "";
    this.nginx.stderr!.on("data", (chunk) => (said = (said + chunk).slice(-2_000)));
    const ended = new Promise<never>((_, lost) => {
      this.nginx!.once("error", lost);
      this.nginx!.once("exit", (code) => lost(new Error(`nginx ended with ${code}\n${said}`)));
    });
    // Its end is an error only while it starts.
    ended.catch(() => {});
    while (!(await Promise.race([fetch(`${this.url}/healthz`).then((answer) => answer.ok, () => false), ended])));
  }

  async stop() {
    if (this.nginx && this.nginx.exitCode === null) {
      const ended = new Promise((done) => this.nginx!.once("exit", done));
      this.nginx.kill();
      await ended;
    }
    rmSync(this.dir, { recursive: true, force: true });
  }
}

/** A browser whose contexts take an address that begins with a slash for one below the path of their `baseURL`. */
export function rooted(browser: Browser): Browser {
  const newContext: Browser["newContext"] = async (options = {}) => {
    const context = await browser.newContext(options);
    const base = options.baseURL?.replace(/\/$/, "") ?? "";
    if (!base || new URL(base).pathname === "/") return context;
    const below = (address: string) => (address.startsWith("/") ? base + address : address);
    const { request } = context;
    for (const name of ["get", "post", "put", "delete", "head", "fetch"] as const) {
      const plain = request[name].bind(request);
      request[name] = (address: any, more) => plain(typeof address === "string" ? below(address) : address, more);
    }
    const newPage = context.newPage.bind(context);
    context.newPage = async () => {
      const page = await newPage();
      const goto = page.goto.bind(page);
      page.goto = (address, more) => goto(below(address), more);
      return page;
    };
    return context;
  };
  return new Proxy(browser, {
    get: (target, name) => {
      if (name === "newContext") return newContext;
      const value = Reflect.get(target, name, target);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
}
