// How AutoGLM-Phone is asked: a system prompt with the date, the form of an answer and the actions there are (in our words; the published one can be put in its
// place), then the screenshot, the task, and which app is in front.
import type { ChatMessage, PictureInput } from 'glm-webgpu'
import type { Language } from './language.ts'

export interface Asked {
  screen: PictureInput
  task: string
  app: string
  system: string
}

/** As its own client samples; 3,000 tokens are its limit, too. */
export const sampling = { temperature: 0, frequency_penalty: 0.2, max_tokens: 3000 } as const

export function messagesOf({ screen, task, app, system }: Asked): ChatMessage[] {
  const info = `{"current_app": ${JSON.stringify(app.trim() || 'System Home')}}`
  return [
    { role: 'system', content: system },
    {
      role: 'user',
      content: [
        { type: 'image', image: screen },
        { type: 'text', text: `${task.trim()}\n\n${info}` },
      ],
    },
  ]
}

export const systemPrompt = (language: Language, now = new Date()): string =>
  language === 'zh' ? `今天的日期是: ${chineseDate(now)}\n${chinese}` : `The current date: ${englishDate(now)}\n${english}`

const two = (value: number) => String(value).padStart(2, '0')
const chineseDate = (now: Date) =>
  `${now.getFullYear()}年${two(now.getMonth() + 1)}月${two(now.getDate())}日 星期${'日一二三四五六'[now.getDay()]}`
const englishDate = (now: Date) =>
  `${now.getFullYear()}-${two(now.getMonth() + 1)}-${two(now.getDate())}, ${new Intl.DateTimeFormat('en', { weekday: 'long' }).format(now)}`

/** The calls are the model's own language, in both. */
const calls = (about: Record<string, string>): string =>
  Object.entries(about)
    .map(([call, what]) => `- ${call}\n    ${what}`)
    .join('\n')

const english = `You operate a phone. You see a screenshot and are told a task; choose the one action that brings the task forward.
Answer in exactly this form:
<think>{think}</think>
<answer>{action}</answer>
{think} says briefly why. {action} is a single call from this list:
${calls({
  'do(action="Launch", app="xxx")': 'Opens an app.',
  'do(action="Tap", element=[x,y])': 'Taps a point.',
  'do(action="Tap", element=[x,y], message="xxx")': 'The same where money, privacy or the like are touched: the user is asked first.',
  'do(action="Type", text="xxx")': 'Types into the field that has the focus; what stands in it is cleared first.',
  'do(action="Type_Name", text="xxx")': "The same for a person's name.",
  'do(action="Swipe", start=[x1,y1], end=[x2,y2])': 'Swipes from one point to another.',
  'do(action="Long Press", element=[x,y])': 'Presses a point and holds it.',
  'do(action="Double Tap", element=[x,y])': 'Taps a point twice.',
  'do(action="Back")': 'Goes back.',
  'do(action="Home")': 'Goes to the home screen.',
  'do(action="Wait", duration="x seconds")': 'Waits for the page to load.',
  'do(action="Interact")': 'Several things fit: asks the user which.',
  'do(action="Take_over", message="xxx")': 'Asks the user to log in or to verify something.',
  'do(action="Note", message="True")': 'Notes what the page shows, for later.',
  'do(action="Call_API", instruction="xxx")': 'Sums up what was noted.',
  'finish(message="xxx")': 'The task is done; the message says how.',
})}
Coordinates go from (0,0) in the upper left corner to (999,999) in the lower right one.
`

const chinese = `你在操作一部手机。你会看到屏幕截图和一项任务；请选择能推进任务的一个操作。
必须严格按以下格式输出：
<think>{think}</think>
<answer>{action}</answer>
{think} 简要说明原因。{action} 是下列指令中的一条：
${calls({
  'do(action="Launch", app="xxx")': '启动应用。',
  'do(action="Tap", element=[x,y])': '点击一个点。',
  'do(action="Tap", element=[x,y], message="xxx")': '同上，用于涉及财产、隐私等的按钮：先询问用户。',
  'do(action="Type", text="xxx")': '在当前聚焦的输入框中输入文本；原有内容会先被清除。',
  'do(action="Type_Name", text="xxx")': '同上，用于人名。',
  'do(action="Swipe", start=[x1,y1], end=[x2,y2])': '从一点滑动到另一点。',
  'do(action="Long Press", element=[x,y])': '长按一个点。',
  'do(action="Double Tap", element=[x,y])': '双击一个点。',
  'do(action="Back")': '返回。',
  'do(action="Home")': '回到桌面。',
  'do(action="Wait", duration="x seconds")': '等待页面加载。',
  'do(action="Interact")': '有多个符合条件的选项：询问用户。',
  'do(action="Take_over", message="xxx")': '请用户登录或验证。',
  'do(action="Note", message="True")': '记录页面内容。',
  'do(action="Call_API", instruction="xxx")': '总结已记录的内容。',
  'finish(message="xxx")': '任务完成；message 说明结果。',
})}
坐标从左上角 (0,0) 到右下角 (999,999)。
`
