// Writes ../graphiql/vendor.js, vendor.css and THIRD-PARTY.txt from node_modules.
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { build } from "esbuild";

const out = "../graphiql";

// GraphiQL's style sheet carries 380 kB of Latin fonts as data URLs; console.css names system fonts instead.
const withoutFonts = {
  name: "without-fonts",
  setup({ onLoad }) {
    onLoad({ filter: /\.css$/ }, ({ path }) => ({
      contents: readFileSync(path, "utf8").replace(/@font-face\s*\{[^}]*\}/g, ""),
      loader: "css",
    }));
  },
};

const { metafile } = await build({
  entryPoints: ["vendor.js"],
  outdir: out,
  bundle: true,
  format: "esm",
  target: "es2022",
  minify: true,
  charset: "utf8",
  legalComments: "none", // THIRD-PARTY.txt has them in full
  metafile: true,
  define: { "process.env.NODE_ENV": '"production"' },
  plugins: [withoutFonts],
});

// Every package of which a byte went into the bundle, with its licence.
function packageFolder(file) {
  for (let folder = dirname(file); folder !== "."; folder = dirname(folder)) {
    const manifest = join(folder, "package.json");
    if (existsSync(manifest) && JSON.parse(readFileSync(manifest, "utf8")).version) return folder;
  }
  throw new Error(`no package.json above ${file}`);
}

const used = Object.values(metafile.outputs).flatMap(({ inputs }) =>
  Object.entries(inputs).filter(([file, { bytesInOutput }]) => bytesInOutput > 0 && file.includes("node_modules/")),
);
const folders = new Set(used.map(([file]) => packageFolder(file)));
const manifests = [...folders].map((folder) => ({
  ...JSON.parse(readFileSync(join(folder, "package.json"), "utf8")),
  file: readdirSync(folder).map((entry) => join(folder, entry)).find((path) => /\/(licen[cs]e|copying)/i.test(path)),
}));
const home = ({ repository }) => (repository?.url ?? repository ?? "").replace(/^git\+|\.git$/g, "");
const titlesByText = {};
for (const manifest of manifests.sort((a, b) => (a.name < b.name ? -1 : 1))) {
  const { name, version, license, author } = manifest;
  // A package without a licence file has that of its repository's other packages.
  const { file } = manifest.file ? manifest : (manifests.find((m) => m.file && home(m) === home(manifest)) ?? {});
  const text = file
    ? readFileSync(file, "utf8").trim()
    : `By ${author?.name ?? author ?? "its authors"}. The package carries no licence text; its manifest says ${license}.`;
  (titlesByText[text] ??= []).push(`${name} ${version} (${license})`);
}
const sections = Object.entries(titlesByText).map(([text, titles]) => `${titles.join("\n")}\n\n${text}\n`);
const rule = `\n${"-".repeat(80)}\n\n`;
writeFileSync(
  `${out}/THIRD-PARTY.txt`,
  `vendor.js and vendor.css are built by ../build from these npm packages.\n${rule}${sections.join(rule)}`,
);
