// The demo: puts the parts of the page together and loads the embedded model, so that a newcomer can type within seconds.
import { actWith, startAgent } from './agent.ts'
import { startBanner } from './banner.ts'
import { measureModel, startBench } from './bench.ts'
import { startChat, useModel } from './chat.ts'
import { startFiles } from './files.ts'
import { findGpu } from './gpu.ts'
import { refreshKept, startKept } from './kept.ts'
import { startLanguage } from './language.ts'
import { load, startLoading, writeModel } from './load.ts'
import { chosen, startModels } from './models.ts'
import { readWith, startOcr } from './ocr.ts'
import { loadOptions, startOptions } from './options.ts'
import { startPages } from './pages.ts'
import { askPlan, startPlan } from './plan.ts'
import { startSettings } from './settings.ts'
import { startTimeline } from './timeline.ts'
import { part } from './view.ts'

async function start(): Promise<void> {
  startLanguage(part<HTMLButtonElement>('language'))
  startBanner()
  startModels(() => {
    writeModel()
    askPlan()
  })
  startOptions(askPlan)
  startFiles()
  startSettings()
  startLoading((loaded) => {
    useModel(loaded)
    measureModel(loaded)
    readWith(loaded)
    actWith(loaded)
    void refreshKept()
  })
  startChat()
  startBench()
  startTimeline()
  startOcr()
  startAgent()
  startPlan()
  startKept()
  startPages()
  const found = await findGpu()
  writeModel()
  if (found) await load(chosen(), loadOptions())
  else useModel(undefined)
}

void start()
