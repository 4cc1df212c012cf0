// Finds what the tests need, and installs what is missing where that is allowed: dependencies, a browser, two software Vulkans.
// Idempotent. What could not be had is `undefined`, with a sentence in `reasons`; nothing here throws for a missing adapter.
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, readFileSync, realpathSync, statSync, writeFileSync } from 'node:fs'
import { homedir, tmpdir } from 'node:os'
import { delimiter, dirname, join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { chromiumLavapipe } from './chromium-lavapipe.mjs'

const root = fileURLToPath(new URL('..', import.meta.url))
const say = (sentence) => console.error(`setup: ${sentence}`)
const isRoot = process.getuid?.() === 0

/** `{ chrome, chromeLavapipe, icd: { swiftshader, lavapipe }, reasons }`. With `install: false` it only looks. */
export async function setup({ install = true, log = say } = {}) {
  const reasons = {}
  if (install) installDependencies(log)
  const attempt = async (name, have) => {
    try {
      return await have()
    } catch (error) {
      reasons[name] = error.message
      log(`no ${name}: ${error.message}`)
      return undefined
    }
  }
  const chrome = await attempt('chrome', () => browser(install, log))
  const swiftshader = await attempt('icd.swiftshader', () => swiftshaderIcd(chrome))
  const lavapipe = await attempt('icd.lavapipe', () => lavapipeIcd(install, log))
  const chromeLavapipe = await attempt('chromeLavapipe', () => {
    if (!chrome) throw new Error('there is no Chromium to copy.')
    if (!lavapipe) throw new Error('there is no lavapipe to run it on.')
    return chromiumLavapipe({ chrome, lavapipe, install, log, aptInstall })
  })
  return { chrome, chromeLavapipe, icd: { swiftshader, lavapipe }, reasons }
}

/** `npm ci` where node_modules is missing or older than the lock file. No package of ours has an install script that matters. */
export function installDependencies(log = say) {
  const lock = join(root, 'package-lock.json')
  const installed = join(root, 'node_modules/.package-lock.json')
  if (existsSync(installed) && (!existsSync(lock) || statSync(installed).mtimeMs >= statSync(lock).mtimeMs)) return
  log('installing the npm dependencies (npm ci); this takes a minute.')
  const { status } = npm(['ci', '--ignore-scripts', '--no-audit', '--no-fund'], { cwd: root, stdio: ['ignore', 2, 2] })
  if (status !== 0) throw new Error('npm ci failed; see its message above, then run this again.')
}

/** Runs npm, through the very npm that started us where there is one (on Windows `npm` is a script that spawn cannot start). */
export function npm(args, options) {
  const cli = process.env.npm_execpath
  if (cli?.endsWith('npm-cli.js')) return spawnSync(process.execPath, [cli, ...args], options)
  return spawnSync('npm', args, { shell: process.platform === 'win32', ...options })
}

// ---- a browser

async function browser(install, log) {
  const given = process.env.CHROME_PATH
  if (given) {
    if (existsSync(given)) return given
    throw new Error(`CHROME_PATH is ${given}, and nothing is there.`)
  }
  const found = systemBrowser() ?? (await playwrightBrowser())
  if (found) return found
  if (!install) throw new Error('no Chrome or Chromium was found; run `node scripts/setup.mjs`, or set CHROME_PATH.')
  if (canApt() && aptInstall(['chromium'], log)) return systemBrowser()
  log('downloading a Chromium with Playwright.')
  const cli = join(root, 'node_modules/playwright/cli.js')
  spawnSync(process.execPath, [cli, 'install', 'chromium'], { stdio: ['ignore', 2, 2], timeout: 300_000 })
  const downloaded = await playwrightBrowser()
  if (downloaded) return downloaded
  throw new Error('no Chrome or Chromium was found or could be installed; install one, or set CHROME_PATH.')
}

function systemBrowser() {
  const names = ['google-chrome', 'google-chrome-stable', 'chromium', 'chromium-browser', 'chrome']
  const onPath = (process.env.PATH ?? '').split(delimiter).flatMap((folder) => names.map((name) => join(folder, name)))
  const { LOCALAPPDATA = '', PROGRAMFILES = '', 'PROGRAMFILES(X86)': programFiles32 = '' } = process.env
  const places = {
    linux: onPath,
    darwin: ['/Applications', join(homedir(), 'Applications')].flatMap((folder) =>
      ['Google Chrome', 'Chromium'].map((name) => `${folder}/${name}.app/Contents/MacOS/${name}`),
    ),
    win32: [PROGRAMFILES, programFiles32, LOCALAPPDATA]
      .filter(Boolean)
      .map((folder) => join(folder, 'Google/Chrome/Application/chrome.exe')),
  }
  return (places[process.platform] ?? onPath).find(existsSync)
}

async function playwrightBrowser() {
  try {
    const { chromium } = await import('playwright')
    return existsSync(chromium.executablePath()) ? chromium.executablePath() : undefined
  } catch {
    return undefined // not installed yet, or a platform Playwright has no browser for
  }
}

// ---- Vulkans

/** Every Chromium on Linux carries SwiftShader beside its binary; Debian's /usr/bin/chromium is a script, its binary lives in /usr/lib. */
function swiftshaderIcd(chrome) {
  if (process.platform !== 'linux') throw new Error('Dawn takes a Vulkan driver of our choice on Linux only.')
  const beside = chrome ? [dirname(realpathSync(chrome))] : []
  const folders = [...beside, '/usr/lib/chromium', '/usr/lib/chromium-browser', '/opt/google/chrome']
  const icd = folders.map((folder) => join(folder, 'vk_swiftshader_icd.json')).find(existsSync)
  if (!icd) throw new Error('vk_swiftshader_icd.json is beside no Chromium that was found.')
  return icd
}

/** Mesa before 25 gives lavapipe no shader-f16 that Dawn accepts; Debian 12 has it in its backports. */
function lavapipeIcd(install, log) {
  if (process.platform !== 'linux') throw new Error('lavapipe is tested on Linux only.')
  const isDebian = run('dpkg-query', ['--version']) !== undefined
  if (isDebian && !(debianMesa() >= 25)) {
    if (!install || !canApt()) throw new Error('it needs mesa-vulkan-drivers 25 or newer; run this as root on Debian, or install it.')
    installMesa(log)
    if (!(debianMesa() >= 25)) throw new Error('mesa-vulkan-drivers 25 or newer could not be installed.')
  }
  for (const folder of ['/usr/share/vulkan/icd.d', '/usr/local/share/vulkan/icd.d', '/etc/vulkan/icd.d']) {
    const icd = existsSync(folder) && readdirSync(folder).find((name) => /^lvp_icd.*\.json$/.test(name))
    if (icd) return join(folder, icd)
  }
  throw new Error('no lvp_icd.json was found; install Mesa’s Vulkan drivers (25 or newer).')
}

/** Major version of Debian's package; NaN where it is not installed. */
function debianMesa() {
  const status = run('dpkg-query', ['-s', 'mesa-vulkan-drivers']) ?? ''
  const version = /^Status: install ok installed$/m.test(status) ? status.match(/^Version: (?:\d+:)?(\d+)/m)?.[1] : undefined
  return Number.parseInt(version ?? '', 10)
}

function installMesa(log) {
  aptUpdate(log)
  const policy = run('apt-cache', ['policy', 'mesa-vulkan-drivers']) ?? ''
  if (Number.parseInt(policy.match(/Candidate: (\d+)/)?.[1] ?? '', 10) >= 25) return aptInstall(['mesa-vulkan-drivers'], log)
  const codename = readFileSync('/etc/os-release', 'utf8').match(/^VERSION_CODENAME=(\w+)/m)?.[1]
  const backports = `${codename}-backports`
  const list = join(tmpdir(), `glm-webgpu-${backports}.list`) // a list of our own for these two calls: the machine's sources stay as they are
  const own = existsSync('/etc/apt/sources.list') ? readFileSync('/etc/apt/sources.list', 'utf8') : ''
  writeFileSync(list, `${own}\ndeb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] ${mirror(codename)} ${backports} main\n`)
  const options = ['-o', `Dir::Etc::sourcelist=${list}`]
  return aptUpdate(log, options) && aptInstall(['mesa-vulkan-drivers'], log, [...options, '-t', backports])
}

/** The address this machine itself takes Debian from. */
function mirror(codename) {
  const folder = '/etc/apt/sources.list.d'
  const more = existsSync(folder) ? readdirSync(folder).map((name) => join(folder, name)) : []
  for (const file of ['/etc/apt/sources.list', ...more].filter(existsSync)) {
    const text = readFileSync(file, 'utf8').replace(/^#.*\n?/gm, '')
    for (const stanza of text.split(/\n\s*\n/)) {
      const suites = stanza.match(/^Suites:\s*(.*)$/m)?.[1]?.split(/\s+/)
      if (suites?.includes(codename)) return stanza.match(/^URIs:\s*(\S+)/m)?.[1]
    }
    const line = text.match(new RegExp(`^deb\\s+(?:\\[[^\\]]*\\]\\s+)?(\\S+)\\s+${codename}\\s+.*\\bmain\\b`, 'm'))
    if (line) return line[1]
  }
  throw new Error(`apt’s sources name no mirror for ${codename}.`)
}

// ---- apt

const canApt = () => isRoot && run('apt-get', ['--version']) !== undefined

/** Installs packages that are not there yet; waits for another apt that holds the lock. True when all of them are there afterwards. */
export function aptInstall(packages, log = say, options = []) {
  if (!canApt()) return false
  log(`installing ${packages.join(', ')} with apt-get.`)
  const install = () => apt([...options, 'install', '-y', '-qq', '--no-install-recommends', ...packages])
  return install() || (aptUpdate(log, options) && install())
}

function aptUpdate(log, options = []) {
  log('reading the package lists (apt-get update).')
  return apt([...options, 'update', '-qq'])
}

function apt(args) {
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' }
  const lock = ['-o', 'DPkg::Lock::Timeout=600']
  return spawnSync('apt-get', [...lock, ...args], { stdio: ['ignore', 2, 2], env }).status === 0
}

/** stdout of a short command, or undefined where it is not there or fails. */
function run(command, args) {
  const { status, stdout } = spawnSync(command, args, { encoding: 'utf8' })
  return status === 0 ? stdout : undefined
}

/** A private folder for Vulkan drivers that ask for XDG_RUNTIME_DIR. */
export function runtimeFolder() {
  const folder = join(root, '.cache/runtime')
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  return folder
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  try {
    console.log(JSON.stringify(await setup({ install: !process.argv.includes('--find') }), null, 2))
  } catch (error) {
    say(error.message)
    process.exitCode = 1
  }
}
