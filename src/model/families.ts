// GLM families as data: what the decoder does differently for each.

export interface Family {
  /** RMSNorms behind attention and MLP as well as before them ("sandwich"). */
  postNorms: boolean
  /** Class defaults of Hugging Face transformers for fields that a config leaves out. No `headDim`: the width of the stream over the heads. */
  defaults: { partialRotary: number; eps: number; theta: number; headDim?: number }
  /** Whether q, k and v have biases, where the class does not ask the config. */
  qkvBias?: boolean
  /** M-RoPE: frequencies of time, row and column, where the config names none. The text model of such a one stands in `text_config`. */
  sections?: readonly [number, number, number]
}

const seeing: Family = {
  postNorms: true,
  defaults: { partialRotary: 1, eps: 1e-5, theta: 10000 },
  qkvBias: true,
  sections: [8, 12, 12],
}
const reading: Family = { ...seeing, qkvBias: false }

/** By `model_type` of config.json. */
export const families: Record<string, Family> = {
  // GlmForCausalLM: GLM-Edge, glm-4-9b-chat-hf
  glm: { postNorms: false, defaults: { partialRotary: 0.5, eps: 1.5625e-7, theta: 10000, headDim: 128 } },
  // Glm4ForCausalLM: GLM-4-0414, GLM-Z1-0414
  glm4: { postNorms: true, defaults: { partialRotary: 0.5, eps: 1.5625e-7, theta: 10000, headDim: 128 } },
  // Glm4vForConditionalGeneration, Glm46VForConditionalGeneration: GLM-4.1V, AutoGLM-Phone, GLM-4.6V-Flash
  glm4v: seeing,
  glm46v: seeing,
  glm4v_text: seeing,
  // GlmOcrForConditionalGeneration: GLM-OCR
  glm_ocr: reading,
  glm_ocr_text: reading,
}
