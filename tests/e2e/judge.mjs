// What nsfwjs says of raw pictures, NAME-WIDTHxHEIGHT.rgb in a folder, as JSON: node judge.mjs NODE_MODULES FOLDER
import fs from "node:fs";
import path from "node:path";
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

const [, , modules, folder] = process.argv;
const from = createRequire(path.resolve(modules, "x.js"));
console.info = console.warn = () => {};
const tf = from("@tensorflow/tfjs");
const nsfw = from("nsfwjs");
await tf.setBackend("cpu");
const model = await nsfw.load("MobileNetV2", { size: 224 });
const order = ["Drawing", "Hentai", "Neutral", "Porn", "Sexy"];
const result = {};
for (const file of fs.readdirSync(folder).filter((f) => f.endsWith(".rgb"))) {
    const [, name, width, height] = file.match(/^(.*)-(\d+)x(\d+)\.rgb$/);
    const picture = tf.tensor3d(new Uint8Array(fs.readFileSync(path.join(folder, file))), [+height, +width, 3], "int32");
    const said = await model.classify(picture);
    result[name] = order.map((c) => +said.find((s) => s.className === c).probability.toFixed(6));
}
console.log("{\n" + Object.keys(result).sort().map((k) => `  "${k}": [${result[k].join(", ")}]`).join(",\n") + "\n}");
