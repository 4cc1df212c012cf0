// Values of a GGUF header as bytes.

const types = { uint32: 4, int32: 5, float32: 6, bool: 7, string: 8, array: 9 }

/** A field's type and value; a list's type ends with []. */
export function typed(type, value) {
  if (!type.endsWith('[]')) return Buffer.concat([uint32(types[type]), plain[type](value)])
  const element = type.slice(0, -2)
  return Buffer.concat([uint32(types.array), uint32(types[element]), uint64(value.length), ...value.map(plain[element])])
}

const plain = {
  uint32: (value) => uint32(value),
  int32: (value) => write(4, (bytes) => bytes.writeInt32LE(value)),
  float32: (value) => write(4, (bytes) => bytes.writeFloatLE(value)),
  bool: (value) => Buffer.from([value ? 1 : 0]),
  string: (value) => string(value),
}

export const uint32 = (value) => write(4, (bytes) => bytes.writeUInt32LE(value))
export const uint64 = (value) => write(8, (bytes) => bytes.writeBigUInt64LE(BigInt(value)))
export const string = (text) => Buffer.concat([uint64(Buffer.byteLength(text)), Buffer.from(text)])

function write(size, put) {
  const bytes = Buffer.alloc(size)
  put(bytes)
  return bytes
}
