// Types of build.mjs for the tests.
export const embedded: Record<string, string[]>
