// The files of the embedded models. Each address is written out, so that any bundler finds the file beside this module and copies it along.
type Files = Record<string, string>

export const embedded: Record<string, () => Files> = {
  pocket: () => ({
    'config.json': new URL('./pocket/config.json', import.meta.url).href,
    'generation_config.json': new URL('./pocket/generation_config.json', import.meta.url).href,
    'tokenizer.json': new URL('./pocket/tokenizer.json', import.meta.url).href,
    'tokenizer_config.json': new URL('./pocket/tokenizer_config.json', import.meta.url).href,
    'chat_template.jinja': new URL('./pocket/chat_template.jinja', import.meta.url).href,
    'model.safetensors': new URL('./pocket/model.safetensors', import.meta.url).href,
  }),
  'pocket-v': () => ({
    'config.json': new URL('./pocket-v/config.json', import.meta.url).href,
    'generation_config.json': new URL('./pocket-v/generation_config.json', import.meta.url).href,
    'tokenizer.json': new URL('./pocket-v/tokenizer.json', import.meta.url).href,
    'tokenizer_config.json': new URL('./pocket-v/tokenizer_config.json', import.meta.url).href,
    'chat_template.jinja': new URL('./pocket-v/chat_template.jinja', import.meta.url).href,
    'model.safetensors': new URL('./pocket-v/model.safetensors', import.meta.url).href,
    'preprocessor_config.json': new URL('./pocket-v/preprocessor_config.json', import.meta.url).href,
    'video_preprocessor_config.json': new URL('./pocket-v/video_preprocessor_config.json', import.meta.url).href,
  }),
}
