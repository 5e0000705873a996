/**
 * The registry with the package as a program, for a network that is not that of
 * the tests. It prints its address, and runs until it is killed.
 */

import { offerPackage } from "./project.ts";

console.log(await offerPackage({ after: () => {} }));
