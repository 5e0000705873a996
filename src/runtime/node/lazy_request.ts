/**
 * Requests whose state is created when it is first read, on Deno.
 *
 * There, a `Request` takes as long as all else that the library does for a short
 * request. But Deno keeps the state in a property and reads it by names, for its
 * own server has requests with a state of another class. None of that is
 * documented: it is tried once, and where it has no effect, all requests are
 * created with their state, as on Bun and Node.
 *
 * @module
 */

import type * as http from "node:http";

/** Creates a `Request` that has its state. */
export type CreateRequest = (
  url: string,
  incoming: http.IncomingMessage,
) => Request;

/** What a lazy request needs of the runtime. */
export interface LazyRequests {
  /** Makes the constructor of `Request` create no state. */
  readonly brand: symbol;
  /** Gives a request that was created with the brand its state. */
  attach(request: Request, url: string, incoming: http.IncomingMessage): void;
}

/** What a runtime keeps of a request. */
type State = Record<string, unknown>;

/** Whether a URL takes a host as it is, for the last ones. */
const hosts = new Map<string, boolean>();

/** A client may send any number of hosts. */
const MAX_HOSTS = 100;

const PLAIN_TARGET =
  /^(?:\/(?!\.|%2e)[\w\-.~!$&()*+,;=:@%]*)+(?:\?[\w\-.~!$&()*+,;=:@%/?]*)?$/i;

/**
 * Whether the URL of a host and a target is the text that they make together, so
 * that it needn't be parsed.
 */
export function isPlainUrl(host: string, target: string): boolean {
  return PLAIN_TARGET.test(target) && isPlainHost(host);
}

function isPlainHost(host: string): boolean {
  const known = hosts.get(host);
  if (known !== undefined) return known;
  const url = `http://${host}/`;
  const isPlain = URL.canParse(url) && new URL(url).href === url;
  if (hosts.size === MAX_HOSTS) hosts.clear();
  hosts.set(host, isPlain);
  return isPlain;
}

/** Finds out whether the runtime takes lazy requests. */
export function findLazyRequests(
  create: CreateRequest,
): LazyRequests | undefined {
  const sample = new Request("http://localhost/");
  const keys = Object.getOwnPropertySymbols(sample);
  const [brand, state, guard] = ["[[webidl.brand]]", "request", "headers guard"]
    .map((name) => keys.find(({ description }) => description === name));
  if (brand === undefined || state === undefined || guard === undefined) {
    return undefined;
  }
  const stateOf = (request: Request): State =>
    (request as unknown as Record<symbol, State>)[state]!;
  try {
    const LazyState = lazyState(
      stateOf(sample),
      (...args) => stateOf(create(...args)),
    );
    const found: LazyRequests = {
      brand,
      attach(request, url, incoming) {
        const properties = request as unknown as Record<symbol, unknown>;
        properties[state] = new LazyState(url, incoming);
        properties[guard] = "request";
      },
    };
    return isEffective(found) ? found : undefined;
  } catch {
    return undefined;
  }
}

/** Creates the class of a state that has the properties of another one. */
function lazyState(
  sample: object,
  create: (url: string, incoming: http.IncomingMessage) => State,
): new (url: string, incoming: http.IncomingMessage) => object {
  class LazyState {
    readonly method: string | undefined;
    readonly #url: string;
    #incoming: http.IncomingMessage | undefined;
    #actual: State | undefined;

    constructor(url: string, incoming: http.IncomingMessage) {
      this.method = incoming.method;
      this.#url = url;
      this.#incoming = incoming;
    }

    url(): string {
      return this.#url;
    }

    get actual(): State {
      if (this.#actual === undefined) {
        this.#actual = create(this.#url, this.#incoming!);
        // Requests that are created from this one may live long.
        this.#incoming = undefined;
      }
      return this.#actual;
    }
  }
  const { prototype } = LazyState;
  for (const name of namesOf(sample)) {
    if (name === "method" || name in prototype) continue;
    Object.defineProperty(prototype, name, {
      get(this: LazyState) {
        return this.actual[name];
      },
      set(this: LazyState, value: unknown) {
        this.actual[name] = value;
      },
    });
  }
  return LazyState;
}

/** Returns the names of all properties that an object has or inherits. */
function namesOf(object: object): string[] {
  const names: string[] = [];
  for (
    let owner: object = object;
    owner !== Object.prototype && owner !== null;
    owner = Object.getPrototypeOf(owner)
  ) {
    names.push(...Object.getOwnPropertyNames(owner));
  }
  return names.filter((name) => name !== "constructor");
}

/** Tries a lazy request, and those that are created from it. */
function isEffective({ brand, attach }: LazyRequests): boolean {
  const url = "http://localhost/path?query";
  const create = () => {
    const request = new Request(brand as unknown as string);
    const headers = { host: "localhost", "x-probe": "1" };
    const rawHeaders = Object.entries(headers).flat();
    attach(request, url, { method: "HEAD", headers, rawHeaders } as never);
    return request;
  };
  return [create(), create().clone(), new Request(create())].every((request) =>
    request instanceof Request && request.url === url &&
    request.method === "HEAD" && request.body === null && !request.bodyUsed &&
    request.headers.get("x-probe") === "1" && request.redirect === "follow"
  );
}
