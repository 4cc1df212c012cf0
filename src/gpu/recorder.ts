// Dispatches are prepared once and replayed: a recording creates nothing when it is played.
import type { Compiled, Slot } from './pipeline.ts'
import { slots } from './pipeline.ts'

export interface Dispatch {
  name: string
  pipeline: GPUComputePipeline
  bindGroup: GPUBindGroup
  groups: readonly [number, number, number]
}

export type Recording = readonly Dispatch[]

/** Binds buffers to a compiled kernel, once. */
export function prepare(
  device: GPUDevice,
  compiled: Compiled,
  buffers: Partial<Record<Slot, GPUBuffer | GPUBufferBinding>>,
  groups: readonly [number, number?, number?],
): Dispatch {
  const entries = compiled.slots.map((slot) => {
    const bound = buffers[slot]
    if (!bound) throw new Error(`${compiled.name} needs a buffer for ${slot}`)
    return { binding: slots[slot], resource: 'buffer' in bound ? bound : { buffer: bound } }
  })
  const bindGroup = device.createBindGroup({ label: compiled.name, layout: compiled.layout, entries })
  return { name: compiled.name, pipeline: compiled.pipeline, bindGroup, groups: [groups[0], groups[1] ?? 1, groups[2] ?? 1] }
}

/** Writes dispatches `from`..`to` of a recording into a pass. */
export function play(pass: GPUComputePassEncoder, recording: Recording, from = 0, to = recording.length): void {
  for (let index = from; index < to; index++) {
    const dispatch = recording[index]!
    pass.setPipeline(dispatch.pipeline)
    pass.setBindGroup(0, dispatch.bindGroup)
    pass.dispatchWorkgroups(...dispatch.groups)
  }
}
