// A sentence about each model of the catalog. The catalog has them in English; the page's own ones say what its visitors can try.
import type { CatalogEntry } from 'glm-webgpu'
import { language, say } from './language.ts'

const chinese: Record<string, string> = {
  'pocket-v': '同样随页面附带的小模型：能看出图片中的形状、颜色和数字，以及短片里它们何时出现、消失和怎样移动。',
  'glm-edge-1.5b-chat': '小到可在手机上运行，中英双语；商业使用须登记。',
  'glm-edge-4b-chat': '较大的 GLM-Edge，适合笔记本电脑；商业使用须登记。',
  'glm-4-9b-0414': '九十亿参数的对话模型，适合有独立显存的显卡。',
  'glm-z1-9b-0414': '其姊妹模型，先思考再回答。',
  'glm-4-9b-chat': '上一代对话模型，上下文很长；采用自己的许可证。',
}

export function aboutOf({ id, about }: CatalogEntry): { text: string; lang: string } {
  if (id === 'pocket') return { text: say('pocketAbout'), lang: '' }
  const text = language() === 'zh' ? chinese[id] : undefined
  return text ? { text, lang: 'zh-Hans' } : { text: about, lang: 'en' }
}
