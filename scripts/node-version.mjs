// Imported first by what people start: says which Node is needed before anything else can fail.
const [major, minor] = process.versions.node.split('.').map(Number)
const fits = (major === 20 && minor >= 19) || (major === 22 && minor >= 12) || major > 22

if (!fits) {
  console.error(
    `This needs Node 20.19 or newer (not 21; from 22.12), and this is ${process.versions.node}. Install one from https://nodejs.org and run it again.`,
  )
  process.exit(1)
}
