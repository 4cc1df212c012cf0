export function vocabularyOf(size: number): { tokens: string[]; merges: string[]; end: number }
export function promptOf(count: number, run: number): string
export function tokenizerJson(size: number): Record<string, unknown>
