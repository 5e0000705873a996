/**
 * Loaded before the portable suite on an emulated platform, where all takes ten
 * times as long: fewer inputs for each property. What doesn't depend on the
 * platform is tested with all of them on this machine's own.
 */

import fc from "fast-check";

fc.configureGlobal({ numRuns: 10 });
