// What goes wrong, on a real adapter: every fault is one GlmError with its code and one sentence, and afterwards the page can load again.
import { fileURLToPath } from 'node:url'
import { beforeAll, describe, expect, it } from 'vitest'
import { Engine, type EngineOptions } from '../../src/engine/engine.ts'
import { GlmError } from '../../src/errors.ts'
import { dawn } from '../../src/gpu/dawn.ts'
import { folderSource } from '../../src/weights/folder.ts'
import { checkRange, type Source } from '../../src/weights/source.ts'

const fixtures = fileURLToPath(new URL('../fixtures', import.meta.url))
const base = folderSource(`${fixtures}/checkpoints/glm-edge-f32`)
const weightsFile = 'model.safetensors'

type Bytes = Uint8Array<ArrayBuffer>
const bytesOf = (text: string): Bytes => new TextEncoder().encode(text)
const whole = async (path: string, source = base): Promise<Bytes> => source.read(path, 0, await source.size(path))

/** The fixture with some files replaced; null takes one away. */
function changed(files: Record<string, Bytes | null>): Source {
  const own = (path: string) => (Object.hasOwn(files, path) ? files[path] : undefined)
  const missing = (path: string) => new GlmError('file_missing', `${path} is not there; give the folder of the model.`)
  return {
    name: 'changed',
    async size(path, signal) {
      if (own(path) === null) throw missing(path)
      return own(path)?.length ?? base.size(path, signal)
    },
    async read(path, start, end, signal) {
      const bytes = own(path)
      if (bytes === null) throw missing(path)
      if (!bytes) return base.read(path, start, end, signal)
      checkRange(path, start, end, bytes.length)
      return bytes.slice(start, end)
    },
  }
}

interface Entry {
  dtype: string
  shape: number[]
  data_offsets: [number, number]
}

/** The checkpoint with its header or its data edited. */
async function weights(edit: (header: Record<string, Entry>, data: DataView<ArrayBuffer>) => void): Promise<Source> {
  const file = await whole(weightsFile)
  const end = 8 + Number(new DataView(file.buffer).getBigUint64(0, true))
  const header = JSON.parse(new TextDecoder().decode(file.subarray(8, end)))
  const data = file.slice(end)
  edit(header, new DataView(data.buffer))
  const text = bytesOf(JSON.stringify(header))
  const edited = new Uint8Array(8 + text.length + data.length)
  new DataView(edited.buffer).setBigUint64(0, BigInt(text.length), true)
  edited.set(text, 8)
  edited.set(data, 8 + text.length)
  return changed({ [weightsFile]: edited })
}

async function config(fields: object): Promise<Source> {
  const json = JSON.parse(new TextDecoder().decode(await whole('config.json')))
  return changed({ 'config.json': bytesOf(JSON.stringify({ ...json, ...fields })) })
}

