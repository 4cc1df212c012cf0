// Types of serve.mjs for the tests.
export interface Server {
  port: number
  url: string
  close(): Promise<void>
}
export function serve(options: { folder: string; port?: number; headers?: Record<string, string> }): Promise<Server>
