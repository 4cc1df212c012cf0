// The least of a byte-level BPE vocabulary that a tokenizer loads: 256 bytes, one merge, fillers, and one token that ends an answer.

/** GPT-2's printable stand-in for each byte. */
const byteText = Array.from({ length: 256 }, (_, byte) => byte)
const plain = (byte) => (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || byte >= 174
let next = 256
for (let byte = 0; byte < 256; byte++) byteText[byte] = String.fromCodePoint(plain(byte) ? byte : next++)

/** `size` tokens; the last one ends an answer. */
export function vocabularyOf(size) {
  const fillers = Array.from({ length: size - 258 }, (_, index) => `~${index}~`)
  return { tokens: [...byteText, 'th', ...fillers, '<|endoftext|>'], merges: ['t h'], end: size - 1 }
}

/** A text of exactly `count` tokens, another one for every `run`: letters, none of which merge. */
export function promptOf(count, run) {
  return Array.from({ length: count }, (_, index) => 'abcdefgijklmnopqrs'[(index * 7 + run * 5 + (index >> 3)) % 18]).join('')
}

/** tokenizer.json of the same vocabulary, as Hugging Face writes it. */
export function tokenizerJson(size) {
  const { tokens, merges, end } = vocabularyOf(size)
  return {
    version: '1.0',
    added_tokens: [{ id: end, content: tokens[end], single_word: false, lstrip: false, rstrip: false, normalized: false, special: true }],
    normalizer: null,
    pre_tokenizer: { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: true },
    post_processor: null,
    decoder: { type: 'ByteLevel', add_prefix_space: true, trim_offsets: true, use_regex: true },
    model: { type: 'BPE', vocab: Object.fromEntries(tokens.map((text, id) => [text, id])), merges },
  }
}
