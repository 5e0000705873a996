/**
 * The routes of `Bun.serve`: functions, objects of one for each method, and
 * constants such as responses, files and pages.
 *
 * @module
 */

/** Returns whether a value is a function. */
export function isFunction(
  value: unknown,
): value is (...args: unknown[]) => unknown {
  return typeof value === "function";
}

/** Returns whether a value can have members. */
export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null || isFunction(value);
}

/**
 * Reads routes as Bun does, each member once: the own enumerable members, and of
 * an object of methods the own ones with names of methods. Returns anything else
 * as it is, such as the array of an app, in which Bun finds no routes.
 */
export function readRoutes(routes: unknown): unknown {
  if (!hasRoutes(routes)) return routes;
  return mapMembers(
    routes,
    (route) => isMethods(route) ? pick(route, methodsOf(route)) : route,
  );
}

/** Returns routes with other functions and constants. */
export function mapRoutes(
  routes: unknown,
  toHandler: (handler: (...args: unknown[]) => unknown) => unknown,
  toConstant: (constant: unknown) => unknown,
): unknown {
  if (!hasRoutes(routes)) return routes;
  const change = (route: unknown) =>
    isFunction(route) ? toHandler(route) : toConstant(route);
  return mapMembers(
    routes,
    (route) => isMethods(route) ? mapMembers(route, change) : change(route),
  );
}

/** Returns the responses and files among routes. */
export function constantsOf(routes: unknown): (Response | Blob)[] {
  if (!hasRoutes(routes)) return [];
  return Object.values(routes)
    .flatMap((route) => isMethods(route) ? Object.values(route) : [route])
    .filter((route) => route instanceof Response || route instanceof Blob);
}

/** Returns the routes that are functions, of all methods or of some, if any. */
export function functionsOf(
  routes: unknown,
): Record<string, unknown> | undefined {
  if (!hasRoutes(routes)) return undefined;
  const kept = Object.entries(routes)
    .map(([name, route]) =>
      [
        name,
        isMethods(route)
          ? pick(
            route,
            Object.keys(route).filter((method) => isFunction(route[method])),
          )
          : route,
      ] as const
    )
    .filter(([, route]) => isFunction(route) || isMethods(route));
  return kept.length > 0 ? Object.fromEntries(kept) : undefined;
}

function hasRoutes(routes: unknown): routes is Record<string, unknown> {
  return isObject(routes) && !Array.isArray(routes);
}

/** The methods by which Bun recognizes an object of methods. */
const ROUTE_METHODS = "CONNECT DELETE GET HEAD OPTIONS PATCH POST PUT TRACE"
  .split(
    " ",
  );

/** Whether a route is an object of methods; Bun takes a function as it is. */
function isMethods(route: unknown): route is Record<string, unknown> {
  return isObject(route) && !isFunction(route) &&
    ROUTE_METHODS.some((method) => Object.hasOwn(route, method));
}

/** The names of own members that are methods, or will be in another version. */
function methodsOf(route: object): string[] {
  return Object.getOwnPropertyNames(route)
    .filter((name) => /^[A-Z]+$/.test(name));
}

function pick(
  object: Record<string, unknown>,
  names: readonly string[],
): Record<string, unknown> {
  return Object.fromEntries(names.map((name) => [name, object[name]]));
}

function mapMembers(
  object: Record<string, unknown>,
  change: (value: unknown) => unknown,
): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(object).map(([name, value]) => [name, change(value)]),
  );
}
