// Types of setup.mjs for the TypeScript that uses it (vitest.config.ts, test/).
export interface Setup {
  chrome?: string
  chromeLavapipe?: string
  icd: { swiftshader?: string; lavapipe?: string }
  /** Why what is missing is missing, by the dotted name of the field. */
  reasons: Record<string, string>
}
export function setup(options?: { install?: boolean; log?: (sentence: string) => void }): Promise<Setup>
export function runtimeFolder(): string
export function npm(args: string[], options?: object): { status: number | null; stdout: string; stderr: string }
