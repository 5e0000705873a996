// A program that asks for a name that it isn't given.

import { serve } from "@listenfds/listenfds";

await serve("wrong", () => new Response("hello\n"));
