import adapter from "@sveltejs/adapter-node";
import { sveltekit } from "@sveltejs/kit/vite";

export default {
  plugins: [
    // The clients send no Origin header.
    sveltekit({ adapter: adapter(), csrf: { trustedOrigins: ["*"] } }),
  ],
};
