// GLM families as data: what the decoder does differently for each.

export interface Family {
  /** RMSNorms behind attention and MLP as well as before them ("sandwich"). */
  postNorms: boolean
  /** Class defaults of Hugging Face transformers for fields that a config leaves out. */
  defaults: { partialRotary: number; eps: number; theta: number; headDim: number }
}

/** By `model_type` of config.json. */
export const families: Record<string, Family> = {
  // GlmForCausalLM: GLM-Edge, glm-4-9b-chat-hf
  glm: { postNorms: false, defaults: { partialRotary: 0.5, eps: 1.5625e-7, theta: 10000, headDim: 128 } },
  // Glm4ForCausalLM: GLM-4-0414, GLM-Z1-0414
  glm4: { postNorms: true, defaults: { partialRotary: 0.5, eps: 1.5625e-7, theta: 10000, headDim: 128 } },
}
