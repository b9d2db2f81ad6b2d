// Fetches one target with tuf-js: tuf_fetch.cjs STATE ROOT URL TARGET OUT.
//
// STATE is the folder of trusted metadata and may have been used before; ROOT is root version 1. Ends
// with 1 and the kind of the error if the client refuses. NODE_PATH says where tuf-js is.

const fs = require('node:fs');
const path = require('node:path');
const { Updater } = require('tuf-js');

async function main() {
  const [state, root, url, target, out] = process.argv.slice(2);
  fs.mkdirSync(state, { recursive: true });
  const trusted = path.join(state, 'root.json');
  if (!fs.existsSync(trusted)) fs.copyFileSync(root, trusted);
  const updater = new Updater({
    metadataDir: state,
    metadataBaseUrl: `${url}/metadata`,
    targetBaseUrl: `${url}/targets`,
  });
  await updater.refresh();
  const found = await updater.getTargetInfo(target);
  if (!found) throw new Error(`no target ${target}`);
  await updater.downloadTarget(found, out);
}

main().catch((error) => {
  console.error(`refused: ${error.constructor.name}: ${error.message}`);
  process.exitCode = 1;
});
