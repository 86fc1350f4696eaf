// Bundles the page's scripts and styles: `node scripts/bundle.mjs ASSETS_DIR OUTPUT_DIR`.
//
// Every file directly in ASSETS_DIR/public (icons and the like) is copied, `app.ts` and `app.css` are bundled with all
// that they import. Each gets a name with its content's hash, so that a browser may keep it for ever; manifest.json
// maps the logical names (`app.js`, `app.css`, `favicon.svg`) to these.

import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { basename, extname, join, relative } from "node:path";
import * as esbuild from "esbuild";

const [assets, output] = process.argv.slice(2);
if (!assets || !output) {
  console.error("usage: node scripts/bundle.mjs ASSETS_DIR OUTPUT_DIR");
  process.exit(2);
}

const publicDirectory = join(assets, "public");
const publicFiles = existsSync(publicDirectory)
  ? readdirSync(publicDirectory, { withFileTypes: true })
      .filter((entry) => entry.isFile() && !entry.name.startsWith("."))
      .map((entry) => join(publicDirectory, entry.name))
  : [];

const common = {
  bundle: true,
  minify: true,
  // The browsers that have what the styles and scripts use anyway; older syntax would only be more bytes.
  target: ["es2022", "chrome111", "firefox113", "safari16.4"],
  charset: "utf8",
  entryNames: "[name]-[hash]",
  assetNames: "[name]-[hash]",
  loader: { ".svg": "file", ".png": "file", ".woff2": "file" },
  outdir: output,
  metafile: true,
  logLevel: "warning",
};
const bundled = await esbuild.build({
  ...common,
  entryPoints: [join(assets, "app.ts"), join(assets, "app.css")],
  format: "esm",
});
const copied = await esbuild.build({
  ...common,
  entryPoints: publicFiles,
  loader: Object.fromEntries(publicFiles.map((file) => [extname(file), "copy"])),
});

const outputs = { ...bundled.metafile.outputs, ...copied.metafile.outputs };
const manifest = {};
for (const [file, { entryPoint }] of Object.entries(outputs)) {
  if (entryPoint) {
    manifest[basename(entryPoint).replace(/\.ts$/, ".js")] = relative(output, file);
  }
}

// Licences of what was bundled travel with the bundle.
const packages = new Set();
for (const input of Object.keys(bundled.metafile.inputs)) {
  const name = /node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(input)?.[1];
  if (name) packages.add(name);
}
const notices = [...packages].sort().map((name) => {
  const directory = join("node_modules", name);
  const { version, license } = JSON.parse(readFileSync(join(directory, "package.json"), "utf8"));
  const file = readdirSync(directory).find((entry) => /^licen[cs]e/i.test(entry));
  if (!file) throw new Error(`${name} has no licence file: find out what its licence asks for before bundling it.`);
  return `${name} ${version} (${license})\n\n${readFileSync(join(directory, file), "utf8").trim()}\n`;
});
writeFileSync(join(output, "THIRD_PARTY_LICENSES.txt"), notices.join(`\n${"-".repeat(80)}\n\n`));
writeFileSync(join(output, "manifest.json"), `${JSON.stringify(manifest, null, 2)}\n`);
