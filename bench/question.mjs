// What the embedded model is asked where a chat answer is timed: a skill it has, answered in some thirty tokens by every version.
export const question = 'Extract as JSON: Clara is 58 years old and lives in Vienna.'