/** A sentence, and perhaps what the machine below said. */
const sentence = /^[A-Z"a-z][^\n]{10,400}$/

/** What stops a promise: always a GlmError with its sentence. */
async function faultOf(promise: Promise<unknown>): Promise<GlmError> {
  const error = await promise.then(
    () => new Error('Nothing was wrong.'),
    (error) => error,
  )
  expect(error).toBeInstanceOf(GlmError)
  expect(error.message).toMatch(sentence)
  return error
}

let gpu: GPU
beforeAll(async () => {
  gpu = await dawn()
})

const load = (source: Source, options: Partial<EngineOptions> = {}) =>
  Engine.load({ gpu, source, weights: 'f32', context: 128, ...options })
const loadFault = (source: Source, options: Partial<EngineOptions> = {}) => faultOf(load(source, options).then((engine) => engine.close()))

const tensor = 'model.layers.1.mlp.down_proj.weight'
const norm = 'model.layers.1.post_attention_layernorm.weight'

describe('files', () => {
  it.each(['config.json', weightsFile])('%s is missing', async (path) => {
    const fault = await loadFault(changed({ [path]: null }))
    expect(fault.code).toBe('file_missing')
    expect(fault.message).toContain(path)
  })

  it('the weights are cut short: inside the header, and inside the data', async () => {
    const file = await whole(weightsFile)
    for (const size of [0, 5, 100, file.length / 2, file.length - 1]) {
      const fault = await loadFault(changed({ [weightsFile]: file.slice(0, size) }))
      expect(fault.code, `${size} bytes`).toBe('file_truncated')
      expect(fault.message).toContain(weightsFile)
    }
  })

  it('the weights become shorter while they are read', async () => {
    const read: Source['read'] = async (path, start, end, signal) => {
      if (path === weightsFile && start > 100_000)
        throw new GlmError('file_truncated', 'The file became shorter while it was read; load it again.')
      return base.read(path, start, end, signal)
    }
    expect((await loadFault({ ...base, read })).code).toBe('file_truncated')
  })

  it('a file that is no JSON, no safetensors', async () => {
    expect((await loadFault(changed({ 'config.json': bytesOf('<html>') }))).code).toBe('file_invalid')
    expect((await loadFault(changed({ [weightsFile]: bytesOf('<html>not found</html>') }))).code).toBe('file_invalid')
    expect((await loadFault(changed({ 'generation_config.json': bytesOf('{') }))).code).toBe('file_invalid')
  })

  it('an unknown family, and a field that is not done', async () => {
    const family = await loadFault(await config({ model_type: 'llama' }))
    expect([family.code, family.message]).toEqual(['family_unknown', expect.stringContaining('llama')])
    const field = await loadFault(await config({ hidden_act: 'gelu' }))
    expect([field.code, field.message]).toEqual(['config_unsupported', expect.stringContaining('hidden_act')])
  })
})

describe('tensors', () => {
  const cases: [string, string, (header: Record<string, Entry>) => void][] = [
    ['missing', tensor, (header) => delete header[tensor]],
    ['of another shape', tensor, (header) => header[tensor]!.shape.reverse()],
    ['of another shape (a vector)', norm, (header) => Object.assign(header[norm]!, { shape: [1, 64] })],
    ['I32', tensor, (header) => Object.assign(header[tensor]!, { dtype: 'I32' })],
    ['I32 (a vector)', norm, (header) => Object.assign(header[norm]!, { dtype: 'I32' })],
    ['of a dtype nobody knows', tensor, (header) => Object.assign(header[tensor]!, { dtype: 'Q3_K' })],
    ['larger than its bytes', tensor, (header) => Object.assign(header[tensor]!, { shape: [2 ** 40, 2 ** 40] })],
  ]
  it.each(cases)('%s: %s', async (_, name, edit) => {
    const fault = await loadFault(await weights(edit))
    expect(fault.code).toBe('tensor_invalid')
    expect(fault.message).toContain(name)
  })

  it('config.json asks for more than there is', async () => {
    const fault = await loadFault(await config({ num_hidden_layers: 3 }))
    expect([fault.code, fault.message]).toEqual(['tensor_invalid', expect.stringContaining('model.layers.2.')])
    expect((await loadFault(await config({ vocab_size: 304 }))).code).toBe('tensor_invalid')
  })

  // At the first value, in the middle and at the last one of a tensor, in every format.
  const places: [string, number, number, EngineOptions['weights']][] = [
    ['model.embed_tokens.weight', 0, Number.NaN, 'q4'],
    [tensor, 64 * 120 - 1, Number.NaN, 'f32'],
    ['model.layers.0.self_attn.k_proj.weight', 1000, Number.NaN, 'q8'],
    ['model.layers.1.mlp.gate_up_proj.weight', 240 * 64 - 1, Number.POSITIVE_INFINITY, 'q4'],
    ['model.layers.0.self_attn.o_proj.weight', 77, Number.NEGATIVE_INFINITY, 'f16'],
    ['model.layers.0.self_attn.q_proj.weight', 5, 1e6, 'f16'], // finite, but not as f16
    [norm, 63, Number.POSITIVE_INFINITY, 'f32'],
    ['model.norm.weight', 0, Number.NaN, 'q4'],
  ]
  it.each(places)('%s[%i] = %f in %s', async (name, index, value, format) => {
    const source = await weights((header, data) => data.setFloat32(header[name]!.data_offsets[0] + index * 4, value, true))
    const fault = await loadFault(source, { weights: format })
    expect(fault.code).toBe('weights_invalid')
    expect(fault.message).toContain(name)
  })
})

describe('the GPU', () => {
  it('is missing', async () => {
    expect((await loadFault(base, { gpu: undefined })).code).toBe('gpu_missing')
  })

  it('gives no adapter, or no device', async () => {
    const adapters: (() => Promise<unknown>)[] = [async () => null, () => Promise.reject(new Error('no'))]
    adapters.push(async () => {
      const adapter = (await gpu.requestAdapter())!
      const { features, limits, info } = adapter
      return { features, limits, info, requestDevice: () => Promise.reject(new Error('in use')) }
    })
    for (const requestAdapter of adapters) expect((await loadFault(base, { gpu: { requestAdapter } as GPU })).code).toBe('adapter_missing')
  })

  it('is lost while a model loads', async () => {
    for (const phase of ['upload', 'compile']) {
      const { watched, device } = await watch()
      const fault = await loadFault(base, { gpu: watched, onProgress: (progress) => progress.phase === phase && device()?.destroy() })
      expect(fault.code, phase).toBe('device_lost')
    }
  })

  it('is lost while a chat runs: the chat, those that wait and later calls are told', async () => {
    const engine = await load(base)
    let after = 0
    let gone = false
    const run = (prompt: number[], destroy = false) =>
      engine.scheduler.run({
        prompt,
        sampling: { temperature: 0, topK: 0, topP: 1, seed: [0, 0] },
        maxTokens: 100,
        onToken: () => {
          if (gone) after++
          if (destroy && !gone) {
            gone = true
            engine.gpu.device.destroy()
          }
          return true
        },
      })
    const faults = await Promise.all([faultOf(run([1, 2, 3])), faultOf(run([4, 5, 6, 7], true))])
    expect(faults.map(({ code }) => code)).toEqual(['device_lost', 'device_lost'])
    expect(after).toBeLessThan(8) // what the burst had read already
    expect((await faultOf(run([1, 2]))).code).toBe('device_lost')
    expect((await faultOf(engine.score([1, 2], () => {}))).code).toBe('device_lost')
    await engine.close()
    expect(engine.buffers.count).toBe(0)
    expect((await faultOf(engine.score([1, 2], () => {}))).code).toBe('closed')
  })

  it('has too little memory in one binding: the sentence says what to do', async () => {
    const fault = await loadFault(base, { limits: { binding: 1024 } })
    expect(fault.code).toBe('out_of_memory')
  })
})

/** A GPU that hands on what the real one gives, and remembers the device. */
async function watch(): Promise<{ watched: GPU; device: () => GPUDevice | undefined }> {
  let device: GPUDevice | undefined
  const requestAdapter = async (options?: GPURequestAdapterOptions) => {
    const adapter = (await gpu.requestAdapter(options))!
    const { features, limits, info } = adapter
    const requestDevice = async (descriptor?: GPUDeviceDescriptor) => {
      device = await adapter.requestDevice(descriptor)
      return device
    }
    return { features, limits, info, requestDevice }
  }
  return { watched: { requestAdapter } as unknown as GPU, device: () => device }
}

describe('a request', () => {
  it('without messages, without a template, without a tokenizer; then all is well again', async () => {
    const engine = await load(base)
    const part = () => {}
    expect((await faultOf(engine.chat({ messages: [] }, part))).code).toBe('messages_invalid')
    expect((await faultOf(engine.chat({ messages: [{ role: 'user', content: 'Hi' }] }, part))).code).toBe('template_invalid')
    expect((await faultOf(engine.complete([1, 2], {}, part))).code).toBe('template_invalid')
    await engine.score([1, 2, 3], (logits) => expect(logits.every(Number.isFinite)).toBe(true))
    await engine.close()
  })

  it('to a model with a tokenizer: bad options end in their sentence, good ones in text', async () => {
    const [tokenizer, options] = await Promise.all(
      ['tokenizer.json', 'tokenizer_config.json'].map((path) => whole(path, folderSource(`${fixtures}/tokenizer`))),
    )
    const template = bytesOf('{% for message in messages %}{{ message.content }}{% endfor %}')
    const engine = await load(changed({ 'tokenizer.json': tokenizer!, 'tokenizer_config.json': options!, 'chat_template.jinja': template }))
    let text = ''
    const ask = (content: string, more: object = {}) =>
      engine.chat({ messages: [{ role: 'user', content }], max_tokens: 5, ...more }, (part) => {
        if (part.type === 'text-delta') text += part.text
      })
    expect((await faultOf(ask('a', { max_tokens: 0 }))).code).toBe('request_invalid')
    expect((await faultOf(ask('a', { top_p: 2 }))).code).toBe('request_invalid')
    expect((await faultOf(ask('a', { stop: '' }))).code).toBe('request_invalid')
    expect((await faultOf(ask(''))).code).toBe('request_invalid')
    expect((await faultOf(ask('z '.repeat(500)))).code).toBe('prompt_too_long')
    expect(text).toBe('')
    const { ids } = await ask('q', { temperature: 0 })
    expect(ids.length).toBeGreaterThan(0)
    await engine.close()
  })
})
