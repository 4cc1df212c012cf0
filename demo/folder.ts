// Asks for a folder of this machine, where the browser lets pages do that.

type Picker = (options: { id: string; mode: 'read' | 'readwrite' }) => Promise<FileSystemDirectoryHandle>

/** Undefined where the person chose none. */
export async function pickFolder(mode: 'read' | 'readwrite'): Promise<FileSystemDirectoryHandle | 'unable' | undefined> {
  const { showDirectoryPicker: pick } = window as { showDirectoryPicker?: Picker }
  if (!pick) return 'unable'
  try {
    return await pick({ id: 'glm-webgpu', mode })
  } catch (error) {
    if ((error as Error).name === 'AbortError') return undefined
    throw error
  }
}
